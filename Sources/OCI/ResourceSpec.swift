package import JSON
package import Kernel

/// `linux.resources`: what the cgroup limits.
package struct ResourceSpec: Sendable, Equatable {
    package var cpu = CPUResources()
    package var memory = MemoryResources()
    /// Tasks at once; negative: no limit.
    package var pidsLimit: Int64?
    package var devices: [DeviceRule] = []
    package var blockIO = BlockIOResources()
    package var hugepageLimits: [HugepageLimit] = []
    package var network = NetworkResources()
    package var rdma: [RDMALimit] = []
    /// Raw writes into cgroup v2 files, in the order of the document; they win over converted values.
    package var unified: [Annotation] = []

    package init() {}

    package init(_ c: Cursor) throws(Failure) {
        cpu = try c.optional("cpu", CPUResources.init) ?? CPUResources()
        memory = try c.optional("memory", MemoryResources.init) ?? MemoryResources()
        pidsLimit =
            try c.optional("pids") { (c) throws(Failure) in
                try c.optional("limit") { (c) throws(Failure) in try c.integer() }
            } ?? nil
        devices = try c.list("devices", DeviceRule.init)
        unified = try c.optional("unified", ResourceSpec.unified) ?? []
        // Rare, and each kind of array costs its metadata: nothing is done for those that are not there.
        if let c = try c.member("blockIO") { blockIO = try BlockIOResources(c) }
        if let c = try c.member("hugepageLimits") { hugepageLimits = try c.elements(HugepageLimit.init) }
        if let c = try c.member("network") { network = try NetworkResources(c) }
        if let c = try c.member("rdma") { rdma = try RDMALimit.list(c) }
    }

    /// A file name that leaves its folder would write elsewhere in cgroupfs.
    private static func unified(_ c: Cursor) throws(Failure) -> [Annotation] {
        var pairs: [Annotation] = []
        for member in try c.members() {
            guard !member.name.isEmpty, !member.name.utf8.contains(UInt8(ascii: "/")),
                !member.name.hasPrefix("."),
                member.name.contains(".")
            else { throw member.value.failure("\"\(member.name)\" is no cgroup v2 file") }
            pairs.append(Annotation(member.name, try member.value.string()))
        }
        return pairs
    }

    package var json: JSON? {
        let json = JSON.object([
            "devices": devices.isEmpty ? nil : .array(devices.map(\.json)),
            "cpu": cpu.json,
            "memory": memory.json,
            "pids": pidsLimit.map { .object(["limit": .integer($0)]) },
            "blockIO": blockIO.json,
            "hugepageLimits": hugepageLimits.isEmpty ? nil : .array(hugepageLimits.map(\.json)),
            "network": network.json,
            "rdma": rdma.isEmpty ? nil : .object(rdma.map(\.member)),
            "unified": unified.isEmpty ? nil : Annotation.json(unified),
        ])
        return json == .object([]) ? nil : json
    }
}

/// `resources.cpu`.
package struct CPUResources: Sendable, Equatable {
    /// Weight against other cgroups, 2 to 262144 (v1); converted to a weight on v2.
    package var shares: UInt64?
    /// CPU time in each period, in microseconds; negative: no limit.
    package var quota: Int64?
    /// Length of a period, in microseconds.
    package var period: UInt64?
    /// Unused quota that may be saved up, in microseconds.
    package var burst: UInt64?
    /// Lists like `0-3,7`.
    package var cpus: String?
    package var mems: String?
    /// 1: SCHED_IDLE for the whole cgroup.
    package var idle: Int64?
    package var realtimeRuntime: Int64?
    package var realtimePeriod: UInt64?

    package init() {}

    init(_ c: Cursor) throws(Failure) {
        shares = try c.optional("shares") { (c) throws(Failure) in try c.integer() }
        quota = try c.optional("quota") { (c) throws(Failure) in try c.integer() }
        period = try c.optional("period") { (c) throws(Failure) in try c.integer() }
        burst = try c.optional("burst") { (c) throws(Failure) in try c.integer() }
        cpus = try c.optional("cpus") { (c) throws(Failure) in try c.string() }
        mems = try c.optional("mems") { (c) throws(Failure) in try c.string() }
        idle = try c.optional("idle") { (c) throws(Failure) in try c.integer() }
        realtimeRuntime = try c.optional("realtimeRuntime") { (c) throws(Failure) in try c.integer() }
        realtimePeriod = try c.optional("realtimePeriod") { (c) throws(Failure) in try c.integer() }
    }

    var json: JSON? {
        guard self != CPUResources() else { return nil }
        return .object([
            "shares": shares.map(JSON.number), "quota": quota.map(JSON.integer),
            "period": period.map(JSON.number),
            "burst": burst.map(JSON.number),
            "cpus": cpus.map(JSON.string), "mems": mems.map(JSON.string), "idle": idle.map(JSON.integer),
            "realtimeRuntime": realtimeRuntime.map(JSON.integer),
            "realtimePeriod": realtimePeriod.map(JSON.number),
        ])
    }
}

