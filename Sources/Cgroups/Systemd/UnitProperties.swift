internal import Glibc
internal import Kernel
internal import OCI

/// The limits of a container as properties of its unit.
///
/// mrun writes the same into the control files; systemd must know of them all the same, for it writes what it knows
/// whenever it comes to do so. What systemd has no property for, mrun alone writes, and systemd leaves alone.
enum UnitProperties {
    /// The properties for `resources`.
    static func limits(_ resources: ResourceSpec, version: CgroupLayout.Version) throws(Failure)
        -> [BusProperty]
    {
        switch version {
        case .v1: legacy(resources)
        case .v2: try unified(resources)
        }
    }

    private static func legacy(_ resources: ResourceSpec) -> [BusProperty] {
        var properties: [BusProperty] = []
        if let limit = resources.memory.limit, limit != 0 { properties.append(bytes("MemoryLimit", limit)) }
        if let shares = resources.cpu.shares, shares != 0 {
            properties.append(BusProperty("CPUShares", .uint64(min(max(shares, 2), 262144))))
        }
        properties += quota(resources.cpu)
        if let tasks = tasks(resources.pidsLimit) { properties.append(tasks) }
        if let weight = resources.blockIO.weight {
            properties.append(BusProperty("BlockIOWeight", .uint64(UInt64(weight))))
        }
        return properties + devices(resources.devices)
    }

    private static func unified(_ resources: ResourceSpec) throws(Failure) -> [BusProperty] {
        var properties: [BusProperty] = []
        let memory = resources.memory
        if let limit = memory.limit, limit != 0 { properties.append(bytes("MemoryMax", limit)) }
        if let low = memory.reservation, low != 0 { properties.append(bytes("MemoryLow", low)) }
        if let swap = memory.swap, swap != 0 {
            properties.append(bytes("MemorySwapMax", swap < 0 ? -1 : swap - max(memory.limit ?? 0, 0)))
        }
        if let shares = resources.cpu.shares, shares != 0, resources.cpu.idle != 1 {
            properties.append(BusProperty("CPUWeight", .uint64(V2.CPU.weight(shares: shares))))
        }
        properties += quota(resources.cpu)
        if let tasks = tasks(resources.pidsLimit) { properties.append(tasks) }
        if let cpus = resources.cpu.cpus, !cpus.isEmpty { properties.append(try mask("AllowedCPUs", cpus)) }
        if let mems = resources.cpu.mems, !mems.isEmpty {
            properties.append(try mask("AllowedMemoryNodes", mems))
        }
        if let weight = resources.blockIO.weight {
            properties.append(BusProperty("IOWeight", .uint64(V2.IO.converted(weight))))
        }
        // Later assignments win, with systemd as with the control files.
        for file in resources.unified { properties += try unified(file.name, file.value) }
        return properties + devices(resources.devices)
    }

    /// The property behind a control file; none where systemd has none.
    private static func unified(_ file: String, _ text: String) throws(Failure) -> [BusProperty] {
        let value = text.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" }).map(String.init)
        guard let first = value.first else { return [] }
        func bytes(_ name: String) -> [BusProperty] {
            if first == "max" { return [UnitProperties.bytes(name, -1)] }
            // What the kernel reads in another way (a suffix), it alone gets to see.
            return Int64(first).map { [UnitProperties.bytes(name, $0)] } ?? []
        }
        func weight(_ name: String) -> [BusProperty] {
            UInt64(value[value.count - 1]).map { [BusProperty(name, .uint64($0))] } ?? []
        }
        switch file {
        case "memory.min": return bytes("MemoryMin")
        case "memory.low": return bytes("MemoryLow")
        case "memory.high": return bytes("MemoryHigh")
        case "memory.max": return bytes("MemoryMax")
        case "memory.swap.max": return bytes("MemorySwapMax")
        case "pids.max": return bytes("TasksMax")
        case "cpu.weight": return weight("CPUWeight")
        case "io.weight": return value.count == 1 || first == "default" ? weight("IOWeight") : []
        case "cpuset.cpus": return [try mask("AllowedCPUs", text)]
        case "cpuset.mems": return [try mask("AllowedMemoryNodes", text)]
        case "cpu.max":
            var cpu = CPUResources()
            cpu.quota = first == "max" ? -1 : Int64(first)
            cpu.period = value.count > 1 ? UInt64(value[1]) : nil
            return quota(cpu)
        default: return []
        }
    }

