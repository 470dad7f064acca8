package import JSON
package import Kernel

/// `process`: what runs in the container, and as whom.
package struct ProcessSpec: Sendable, Equatable {
    package var args: [String]
    package var env: [String] = []
    package var cwd: String
    package var user = UserSpec()
    package var capabilities: CapabilitySpec?
    package var rlimits: [RlimitSpec] = []
    package var noNewPrivileges = false
    /// −1000 to 1000; `nil` leaves what mrun has.
    package var oomScoreAdj: Int?
    package var scheduler: SchedulerSpec?
    package var ioPriority: IOPrioritySpec?
    /// Of processes that `exec` makes.
    package var execCPUAffinity: CPUAffinitySpec?
    /// The AppArmor profile of the task; never empty.
    package var apparmorProfile: String?
    /// The SELinux label of the task; never empty.
    package var selinuxLabel: String?
    package var terminal = false
    package var consoleSize: ConsoleSize?

    package init(args: [String], cwd: String) {
        self.args = args
        self.cwd = cwd
    }

    package init(_ c: Cursor) throws(Failure) {
        args = try c.list("args") { (c) throws(Failure) in try c.string() }
        env = try c.list("env") { (c) throws(Failure) in try c.string() }
        cwd = try c.required("cwd") { (c) throws(Failure) in try c.string() }
        user = try c.optional("user", UserSpec.init) ?? UserSpec()
        capabilities = try c.optional("capabilities", CapabilitySpec.init)
        rlimits = try c.list("rlimits", RlimitSpec.init)
        noNewPrivileges = try c.optional("noNewPrivileges") { (c) throws(Failure) in try c.bool() } ?? false
        oomScoreAdj = try c.optional("oomScoreAdj") { (c) throws(Failure) in try c.integer() }
        terminal = try c.optional("terminal") { (c) throws(Failure) in try c.bool() } ?? false
        if let member = try c.member("consoleSize") { consoleSize = try ConsoleSize(member) }
        if let member = try c.member("scheduler") { scheduler = try SchedulerSpec(member) }
        if let member = try c.member("ioPriority") { ioPriority = try IOPrioritySpec(member) }
        if let member = try c.member("execCPUAffinity") { execCPUAffinity = try CPUAffinitySpec(member) }
        // Engines write an empty one where there is none.
        if let member = try c.member("apparmorProfile"), member.value != "" {
            apparmorProfile = try member.string()
        }
        if let member = try c.member("selinuxLabel"), member.value != "" {
            selinuxLabel = try member.string()
        }
    }

    package var json: JSON {
        .object([
            "terminal": .bool(terminal),
            "consoleSize": consoleSize?.json,
            "user": user.json,
            "args": .array(args.map(JSON.string)),
            "env": env.isEmpty ? nil : .array(env.map(JSON.string)),
            "cwd": .string(cwd),
            "capabilities": capabilities?.json,
            "rlimits": rlimits.isEmpty ? nil : .array(rlimits.map(\.json)),
            "noNewPrivileges": noNewPrivileges ? true : nil,
            "oomScoreAdj": oomScoreAdj.map { .integer(Int64($0)) },
            "scheduler": scheduler?.json,
            "ioPriority": ioPriority?.json,
            "execCPUAffinity": execCPUAffinity?.json,
            "apparmorProfile": apparmorProfile.map(JSON.string),
            "selinuxLabel": selinuxLabel.map(JSON.string),
        ])
    }
}

/// `process.user`, in numbers.
package struct UserSpec: Sendable, Hashable {
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// `nil`: 022.
    package var umask: UInt32?
    package var additionalGids: [UInt32] = []

    package init(uid: UInt32 = 0, gid: UInt32 = 0, additionalGids: [UInt32] = []) {
        self.uid = uid
        self.gid = gid
        self.additionalGids = additionalGids
    }

    init(_ c: Cursor) throws(Failure) {
        uid = try c.optional("uid", UserSpec.id) ?? 0
        gid = try c.optional("gid", UserSpec.id) ?? 0
        umask = try c.optional("umask") { (c) throws(Failure) in
            let mask: UInt32 = try c.integer()
            guard mask <= 0o777 else { throw c.failure("a umask is at most 0777") }
            return mask
        }
        additionalGids = try c.list("additionalGids", UserSpec.id)
    }

    /// 2³²−1 means "leave as it is" to the kernel, so nobody can be it.
    private static func id(_ c: Cursor) throws(Failure) -> UInt32 {
        let id: UInt32 = try c.integer()
        guard id != UInt32.max else { throw c.failure("4294967295 is no id") }
        return id
    }

    var json: JSON {
        .object([
            "uid": .integer(Int64(uid)), "gid": .integer(Int64(gid)),
            "umask": umask.map { .integer(Int64($0)) },
            "additionalGids": additionalGids.isEmpty
                ? nil : .array(additionalGids.map { .integer(Int64($0)) }),
        ])
    }
}

/// `process.capabilities`: five sets of names like `CAP_KILL`.
package struct CapabilitySpec: Sendable, Hashable {
    package var bounding: [String] = []
    package var effective: [String] = []
    package var permitted: [String] = []
    package var inheritable: [String] = []
    package var ambient: [String] = []

    package init() {}

    init(_ c: Cursor) throws(Failure) {
        bounding = try c.list("bounding") { (c) throws(Failure) in try c.string() }
        effective = try c.list("effective") { (c) throws(Failure) in try c.string() }
        permitted = try c.list("permitted") { (c) throws(Failure) in try c.string() }
        inheritable = try c.list("inheritable") { (c) throws(Failure) in try c.string() }
        ambient = try c.list("ambient") { (c) throws(Failure) in try c.string() }
    }

    var json: JSON {
        func names(_ set: [String]) -> JSON? { set.isEmpty ? nil : .array(set.map(JSON.string)) }
        return .object([
            "bounding": names(bounding), "effective": names(effective), "permitted": names(permitted),
            "inheritable": names(inheritable), "ambient": names(ambient),
        ])
    }
}

/// One entry of `process.rlimits`.
package struct RlimitSpec: Sendable, Hashable {
    /// Like `RLIMIT_NOFILE`.
    package var type: String
    package var soft: UInt64
    package var hard: UInt64

    package init(type: String, soft: UInt64, hard: UInt64) {
        self.type = type
        self.soft = soft
        self.hard = hard
    }

    init(_ c: Cursor) throws(Failure) {
        type = try c.required("type") { (c) throws(Failure) in try c.string() }
        soft = try c.required("soft") { (c) throws(Failure) in try c.integer() }
        hard = try c.required("hard") { (c) throws(Failure) in try c.integer() }
        guard RlimitSpec.numbers.contains(where: { $0.0 == type }) else {
            throw Failure(.document(at: c.pointer + "/type", "\"\(type)\" is no resource limit"))
        }
        guard soft <= hard else { throw c.failure("soft (\(soft)) is above hard (\(hard))") }
    }

    /// The kernel's number of this limit (uapi/asm-generic/resource.h).
    package var number: UInt32? { RlimitSpec.numbers.first { $0.0 == type }?.1 }

    private static let numbers: KeyValuePairs<String, UInt32> = [
        "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4,
        "RLIMIT_RSS": 5,
        "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
        "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14,
        "RLIMIT_RTTIME": 15,
    ]

    var json: JSON {
        .object(["type": .string(type), "hard": .number(hard), "soft": .number(soft)])
    }
}
