/// Which field of the config a control file comes from: for messages.
enum LimitPointer {
    static let resources = "/linux/resources"

    /// The JSON pointer for a file that a controller writes.
    static func of(_ file: String) -> String {
        if let field = fields.first(where: { $0.file == file })?.field { return "\(resources)/\(field)" }
        if file.hasPrefix("hugetlb.") { return "\(resources)/hugepageLimits" }
        if file.hasPrefix("devices.") { return "\(resources)/devices" }
        return of(controller: String(file.prefix { $0 != "." }))
    }

    /// The JSON pointer for what a controller limits.
    static func of(controller: String) -> String {
        let field =
            switch controller {
            case "cpuset": "cpu"
            case "blkio", "io": "blockIO"
            case "hugetlb": "hugepageLimits"
            case "net_cls": "network/classID"
            case "net_prio": "network/priorities"
            default: controller
            }
        return "\(resources)/\(field)"
    }

    private static let fields: [(file: String, field: String)] = [
        ("cpu.shares", "cpu/shares"), ("cpu.weight", "cpu/shares"), ("cpu.idle", "cpu/idle"),
        ("cpu.cfs_quota_us", "cpu/quota"), ("cpu.cfs_period_us", "cpu/period"), ("cpu.max", "cpu/quota"),
        ("cpu.cfs_burst_us", "cpu/burst"), ("cpu.max.burst", "cpu/burst"),
        ("cpu.rt_period_us", "cpu/realtimePeriod"), ("cpu.rt_runtime_us", "cpu/realtimeRuntime"),
        ("cpuset.cpus", "cpu/cpus"), ("cpuset.mems", "cpu/mems"),
        ("memory.limit_in_bytes", "memory/limit"), ("memory.max", "memory/limit"),
        ("memory.memsw.limit_in_bytes", "memory/swap"), ("memory.swap.max", "memory/swap"),
        ("memory.soft_limit_in_bytes", "memory/reservation"), ("memory.low", "memory/reservation"),
        ("memory.swappiness", "memory/swappiness"), ("memory.oom_control", "memory/disableOOMKiller"),
        ("memory.use_hierarchy", "memory/useHierarchy"), ("pids.max", "pids/limit"),
        ("blkio.weight", "blockIO/weight"), ("blkio.bfq.weight", "blockIO/weight"),
        ("blkio.leaf_weight", "blockIO/leafWeight"), ("blkio.leaf_weight_device", "blockIO/weightDevice"),
        ("blkio.weight_device", "blockIO/weightDevice"),
        ("blkio.bfq.weight_device", "blockIO/weightDevice"),
        ("blkio.throttle.read_bps_device", "blockIO/throttleReadBpsDevice"),
        ("blkio.throttle.write_bps_device", "blockIO/throttleWriteBpsDevice"),
        ("blkio.throttle.read_iops_device", "blockIO/throttleReadIOPSDevice"),
        ("blkio.throttle.write_iops_device", "blockIO/throttleWriteIOPSDevice"),
        ("io.bfq.weight", "blockIO/weight"), ("io.weight", "blockIO/weight"),
    ]
}
