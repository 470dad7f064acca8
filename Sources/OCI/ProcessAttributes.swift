internal import JSON
internal import Kernel

/// `process.scheduler`: by which rules the kernel gives the task processor time.
package struct SchedulerSpec: Sendable, Hashable {
    /// Like `SCHED_BATCH`.
    package var policy: String
    /// −20 to 19, for `SCHED_OTHER` and `SCHED_BATCH`.
    package var nice: Int32 = 0
    /// 1 to 99, for `SCHED_FIFO` and `SCHED_RR`.
    package var priority: UInt32 = 0
    /// Like `SCHED_FLAG_RESET_ON_FORK`.
    package var flags: [String] = []
    /// In nanoseconds, for `SCHED_DEADLINE`.
    package var runtime: UInt64 = 0
    package var deadline: UInt64 = 0
    package var period: UInt64 = 0

    package init(policy: String) { self.policy = policy }

    init(_ c: Cursor) throws(Failure) {
        policy = try c.known("policy", in: SchedulerSpec.policies, "scheduler policy")
        nice = try c.optional("nice") { (c) throws(Failure) in try c.integer() } ?? 0
        let wanted: Int32 = try c.optional("priority") { (c) throws(Failure) in try c.integer() } ?? 0
        flags = try c.knownList("flags", in: SchedulerSpec.flagBits, "flag of the scheduler")
        runtime = try c.optional("runtime") { (c) throws(Failure) in try c.integer() } ?? 0
        deadline = try c.optional("deadline") { (c) throws(Failure) in try c.integer() } ?? 0
        period = try c.optional("period") { (c) throws(Failure) in try c.integer() } ?? 0
        priority = UInt32(clamping: wanted)
        try check(c, priority: wanted)
    }

    private func check(_ c: Cursor, priority: Int32) throws(Failure) {
        func refuse(_ name: String, _ reason: String) throws(Failure) {
            throw Failure(.document(at: c.pointer + "/" + name, reason))
        }
        let isFair = policy == "SCHED_OTHER" || policy == "SCHED_BATCH"
        let isRealTime = policy == "SCHED_FIFO" || policy == "SCHED_RR"
        let isDeadline = policy == "SCHED_DEADLINE"
        if nice != 0 && !isFair { try refuse("nice", "it is for SCHED_OTHER and SCHED_BATCH only") }
        if !(-20...19).contains(nice) { try refuse("nice", "\(nice) is outside -20 to 19") }
        if priority != 0 && !isRealTime {
            try refuse("priority", "it is for SCHED_FIFO and SCHED_RR only")
        }
        if isRealTime && !(1...99).contains(priority) {
            try refuse("priority", "\(priority) is outside 1 to 99")
        }
        for (name, value) in [("runtime", runtime), ("deadline", deadline), ("period", period)]
        where value != 0 && !isDeadline { try refuse(name, "it is for SCHED_DEADLINE only") }
        guard isDeadline else { return }
        if runtime == 0 { try refuse("runtime", "SCHED_DEADLINE needs it") }
        if deadline < runtime { try refuse("deadline", "it is shorter than the runtime") }
        if period != 0 && period < deadline { try refuse("period", "it is shorter than the deadline") }
    }

    /// The kernel's number of the policy.
    package var number: UInt32 { UInt32(truncatingIfNeeded: SchedulerSpec.policies.value(of: policy) ?? 0) }
    /// The flags of sched_setattr(2).
    package var flagSet: UInt64 { SchedulerSpec.flagBits.union(of: flags) }

    /// `SCHED_ISO` has a number and no kernel.
    private static let policies = Words([
        ("SCHED_OTHER", 0), ("SCHED_FIFO", 1), ("SCHED_RR", 2), ("SCHED_BATCH", 3), ("SCHED_IDLE", 5),
        ("SCHED_DEADLINE", 6),
    ])
    private static let flagBits = Words([
        ("SCHED_FLAG_RESET_ON_FORK", 0x01), ("SCHED_FLAG_RECLAIM", 0x02), ("SCHED_FLAG_DL_OVERRUN", 0x04),
        ("SCHED_FLAG_KEEP_POLICY", 0x08), ("SCHED_FLAG_KEEP_PARAMS", 0x10),
        ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20), ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
    ])

    var json: JSON {
        .object([
            "policy": .string(policy), "nice": nice == 0 ? nil : .integer(Int64(nice)),
            "priority": priority == 0 ? nil : .integer(Int64(priority)),
            "flags": flags.isEmpty ? nil : .array(flags.map(JSON.string)),
            "runtime": runtime == 0 ? nil : .number(runtime),
            "deadline": deadline == 0 ? nil : .number(deadline),
            "period": period == 0 ? nil : .number(period),
        ])
    }
}