    private static func bytes(_ name: String, _ number: Int64) -> BusProperty {
        BusProperty(name, .uint64(number < 0 ? UInt64.max : UInt64(number)))
    }

    private static func tasks(_ limit: Int64?) -> BusProperty? {
        // systemd takes no 0; nobody can be started with 1 either, for the first process is there already.
        limit.map { bytes("TasksMax", $0 == 0 ? 1 : $0) }
    }

    /// CPU time in a second; systemd keeps it as percents, and would round down what is none.
    private static func quota(_ cpu: CPUResources) -> [BusProperty] {
        var properties: [BusProperty] = []
        guard let quota = cpu.quota, quota != 0 else { return [] }
        let period = cpu.period.flatMap { $0 == 0 ? nil : $0 } ?? 100_000
        // Units before systemd 242 have no such property; it is only set where it is needed.
        if period != 100_000 { properties.append(BusProperty("CPUQuotaPeriodUSec", .uint64(period))) }
        var time = UInt64.max
        if quota > 0 {
            let (high, low) = UInt64(quota).multipliedFullWidth(by: 1_000_000)
            if high < period { time = period.dividingFullWidth((high, low)).quotient }
            let percent: UInt64 = 10_000
            let rounded = (time / percent + (time % percent == 0 ? 0 : 1)).multipliedReportingOverflow(
                by: percent)
            time = rounded.overflow ? UInt64.max : max(rounded.partialValue, percent)
        }
        properties.append(BusProperty("CPUQuotaPerSecUSec", .uint64(time)))
        return properties
    }

    /// A list like `0-3,7` as bits, the lowest byte first.
    private static func mask(_ name: String, _ list: String) throws(Failure) -> BusProperty {
        var bits: [UInt8] = []
        for part in list.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\n" }) {
            let ends = part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
                Int($0)
            }
            // The kernel counts to some thousands.
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, first <= last,
                last < 65536
            else { throw .refused("\"\(list)\" is no list of numbers and ranges") }
            while bits.count <= last / 8 { bits.append(0) }
            for number in first...last { bits[number / 8] |= 1 << UInt8(number % 8) }
        }
        return BusProperty(name, .bytes(bits))
    }
}

extension UnitProperties {
    /// The device rules, as far as systemd can say them: it knows what is allowed, and no exceptions from that.
    ///
    /// An exception is mrun's alone to make; systemd's own list then allows a little more than is meant. On cgroup2 a
    /// device must pass both.
    static func devices(_ rules: [DeviceRule]) -> [BusProperty] {
        let rules = DeviceRules.effective(rules)
        guard let first = rules.first else { return [] }
        var properties: [BusProperty] = []
        // All is allowed to begin with: then systemd shall not interfere.
        let isOpen = first.isEverything && first.allow
        properties.append(BusProperty("DevicePolicy", .string(isOpen ? "auto" : "strict")))
        var list: [BusValue] = []
        if !isOpen {
            for rule in rules where rule.allow {
                for name in names(rule) {
                    list.append(.structure([.string(name), .string(rule.access)]))
                }
            }
        }
        // An empty list takes back what has been set before.
        properties.append(BusProperty("DeviceAllow", .array(of: "(ss)", [])))
        if !list.isEmpty { properties.append(BusProperty("DeviceAllow", .array(of: "(ss)", list))) }
        return properties
    }

    /// What systemd calls the devices of a rule.
    private static func names(_ rule: DeviceRule) -> [String] {
        switch rule.kind {
        case .all: return ["char-*", "block-*"]
        case .character: return names(rule, folder: "char")
        case .block: return names(rule, folder: "block")
        }
    }

    private static func names(_ rule: DeviceRule, folder: String) -> [String] {
        guard let major = rule.major else { return ["\(folder)-*"] }
        if let minor = rule.minor { return ["/dev/\(folder)/\(major):\(minor)"] }
        // Groups of devices go by the names of /proc/devices, or by their number.
        return ["\(folder)-\(major)"]
    }
}
