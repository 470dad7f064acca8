internal import CKernel
internal import CSeccomp
internal import Glibc
package import Kernel
package import OCI

/// A seccomp filter, ready for seccomp(2).
package struct SeccompProgram: Sendable, Hashable {
    /// `struct sock_filter[]`, eight bytes each.
    package let instructions: [UInt8]
    /// The flags of seccomp(2).
    package let flags: UInt32

    /// How many instructions there are.
    package var count: Int { instructions.count / 8 }

    /// The kernel's BPF_MAXINSNS.
    private static let limit = 4096

    /// Compiles `spec`, which stands at `pointer` in the config, with libseccomp.
    ///
    /// Names of system calls that libseccomp does not know are skipped, as profiles name calls of every kernel and
    /// architecture. Any other unknown word is an error with its place.
    package init(_ spec: SeccompSpec, at pointer: String = "/linux/seccomp") throws(Failure) {
        flags = try SeccompWords.flags(spec.flags, at: pointer + "/flags")
        let filter = try SeccompFilter(spec, at: pointer)
        try filter.fill(spec, at: pointer)
        instructions = try filter.export()
        guard count <= SeccompProgram.limit else {
            let reason = "the filter has \(count) instructions, the kernel takes \(SeccompProgram.limit)"
            throw Failure(.document(at: pointer, reason))
        }
    }
}

/// A filter of libseccomp while it is being made.
private struct SeccompFilter: ~Copyable {
    private let context: scmp_filter_ctx
    private let defaultAction: UInt32

    /// A filter without rules, for the native architecture.
    init(_ spec: SeccompSpec, at pointer: String) throws(Failure) {
        let action = try SeccompWords.action(
            spec.defaultAction, errnoRet: spec.defaultErrnoRet, at: pointer,
            names: ("defaultAction", "defaultErrnoRet"))
        guard let context = seccomp_init(action) else {
            throw Failure(
                .document(at: pointer + "/defaultAction", "\"\(spec.defaultAction)\": refused by libseccomp"))
        }
        self.context = context
        defaultAction = action
    }

    deinit { seccomp_release(context) }

    /// Adds everything that `spec` says beside the default action.
    borrowing func fill(_ spec: SeccompSpec, at pointer: String) throws(Failure) {
        try addArchitectures(spec.architectures, at: pointer + "/architectures")
        // A tree of comparisons instead of a list: a call costs about 9 comparisons instead of some hundred.
        try checked("seccomp_attr_set", Int(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)))
        for rule in spec.syscalls { try add(rule) }
    }

    private borrowing func addArchitectures(_ names: [String], at pointer: String) throws(Failure) {
        for (index, name) in names.enumerated() {
            let place = "\(pointer)/\(index)"
            guard let token = SeccompWords.architecture(name) else {
                throw Failure(.document(at: place, "\"\(name)\" is no architecture that libseccomp knows"))
            }
            let answer = seccomp_arch_add(context, token)
            guard answer == 0 || answer == -EEXIST else {
                // EDOM: the byte order differs from the native one.
                throw Failure(
                    .document(at: place, "\"\(name)\" does not fit this machine: \(errorText(-answer))"))
            }
        }
    }

    private borrowing func add(_ rule: SeccompSpec.Rule) throws(Failure) {
        let action = try SeccompWords.action(
            rule.action, errnoRet: rule.errnoRet, at: rule.pointer, names: ("action", "errnoRet"))
        var conditions: [scmp_arg_cmp] = []
        for (index, argument) in rule.args.enumerated() {
            guard let operation = SeccompWords.operation(argument.op) else {
                throw Failure(
                    .document(at: "\(rule.pointer)/args/\(index)/op", "\"\(argument.op)\" is no operator"))
            }
            conditions.append(
                scmp_arg_cmp(
                    arg: argument.index, op: operation, datum_a: argument.value, datum_b: argument.valueTwo))
        }
        // libseccomp refuses a rule with the default action: it would change nothing.
        guard action != defaultAction else { return }
        // It takes one condition for an argument; more of them are alternatives, as runc has it.
        let isConjunction = Set(rule.args.map(\.index)).count == rule.args.count
        let alternatives = isConjunction ? [conditions] : conditions.map { [$0] }
        for (index, name) in rule.names.enumerated() {
            let number = seccomp_syscall_resolve_name(name)
            // __NR_SCMP_ERROR; other negative numbers stand for calls that another architecture has.
            if number == -1 { continue }
            for conditions in alternatives {
                let answer = seccomp_rule_add_array(
                    context, action, number, UInt32(conditions.count), conditions)
                guard answer == 0 else {
                    let reason =
                        answer == -EEXIST
                        ? "an earlier rule says otherwise" : "libseccomp: \(errorText(-answer))"
                    throw Failure(.document(at: "\(rule.pointer)/names/\(index)", "\"\(name)\": \(reason)"))
                }
            }
        }
    }

    /// The program, by way of a file: libseccomp writes to a descriptor only.
    borrowing func export() throws(Failure) -> [UInt8] {
        let file = try FileDescriptor.memory(named: "seccomp", executable: false)
        try checked("seccomp_export_bpf", Int(seccomp_export_bpf(context, file.raw)))
        try checked("lseek", sys_lseek(file.raw, 0, SEEK_SET))
        return try file.readAll()
    }
}