/// `process.ioPriority`.
package struct IOPrioritySpec: Sendable, Hashable {
    /// Like `IOPRIO_CLASS_BE`.
    package var `class`: String
    /// 0, the highest, to 7.
    package var priority: UInt32

    package init(class: String, priority: UInt32) {
        self.class = `class`
        self.priority = priority
    }

    init(_ c: Cursor) throws(Failure) {
        `class` = try c.known("class", in: IOPrioritySpec.classes, "class of I/O priorities")
        priority =
            try c.optional("priority") { (c) throws(Failure) in
                let level: Int64 = try c.integer()
                guard (0...7).contains(level) else { throw c.failure("\(level) is outside 0 to 7") }
                return UInt32(level)
            } ?? 0
    }

    /// As ioprio_set(2) takes it.
    package var number: UInt32 {
        UInt32(truncatingIfNeeded: IOPrioritySpec.classes.value(of: `class`) ?? 0) << 13 | priority
    }

    private static let classes = Words([
        ("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3),
    ])

    var json: JSON { .object(["class": .string(`class`), "priority": .integer(Int64(priority))]) }
}

/// `process.execCPUAffinity`: where `exec` runs before and after it has entered the cgroup.
package struct CPUAffinitySpec: Sendable, Hashable {
    package var initial: NumberSet?
    package var final: NumberSet?

    init(_ c: Cursor) throws(Failure) {
        initial = try CPUAffinitySpec.processors(c, "initial")
        final = try CPUAffinitySpec.processors(c, "final")
    }

    private static func processors(_ c: Cursor, _ name: String) throws(Failure) -> NumberSet? {
        guard let member = try c.member(name), member.value != .string("") else { return nil }
        return try NumberSet(member, limit: 8192)
    }

    var json: JSON {
        .object(["initial": initial.map { .string($0.text) }, "final": final.map { .string($0.text) }])
    }
}

/// `linux.memoryPolicy`: from which NUMA nodes the task's memory comes.
package struct MemoryPolicySpec: Sendable, Hashable {
    /// Like `MPOL_BIND`.
    package var mode: String
    package var nodes: NumberSet?
    /// Like `MPOL_F_STATIC_NODES`.
    package var flags: [String] = []

    init(_ c: Cursor) throws(Failure) {
        mode = try c.known("mode", in: MemoryPolicySpec.modes, "memory policy")
        flags = try c.knownList("flags", in: MemoryPolicySpec.flagBits, "flag of a memory policy")
        if let member = try c.member("nodes"), member.value != .string("") {
            nodes = try NumberSet(member, limit: 1024)
        }
        let isNodeless = mode == "MPOL_DEFAULT" || mode == "MPOL_LOCAL"
        if isNodeless && nodes != nil {
            throw Failure(.document(at: c.pointer + "/nodes", "\(mode) has no nodes"))
        }
        if !isNodeless && nodes == nil && mode != "MPOL_PREFERRED" {
            throw Failure(.document(at: c.pointer + "/nodes", "\(mode) needs nodes"))
        }
    }

    /// Mode and flags as set_mempolicy(2) takes them.
    package var number: UInt32 {
        UInt32(truncatingIfNeeded: MemoryPolicySpec.modes.value(of: mode) ?? 0)
            | UInt32(truncatingIfNeeded: MemoryPolicySpec.flagBits.union(of: flags))
    }

    private static let modes = Words([
        ("MPOL_DEFAULT", 0), ("MPOL_PREFERRED", 1), ("MPOL_BIND", 2), ("MPOL_INTERLEAVE", 3),
        ("MPOL_LOCAL", 4), ("MPOL_PREFERRED_MANY", 5), ("MPOL_WEIGHTED_INTERLEAVE", 6),
    ])
    private static let flagBits = Words([
        ("MPOL_F_STATIC_NODES", 1 << 15), ("MPOL_F_RELATIVE_NODES", 1 << 14),
        ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ])

    var json: JSON {
        .object([
            "mode": .string(mode), "nodes": nodes.map { .string($0.text) },
            "flags": flags.isEmpty ? nil : .array(flags.map(JSON.string)),
        ])
    }
}

/// `linux.personality`: what system the task believes to run on.
package struct PersonalitySpec: Sendable, Hashable {
    /// `LINUX` or `LINUX32`.
    package var domain: String

    package init(domain: String) { self.domain = domain }

    init(_ c: Cursor) throws(Failure) {
        domain = try c.known("domain", in: PersonalitySpec.domains, "personality")
        // The specification has a place for flags, and no flag.
        try refuse(c, "flags", "flags of the personality")
    }

    /// The argument of personality(2).
    package var number: UInt32 {
        UInt32(truncatingIfNeeded: PersonalitySpec.domains.value(of: domain) ?? 0)
    }

    private static let domains = Words([("LINUX", 0), ("LINUX32", 8)])

    var json: JSON { .object(["domain": .string(domain)]) }
}

/// A set of small numbers, written as the kernel writes lists of processors and nodes: `0-3,7`.
package struct NumberSet: Sendable, Hashable {
    /// As it was written.
    package let text: String
    /// Bit n of all words in a row is number n.
    package let words: [UInt64]

    /// Numbers below `limit`.
    init(_ c: Cursor, limit: Int) throws(Failure) {
        text = try c.string()
        var words: [UInt64] = []
        for range in text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let ends = range.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            guard let first = ends.first.flatMap(NumberSet.number),
                let last = ends.last.flatMap(NumberSet.number),
                ends.count <= 2, first <= last
            else { throw c.failure("\"\(text)\" is no list like 0-3,7") }
            guard last < limit else { throw c.failure("\(last) is above \(limit - 1)") }
            for number in first...last {
                while words.count <= number / 64 { words.append(0) }
                words[number / 64] |= 1 << UInt64(number % 64)
            }
        }
        self.words = words
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.count < 6, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return nil
        }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}

/// The words of one field, with the kernel's numbers.
private struct Words: Sendable {
    private let all: [(String, UInt64)]

    init(_ all: [(String, UInt64)]) { self.all = all }

    func value(of word: String) -> UInt64? {
        for entry in all where entry.0 == word { return entry.1 }
        return nil
    }

    func union(of words: [String]) -> UInt64 {
        var bits: UInt64 = 0
        for word in words { bits |= value(of: word) ?? 0 }
        return bits
    }
}

extension Cursor {
    /// The member `name`, which must be one of a few words.
    fileprivate func known(_ name: String, in words: Words, _ what: String) throws(Failure) -> String {
        guard let member = try member(name) else { throw failure("\"\(name)\" is missing") }
        return try member.known(in: words, what)
    }

    fileprivate func knownList(_ name: String, in words: Words, _ what: String) throws(Failure) -> [String] {
        try list(name) { (c) throws(Failure) in try c.known(in: words, what) }
    }

    private func known(in words: Words, _ what: String) throws(Failure) -> String {
        let text = try string()
        guard words.value(of: text) != nil else { throw failure("\"\(text)\" is no \(what)") }
        return text
    }
}
