internal import CKernel
internal import Glibc
package import JSON
package import Kernel

extension CgroupManager {
    /// What the container uses: the `data` object of `events --stats`, in the form that runc gives it.
    ///
    /// Holds what the container has cgroups for. CPU times are in nanoseconds, memory in bytes.
    package func statistics() throws(Failure) -> JSON {
        let reader = ControlReader(set: set)
        return switch set.version {
        case .v1: try V1Statistics.json(reader)
        case .v2: try V2Statistics.json(reader)
        }
    }

    /// How many processes the kernel has ended because the container was out of memory.
    ///
    /// `nil` where memory is not among the container's cgroups, or where they are gone.
    package func oomKills() throws(Failure) -> UInt64? {
        let directory = set.version == .v1 ? set.directory(for: "memory") : set.unified
        guard let directory, let open = try CgroupDirectory.open(directory.path) else { return nil }
        if set.version == .v2 { return FlatKeyed(try open.read("memory.events") ?? "")["oom_kill"] }
        return try open.legacyOOMKills()
    }
}

extension CgroupDirectory {
    /// v1 counts where the victim was, so sub-cgroups are added up.
    fileprivate borrowing func legacyOOMKills() throws(Failure) -> UInt64? {
        var kills: UInt64?
        let isAll = try walk(Deadline(milliseconds: 10000)) {
            (cgroup: borrowing CgroupDirectory) throws(Failure) in
            if let here = try cgroup.oomKillsHere() { kills = (kills ?? 0) &+ here }
        }
        if !isAll { throw unseen(path) }
        return kills
    }

    private borrowing func oomKillsHere() throws(Failure) -> UInt64? {
        guard let text = try read("memory.oom_control") else { return nil }
        return FlatKeyed(text)["oom_kill"]
    }
}

/// Where statistics read the control files from; a test gives it texts instead of cgroups.
package struct ControlReader {
    private let set: CgroupSet?
    private let texts: [String: String]

    init(set: CgroupSet) {
        self.set = set
        texts = [:]
    }

    package init(texts: [String: String]) {
        set = nil
        self.texts = texts
    }

    /// The text of a file whose name begins with its controller's; `nil` where there is none.
    func text(_ file: String, controller: String? = nil) throws(Failure) -> String? {
        guard let set else { return texts[file] }
        let name = controller ?? String(file.prefix { $0 != "." })
        let directory = set.version == .v2 ? set.unified : set.directory(for: name)
        guard let directory else { return nil }
        // Some files take longer than one page, or cannot be read where a feature is off.
        do { return try Files.readIfPresent("\(directory.path)/\(file)") } catch {
            if error.errno == ENODEV || error.errno == EOPNOTSUPP { return nil }
            throw error
        }
    }

    /// The one number of a file; `max` is the largest there is.
    func number(_ file: String) throws(Failure) -> UInt64? {
        guard let text = try text(file) else { return nil }
        let word = text.prefix { $0 != "\n" }
        return word == "max" ? UInt64.max : UInt64(word)
    }
}

/// A file of lines `name number`.
struct FlatKeyed {
    let entries: [(name: String, value: UInt64)]

    init(_ text: String) {
        entries = text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let value = UInt64(words[1]) else { return nil }
            return (String(words[0]), value)
        }
    }

    subscript(name: String) -> UInt64? { entries.first { $0.name == name }?.value }

    var json: JSON? {
        entries.isEmpty ? nil : .object(entries.map { JSON.Member($0.name, .number($0.value)) })
    }
}

extension JSON {
    static func number(_ value: UInt64) -> JSON {
        Int64(exactly: value).map(JSON.integer) ?? .unsigned(value)
    }

    /// Left out when zero, as Go's `omitempty` does.
    static func nonZero(_ value: UInt64?) -> JSON? { (value ?? 0) == 0 ? nil : value.map(number) }

    static func nonZero(_ values: [UInt64]) -> JSON? { values.isEmpty ? nil : .array(values.map(number)) }
}

/// The objects that v1 and v2 have in common.
enum StatisticsForm {
    /// `memory.usage` and its likes; `nil` where the kernel does not count it.
    static func memoryEntry(limit: UInt64?, usage: UInt64?, max: UInt64?, failures: UInt64?) -> JSON? {
        guard let usage else { return nil }
        return .object([
            "limit": .number(limit ?? UInt64.max), "usage": .nonZero(usage), "max": .nonZero(max),
            "failcnt": .number(failures ?? 0),
        ])
    }

    static func throttling(periods: UInt64?, throttled: UInt64?, nanoseconds: UInt64?) -> JSON {
        .object([
            "periods": .nonZero(periods), "throttledPeriods": .nonZero(throttled),
            "throttledTime": .nonZero(nanoseconds),
        ])
    }

    static func pids(_ reader: ControlReader) throws(Failure) -> JSON? {
        guard let current = try reader.number("pids.current") else { return nil }
        let limit = try reader.number("pids.max")
        return .object(["current": .nonZero(current), "limit": .nonZero(limit == UInt64.max ? 0 : limit)])
    }

    /// One device's counter, of `blkio`.
    static func blockEntry(_ device: Substring, _ operation: String, _ value: UInt64) -> JSON? {
        let numbers = device.split(separator: ":").compactMap { UInt64($0) }
        guard numbers.count == 2 else { return nil }
        return .object([
            "major": .nonZero(numbers[0]), "minor": .nonZero(numbers[1]), "op": .string(operation),
            "value": .nonZero(value),
        ])
    }
}
