internal import CKernel
internal import Glibc
internal import JSON
internal import Kernel

/// Statistics from v1's control files.
enum V1Statistics {
    static func json(_ reader: ControlReader) throws(Failure) -> JSON {
        let counted = JSON.object([
            "cpu": try cpu(reader),
            "cpuset": try cpuset(reader),
            "memory": try memory(reader),
            "pids": try StatisticsForm.pids(reader),
            "blkio": try blkio(reader),
        ])
        guard case .object(let members) = counted else { return counted }
        return .object(members + (try StatisticsRest.members(reader)))
    }

    private static func cpuset(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let cpus = try reader.text("cpuset.cpus") else { return nil }
        var members: [JSON.Member] = []
        func add(_ name: String) throws(Failure) {
            let text = try reader.text("cpuset.\(name)") ?? "0"
            members.append(JSON.Member(name, .integer(Int64(text.prefix { $0 != "\n" }) ?? 0)))
        }
        members += StatisticsForm.list("cpus", cpus)
        try add("cpu_exclusive")
        members += StatisticsForm.list("mems", try reader.text("cpuset.mems") ?? "")
        for name in [
            "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
            "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
        ] { try add(name) }
        return .object(members)
    }

    private static func cpu(_ reader: ControlReader) throws(Failure) -> JSON? {
        let total = try reader.number("cpuacct.usage")
        let schedule = try reader.text("cpu.stat").map(FlatKeyed.init)
        if total == nil && schedule == nil { return nil }
        let times = FlatKeyed(try reader.text("cpuacct.stat") ?? "")
        let tick = 1_000_000_000 / UInt64(max(1, sys_sysconf(Int32(_SC_CLK_TCK))))
        let each = try perProcessor(reader)
        return .object([
            "usage": .object([
                "total": .nonZero(total),
                "percpu": .nonZero(each.total), "percpu_kernel": .nonZero(each.system),
                "percpu_user": .nonZero(each.user),
                "kernel": .number((times["system"] ?? 0) &* tick),
                "user": .number((times["user"] ?? 0) &* tick),
            ]),
            "throttling": StatisticsForm.throttling(
                periods: schedule?["nr_periods"], throttled: schedule?["nr_throttled"],
                nanoseconds: schedule?["throttled_time"]),
        ])
    }

    private struct PerProcessor {
        var total: [UInt64] = []
        var user: [UInt64] = []
        var system: [UInt64] = []
    }

    /// `cpuacct.usage_all`: a heading, then a line `processor user system` for each.
    private static func perProcessor(_ reader: ControlReader) throws(Failure) -> PerProcessor {
        var each = PerProcessor()
        each.total = (try reader.text("cpuacct.usage_percpu") ?? "").split(whereSeparator: {
            $0 == " " || $0 == "\n"
        })
        .compactMap { UInt64($0) }
        for line in (try reader.text("cpuacct.usage_all") ?? "").split(separator: "\n").dropFirst() {
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count == 3 else { continue }
            each.user.append(numbers[1])
            each.system.append(numbers[2])
        }
        return each
    }

    private static func memory(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let text = try reader.text("memory.stat") else { return nil }
        let raw = FlatKeyed(text)
        return .object([
            "cache": .nonZero(raw["cache"]),
            "usage": try entry("memory", reader),
            "swap": try entry("memory.memsw", reader),
            "kernel": try entry("memory.kmem", reader),
            "kernelTCP": try entry("memory.kmem.tcp", reader),
            "raw": raw.json,
        ])
    }

    private static func entry(_ prefix: String, _ reader: ControlReader) throws(Failure) -> JSON? {
        StatisticsForm.memoryEntry(
            limit: try reader.number("\(prefix).limit_in_bytes"),
            usage: try reader.number("\(prefix).usage_in_bytes"),
            max: try reader.number("\(prefix).max_usage_in_bytes"),
            failures: try reader.number("\(prefix).failcnt"))
    }

    private static func blkio(_ reader: ControlReader) throws(Failure) -> JSON? {
        let names = [
            ("ioServiceBytesRecursive", "io_service_bytes"), ("ioServicedRecursive", "io_serviced"),
            ("ioQueueRecursive", "io_queued"), ("ioServiceTimeRecursive", "io_service_time"),
            ("ioWaitTimeRecursive", "io_wait_time"), ("ioMergedRecursive", "io_merged"),
            ("ioTimeRecursive", "time"), ("sectorsRecursive", "sectors"),
        ]
        var members: [JSON.Member] = []
        var isCounted = false
        for (name, file) in names {
            // A disk is counted by its scheduler, or by what limits it.
            for prefix in ["blkio.bfq.", "blkio.", "blkio.throttle."] {
                guard let text = try reader.text("\(prefix)\(file)_recursive") else { continue }
                isCounted = true
                guard let list = list(text) else { continue }
                members.append(JSON.Member(name, list))
                break
            }
        }
        return isCounted ? .object(members) : nil
    }

    /// Lines `major:minor operation value`, or without the operation, and one `Total value`.
    private static func list(_ text: String) -> JSON? {
        let entries: [JSON] = text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2 || words.count == 3, let value = UInt64(words[words.count - 1]) else {
                return nil
            }
            return StatisticsForm.blockEntry(words[0], words.count == 3 ? String(words[1]) : nil, value)
        }
        return entries.isEmpty ? nil : .array(entries)
    }
}