/// The words of `linux.seccomp` and what they stand for.
private enum SeccompWords {
    /// SECCOMP_RET_*, without the 16 bits of data.
    private static let actions: KeyValuePairs<StaticString, UInt32> = [
        "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
        "SCMP_ACT_TRAP": 0x0003_0000, "SCMP_ACT_ERRNO": errno, "SCMP_ACT_TRACE": trace,
        "SCMP_ACT_LOG": 0x7ffc_0000, "SCMP_ACT_ALLOW": 0x7fff_0000,
    ]
    private static let errno: UInt32 = 0x0005_0000
    private static let trace: UInt32 = 0x7ff0_0000

    private static let operations: KeyValuePairs<StaticString, scmp_compare> = [
        "SCMP_CMP_NE": SCMP_CMP_NE, "SCMP_CMP_LT": SCMP_CMP_LT, "SCMP_CMP_LE": SCMP_CMP_LE,
        "SCMP_CMP_EQ": SCMP_CMP_EQ, "SCMP_CMP_GE": SCMP_CMP_GE, "SCMP_CMP_GT": SCMP_CMP_GT,
        "SCMP_CMP_MASKED_EQ": SCMP_CMP_MASKED_EQ,
    ]

    private static let filterFlags: KeyValuePairs<StaticString, UInt32> = [
        "SECCOMP_FILTER_FLAG_TSYNC": 1, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    ]

    private static func find<T>(_ word: String, _ table: KeyValuePairs<StaticString, T>) -> T? {
        table.first { "\($0.key)" == word }?.value
    }

    /// An action with its errno; the specification wants an error where the action has no use for one.
    static func action(
        _ word: String, errnoRet: UInt32?, at pointer: String, names: (action: String, errno: String)
    ) throws(Failure) -> UInt32 {
        guard let base = find(word, actions) else {
            let known =
                word == "SCMP_ACT_NOTIFY" ? "is not supported by this version of mrun" : "is no action"
            throw Failure(.document(at: "\(pointer)/\(names.action)", "\"\(word)\" \(known)"))
        }
        guard base == errno || base == trace else {
            guard errnoRet == nil else {
                throw Failure(.document(at: "\(pointer)/\(names.errno)", "\"\(word)\" returns no errno"))
            }
            return base
        }
        let code = errnoRet ?? UInt32(EPERM)
        // The kernel returns at most MAX_ERRNO, and hands a tracer 16 bits.
        let most: UInt32 = base == errno ? 4095 : 0xffff
        guard code <= most else {
            throw Failure(.document(at: "\(pointer)/\(names.errno)", "\(code) is above \(most)"))
        }
        return base | code
    }

    static func operation(_ word: String) -> scmp_compare? { find(word, operations) }

    static func flags(_ words: [String], at pointer: String) throws(Failure) -> UInt32 {
        var flags: UInt32 = 0
        for (index, word) in words.enumerated() {
            guard let flag = find(word, filterFlags) else {
                throw Failure(
                    .document(at: "\(pointer)/\(index)", "\"\(word)\" is no flag that mrun supports"))
            }
            flags |= flag
        }
        return flags
    }

    /// libseccomp's token for a name like `SCMP_ARCH_X86_64`.
    static func architecture(_ word: String) -> UInt32? {
        guard word.hasPrefix("SCMP_ARCH_"), word == word.uppercased() else { return nil }
        let token = seccomp_arch_resolve_name(word.dropFirst("SCMP_ARCH_".count).lowercased())
        return token == 0 ? nil : token
    }
}
