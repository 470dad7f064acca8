internal import CSeccomp
internal import OCI

/// What stands in front of a filter that refuses calls: those that are newer than the profile get ENOSYS.
///
/// A profile that lists what is allowed cannot name calls that came later. A libc that finds one missing (ENOSYS) has
/// another way; one that is told EPERM gives up. Newer is what has a greater number than all calls that the profile
/// names, for each architecture: since numbers grow with time nearly everywhere, this is what can be known.
struct SeccompStub {
    /// `struct sock_filter[]`; falls through to what follows.
    private(set) var instructions: [UInt8] = []
    /// Where the jumps to the filter stand, whose length is known at the end.
    private var exits: [Int] = []

    /// One architecture of the profile: libseccomp's token, and the greatest number of a call that is named.
    private struct Limit {
        let token: UInt32
        let last: UInt32
    }

    init(_ spec: SeccompSpec, answer: UInt32) {
        let limits = SeccompStub.limits(spec)
        let (x8664, x32) = (seccomp_arch_resolve_name("x86_64"), seccomp_arch_resolve_name("x32"))
        let second = limits.first { $0.token == x32 }
        for limit in limits where limit.token != x32 {
            if instructions.isEmpty { load(Offset.architecture) }
            let isShared = limit.token == x8664
            // To behind this section: 4 for a limit, and what x86-64 has more.
            let length: UInt8 = isShared ? (second == nil ? 6 : 8) : 4
            append(Code.equal, limit.token, ifFalse: length)
            load(Offset.number)
            // x32 has the same AUDIT_ARCH, and a bit of its own in every number. Where the profile does not speak of
            // it, its calls are the filter's to refuse.
            if isShared { append(Code.atLeast, SeccompStub.x32Bit, ifTrue: 3) }
            check(limit, answer)
            guard isShared else { continue }
            if let second { check(second, answer) } else { pass() }
        }
        for place in exits { set(UInt32(instructions.count / 8 - place - 1), at: place) }
    }

    private static let x32Bit: UInt32 = 0x4000_0000

    private enum Code {
        static let load: UInt16 = 0x20  // BPF_LD | BPF_W | BPF_ABS
        static let jump: UInt16 = 0x05  // BPF_JMP | BPF_JA
        static let equal: UInt16 = 0x15  // BPF_JMP | BPF_JEQ | BPF_K
        static let greater: UInt16 = 0x25  // BPF_JMP | BPF_JGT | BPF_K
        static let atLeast: UInt16 = 0x35  // BPF_JMP | BPF_JGE | BPF_K
        static let answer: UInt16 = 0x06  // BPF_RET | BPF_K
    }

    /// Into `struct seccomp_data`.
    private enum Offset {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
    }

    private static func limits(_ spec: SeccompSpec) -> [Limit] {
        // The native one is in every filter of libseccomp.
        var tokens = [seccomp_arch_native()]
        for word in spec.architectures {
            guard let token = SeccompWords.architecture(word), !tokens.contains(token) else { continue }
            tokens.append(token)
        }
        return tokens.compactMap { token in
            // Negative: unknown, or not a call of this architecture.
            var last: Int32 = -1
            for rule in spec.syscalls {
                for name in rule.names { last = max(last, seccomp_syscall_resolve_name_arch(token, name)) }
            }
            return last < 0 ? nil : Limit(token: token, last: UInt32(last))
        }
    }

    /// Three instructions: the answer for greater numbers, the filter for others.
    private mutating func check(_ limit: Limit, _ answer: UInt32) {
        append(Code.greater, limit.last, ifFalse: 1)
        append(Code.answer, answer)
        pass()
    }

    private mutating func pass() {
        exits.append(instructions.count / 8)
        append(Code.jump, 0)
    }

    private mutating func load(_ offset: UInt32) { append(Code.load, offset) }

    private mutating func append(_ code: UInt16, _ k: UInt32, ifTrue: UInt8 = 0, ifFalse: UInt8 = 0) {
        withUnsafeBytes(of: code) { instructions.append(contentsOf: $0) }
        instructions.append(ifTrue)
        instructions.append(ifFalse)
        withUnsafeBytes(of: k) { instructions.append(contentsOf: $0) }
    }

    private mutating func set(_ k: UInt32, at place: Int) {
        withUnsafeBytes(of: k) { instructions.replaceSubrange(place * 8 + 4..<place * 8 + 8, with: $0) }
    }
}