/// `resources.memory`, in bytes; −1: no limit.
package struct MemoryResources: Sendable, Equatable {
    package var limit: Int64?
    package var reservation: Int64?
    /// Memory and swap together.
    package var swap: Int64?
    /// Limits that no kernel of today enforces: kept, and not written.
    package var kernel: Int64?
    package var kernelTCP: Int64?
    package var swappiness: UInt64?
    package var disableOOMKiller: Bool?
    package var useHierarchy: Bool?
    package var checkBeforeUpdate: Bool?

    package init() {}

    package var hasKernelLimits: Bool { kernel != nil || kernelTCP != nil }
    package static let kernelLimitsNote = "Kernel memory settings are ignored and will be removed"

    init(_ c: Cursor) throws(Failure) {
        limit = try c.optional("limit", MemoryResources.bytes)
        reservation = try c.optional("reservation", MemoryResources.bytes)
        swap = try c.optional("swap", MemoryResources.bytes)
        kernel = try c.optional("kernel") { (c) throws(Failure) in try c.integer() }
        kernelTCP = try c.optional("kernelTCP") { (c) throws(Failure) in try c.integer() }
        swappiness = try c.optional("swappiness") { (c) throws(Failure) in try c.integer() }
        disableOOMKiller = try c.optional("disableOOMKiller") { (c) throws(Failure) in try c.bool() }
        useHierarchy = try c.optional("useHierarchy") { (c) throws(Failure) in try c.bool() }
        checkBeforeUpdate = try c.optional("checkBeforeUpdate") { (c) throws(Failure) in try c.bool() }
    }

    private static func bytes(_ c: Cursor) throws(Failure) -> Int64 {
        let bytes: Int64 = try c.integer()
        guard bytes >= -1 else { throw c.failure("\(bytes) is negative; -1 means no limit") }
        return bytes
    }

    var json: JSON? {
        guard self != MemoryResources() else { return nil }
        return .object([
            "limit": limit.map(JSON.integer), "reservation": reservation.map(JSON.integer),
            "swap": swap.map(JSON.integer), "kernel": kernel.map(JSON.integer),
            "kernelTCP": kernelTCP.map(JSON.integer), "swappiness": swappiness.map(JSON.number),
            "disableOOMKiller": disableOOMKiller.map(JSON.bool),
            "useHierarchy": useHierarchy.map(JSON.bool),
            "checkBeforeUpdate": checkBeforeUpdate.map(JSON.bool),
        ])
    }
}

/// One entry of `resources.devices`, applied in order.
package struct DeviceRule: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case all = "a"
        case character = "c"
        case block = "b"
    }
    package var allow: Bool
    package var kind: Kind
    /// `nil`: any.
    package var major: Int64?
    package var minor: Int64?
    /// Of `r` (read), `w` (write), `m` (mknod).
    package var access: String

    package init(
        allow: Bool, kind: Kind = .all, major: Int64? = nil, minor: Int64? = nil, access: String = "rwm"
    ) {
        self.allow = allow
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    init(_ c: Cursor) throws(Failure) {
        allow = try c.required("allow") { (c) throws(Failure) in try c.bool() }
        kind = try c.optional("type") { (c) throws(Failure) in try c.word() } ?? .all
        major = try c.optional("major", DeviceRule.number) ?? nil
        minor = try c.optional("minor", DeviceRule.number) ?? nil
        access =
            try c.optional("access") { (c) throws(Failure) in
                let access = try c.string()
                guard !access.isEmpty, access.allSatisfy({ "rwm".contains($0) }) else {
                    throw c.failure("\"\(access)\" is no combination of r, w and m")
                }
                return access
            } ?? "rwm"
    }

    /// −1 means any, as the peers take it.
    private static func number(_ c: Cursor) throws(Failure) -> Int64? {
        let number: Int64 = try c.integer()
        guard number >= -1, number <= Int64(UInt32.max) else {
            throw c.failure("\(number) is no device number")
        }
        return number == -1 ? nil : number
    }

    var json: JSON {
        .object([
            "allow": .bool(allow), "type": kind == .all ? nil : .string(kind.rawValue),
            "major": major.map(JSON.integer), "minor": minor.map(JSON.integer), "access": .string(access),
        ])
    }
}
