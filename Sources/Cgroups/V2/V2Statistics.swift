internal import JSON
internal import Kernel

/// Statistics from cgroup2's control files.
enum V2Statistics {
    static func json(_ reader: ControlReader) throws(Failure) -> JSON {
        let counted = JSON.object([
            "cpu": try cpu(reader),
            "cpuset": try cpuset(reader),
            "memory": try memory(reader),
            "pids": try StatisticsForm.pids(reader),
            "blkio": try io(reader),
        ])
        guard case .object(let members) = counted else { return counted }
        return .object(members + (try StatisticsRest.members(reader)))
    }

    /// The switches that only v1 has are 0.
    private static func cpuset(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let cpus = try reader.text("cpuset.cpus.effective") else { return nil }
        let mems = try reader.text("cpuset.mems.effective") ?? ""
        let switches = [
            "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
            "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
        ]
        return .object(
            StatisticsForm.list("cpus", cpus) + [JSON.Member("cpu_exclusive", 0)]
                + StatisticsForm.list("mems", mems) + switches.map { JSON.Member($0, 0) })
    }

    private static func cpu(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let text = try reader.text("cpu.stat") else { return nil }
        let stat = FlatKeyed(text)
        func nanoseconds(_ name: String) -> UInt64? { stat[name].map { $0 &* 1000 } }
        return .object([
            "usage": .object([
                "total": .nonZero(nanoseconds("usage_usec")),
                "kernel": .number(nanoseconds("system_usec") ?? 0),
                "user": .number(nanoseconds("user_usec") ?? 0),
            ]),
            "throttling": StatisticsForm.throttling(
                periods: stat["nr_periods"], throttled: stat["nr_throttled"],
                nanoseconds: nanoseconds("throttled_usec")),
            "psi": try pressure("cpu", reader),
        ])
    }

    private static func memory(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let text = try reader.text("memory.stat"), let usage = try reader.number("memory.current")
        else {
            return nil
        }
        let raw = FlatKeyed(text)
        let limit = try reader.number("memory.max") ?? UInt64.max
        var swap: JSON?
        if let swapUsage = try reader.number("memory.swap.current") {
            // Memory and swap together, as on v1, so that clients need to know one meaning only.
            let swapLimit = try reader.number("memory.swap.max") ?? UInt64.max
            let both = limit.addingReportingOverflow(swapLimit)
            swap = StatisticsForm.memoryEntry(
                limit: both.overflow ? UInt64.max : both.partialValue, usage: usage &+ swapUsage, max: nil,
                failures: 0)
        }
        return .object([
            "cache": .nonZero(raw["file"]),
            "usage": StatisticsForm.memoryEntry(
                limit: limit, usage: usage, max: try reader.number("memory.peak"), failures: 0),
            "swap": swap,
            "kernel": StatisticsForm.memoryEntry(
                limit: nil, usage: raw["kernel"], max: nil, failures: 0),
            "kernelTCP": StatisticsForm.memoryEntry(limit: nil, usage: raw["sock"], max: nil, failures: 0),
            "raw": raw.json,
            "psi": try pressure("memory", reader),
        ])
    }

    private static func io(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let text = try reader.text("io.stat") else { return nil }
        var bytes: [JSON] = []
        var operations: [JSON] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let device = words.first else { continue }
            for word in words.dropFirst() {
                let pair = word.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]),
                    let operation = names[String(pair[0].prefix(1))]
                else { continue }
                let entry = StatisticsForm.blockEntry(device, operation, value)
                if pair[0].hasSuffix("bytes") { bytes += [entry].compactMap(\.self) }
                if pair[0].hasSuffix("ios") { operations += [entry].compactMap(\.self) }
            }
        }
        return .object([
            "ioServiceBytesRecursive": bytes.isEmpty ? nil : .array(bytes),
            "ioServicedRecursive": operations.isEmpty ? nil : .array(operations),
            "psi": try pressure("io", reader),
        ])
    }

    private static let names = ["r": "Read", "w": "Write", "d": "Discard"]

    /// Lines `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same with `full`.
    private static func pressure(_ controller: String, _ reader: ControlReader) throws(Failure) -> JSON? {
        guard let text = try reader.text("\(controller).pressure") else { return nil }
        var members: [JSON.Member] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let name = words.first else { continue }
            let values = words.dropFirst().compactMap { word -> JSON.Member? in
                let pair = word.split(separator: "=")
                guard pair.count == 2 else { return nil }
                if let whole = UInt64(pair[1]) { return JSON.Member(String(pair[0]), .number(whole)) }
                return Double(pair[1]).map { JSON.Member(String(pair[0]), .double($0)) }
            }
            members.append(JSON.Member(String(name), .object(values)))
        }
        return members.isEmpty ? nil : .object(members)
    }
}
