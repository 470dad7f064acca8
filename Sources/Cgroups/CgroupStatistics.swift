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
        let directory = isUnified(name) ? set.unified : set.directory(for: name)
        guard let directory else { return nil }
        // Some files take longer than one page, or cannot be read where a feature is off.
        do { return try Files.readIfPresent("\(directory.path)/\(file)") } catch {
            if error.errno == ENODEV || error.errno == EOPNOTSUPP { return nil }
            throw error
        }
    }

    /// Whether a controller is read on cgroup2: on a hybrid host, what v1 has not.
    func isUnified(_ controller: String) -> Bool {
        guard let set else {
            return texts.keys.contains { $0.hasPrefix(controller) && $0.hasSuffix(".current") }
        }
        return set.version == .v2 || set.directory(for: controller) == nil && set.unified != nil
    }

    /// The sizes of huge pages, as control files are called: `2MB`.
    func hugepageSizes() throws(Failure) -> [String] {
        guard let set else {
            return Array(
                Set(texts.keys.filter { $0.hasPrefix("hugetlb.") }.map { $0.split(separator: ".")[1] })
            )
            .map(String.init).sorted()
        }
        if set.directory(for: "hugetlb") == nil && set.unified == nil { return [] }
        return try Files.names(inFolder: "/sys/kernel/mm/hugepages").compactMap(HugepageSize.name).sorted()
    }

    /// The one number of a file; `max` is the largest there is.
    func number(_ file: String, controller: String? = nil) throws(Failure) -> UInt64? {
        guard let text = try text(file, controller: controller) else { return nil }
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

    /// A list like `0-2,4` as a member of single numbers; none where it is empty.
    static func list(_ name: String, _ text: String) -> [JSON.Member] {
        var numbers: [JSON] = []
        for part in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
            let ends = part.split(separator: "-").compactMap { Int64($0) }
            guard let first = ends.first, let last = ends.last, first <= last, last < 1 << 16 else {
                continue
            }
            numbers += (first...last).map(JSON.integer)
        }
        return numbers.isEmpty ? [] : [JSON.Member(name, .array(numbers))]
    }

    /// `hugetlb`: an object for each size of pages.
    static func hugetlb(_ reader: ControlReader) throws(Failure) -> JSON {
        var members: [JSON.Member] = []
        let isUnified = reader.isUnified("hugetlb")
        for size in try reader.hugepageSizes() {
            // Pages that are set aside count where the kernel counts them: they may be limited before they are used.
            for prefix in ["hugetlb.\(size).rsvd", "hugetlb.\(size)"] {
                let usage = try reader.number(
                    prefix + (isUnified ? ".current" : ".usage_in_bytes"), controller: "hugetlb")
                guard let usage else { continue }
                let max = isUnified ? nil : try reader.number("\(prefix).max_usage_in_bytes")
                let failures =
                    isUnified
                    ? FlatKeyed(try reader.text("hugetlb.\(size).events") ?? "")["max"]
                    : try reader.number("\(prefix).failcnt")
                let entry = JSON.object([
                    "usage": .nonZero(usage), "max": .nonZero(max), "failcnt": .number(failures ?? 0),
                ])
                members.append(JSON.Member(size, entry))
                break
            }
        }
        return .object(members)
    }

    /// One device's counter, of `blkio`; some are not told by operation.
    static func blockEntry(_ device: Substring, _ operation: String?, _ value: UInt64) -> JSON? {
        let numbers = device.split(separator: ":").compactMap { UInt64($0) }
        guard numbers.count == 2 else { return nil }
        return .object([
            "major": .nonZero(numbers[0]), "minor": .nonZero(numbers[1]), "op": operation.map(JSON.string),
            "value": .nonZero(value),
        ])
    }
}

/// What the container has no part in, and is in the form all the same.
enum StatisticsRest {
    static func members(_ reader: ControlReader) throws(Failure) -> [JSON.Member] {
        [
            JSON.Member("hugetlb", try StatisticsForm.hugetlb(reader)),
            JSON.Member("intel_rdt", .object([])), JSON.Member("network_interfaces", .null),
        ]
    }
}

/// The sizes of huge pages, by the folders that the kernel has for them.
enum HugepageSize {
    /// `2MB` for `hugepages-2048kB`.
    static func name(_ folder: String) -> String? {
        guard folder.hasPrefix("hugepages-"), folder.hasSuffix("kB"),
            let kibibytes = UInt64(folder.dropFirst("hugepages-".utf8.count).dropLast(2))
        else { return nil }
        if kibibytes >= 1 << 20 { return "\(kibibytes >> 20)GB" }
        return kibibytes >= 1 << 10 ? "\(kibibytes >> 10)MB" : "\(kibibytes)KB"
    }
}
