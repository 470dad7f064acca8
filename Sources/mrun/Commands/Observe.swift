internal import CommandLine
internal import Glibc
internal import JSON
internal import Kernel
internal import Runtime

/// The command `mrun state`.
enum StateCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let snapshot = try invocation.containers.snapshot(of: try invocation.containerID())
        try Output.write(snapshot.json(owner: "").text(indent: 2) + "\n")
        return 0
    }
}

/// The command `mrun wait`.
enum WaitCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let ending = try invocation.containers.wait(try invocation.containerID())
        try Output.write(ending.json.text() + "\n")
        return 0
    }
}

/// The command `mrun stats`.
enum StatsCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let statistics = try invocation.containers.statistics(of: try invocation.containerID())
        try Output.write(statistics.text(indent: 2) + "\n")
        return 0
    }
}

/// The command `mrun events`.
enum EventsCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        let containers = invocation.containers
        let interval = try Interval(invocation.arguments.value("interval") ?? "5s")
        if invocation.arguments.flag("stats") {
            try write("stats", id, try containers.statistics(of: id))
            return 0
        }
        try containers.events(of: id, every: interval.nanoseconds) { (event) throws(Failure) in
            switch event {
            case .statistics(let data): try write("stats", id, data)
            case .outOfMemory: try write("oom", id, nil)
            }
        }
        return 0
    }

    private static func write(_ type: String, _ id: String, _ data: JSON?) throws(Failure) {
        let event = JSON.object(["type": .string(type), "id": .string(id), "data": data])
        try Output.write(event.text() + "\n")
    }
}

/// The command `mrun list`.
enum ListCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let containers = invocation.containers
        let format = invocation.arguments.value("format") ?? "table"
        guard format == "table" || format == "json" else {
            throw .refused("invalid format option: \"\(format)\"")
        }
        if invocation.settings.isRootGiven, try FileStatus.of(invocation.settings.root) == nil {
            throw Failure(.kernel(call: "open \"\(invocation.settings.root)\"", errno: ENOENT))
        }
        let ids = try containers.ids()
        if invocation.arguments.flag("quiet") {
            try Output.write(ids.map { $0 + "\n" }.joined())
            return 0
        }
        var snapshots: [Snapshot] = []
        for id in ids {
            do throws(Failure) {
                snapshots.append(try containers.snapshot(of: id))
            } catch {
                // One damaged container must not hide the others; one deleted meanwhile is no news.
                guard try containers.exists(id) else { continue }
                invocation.log.write(.warning, "list: \(error.message)")
            }
        }
        let names = try Owners()
        if format == "json" {
            let list = JSON.array(snapshots.map { $0.json(owner: names.name(of: $0.owner)) })
            try Output.write((snapshots.isEmpty ? "null" : list.text()) + "\n")
        } else {
            try Output.write(table(snapshots, names))
        }
        return 0
    }

    /// Columns at least 12 wide, with three blanks in between.
    private static func table(_ snapshots: [Snapshot], _ names: Owners) -> String {
        let rows =
            [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]]
            + snapshots.map { snapshot in
                let row = snapshot.row
                return [row.id, row.pid, row.status, row.bundle, row.created, names.name(of: row.owner)]
            }
        let widths = (0..<5).map { column in max(12, (rows.map { $0[column].count }.max() ?? 0) + 3) }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return cells.joined() + row[5] + "\n"
        }.joined()
    }
}

/// The names of users, from the host's passwd file.
struct Owners {
    private let lines: [Substring]

    init() throws(Failure) {
        lines = try (Files.readIfPresent("/etc/passwd") ?? "").split(separator: "\n")
    }

    /// The name of `uid`; its number where it has none.
    func name(of uid: UInt32) -> String {
        for line in lines {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, UInt32(fields[2]) == uid { return String(fields[0]) }
        }
        return String(uid)
    }
}
