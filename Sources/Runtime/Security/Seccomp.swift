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
    /// A call that is newer than every one in the profile fails with ENOSYS, where it does not pass, see `SeccompStub`.
    package init(_ spec: SeccompSpec, at pointer: String = "/linux/seccomp") throws(Failure) {
        let listens = try SeccompProgram.listens(spec, at: pointer)
        flags = try SeccompWords.flags(spec.flags, listens: listens, at: pointer + "/flags")
        let filter = try SeccompFilter(spec, at: pointer)
        try filter.fill(spec, at: pointer)
        instructions = filter.stub(spec) + (try filter.export())
        guard count <= SeccompProgram.limit else {
            let reason = "the filter has \(count) instructions, the kernel takes \(SeccompProgram.limit)"
            throw Failure(.document(at: pointer, reason))
        }
    }

    /// One that was compiled before.
    init(instructions: [UInt8], flags: UInt32) {
        self.instructions = instructions
        self.flags = flags
    }

    /// Whether loading it makes a descriptor on which an agent hears of calls and decides them.
    var listens: Bool { flags & SeccompWords.newListener != 0 }

    /// Whether a call is an agent's to decide; and if so, whether there can be one.
    private static func listens(_ spec: SeccompSpec, at pointer: String) throws(Failure) -> Bool {
        let notify = "SCMP_ACT_NOTIFY"
        if spec.defaultAction == notify {
            throw Failure(
                .document(at: pointer + "/defaultAction", "\(notify) cannot be used as default action"))
        }
        var listens = false
        for rule in spec.syscalls where rule.action == notify {
            // By write(2) the agent gets to know of the descriptor; runc has the same rule.
            if let index = rule.names.firstIndex(of: "write") {
                let reason = "\(notify) cannot be used for the write syscall"
                throw Failure(.document(at: "\(rule.pointer)/names/\(index)", reason))
            }
            guard spec.listenerPath != nil else {
                throw Failure(
                    .document(
                        at: rule.pointer + "/action", "\(notify) needs an agent: \"listenerPath\" is missing")
                )
            }
            listens = true
        }
        return listens
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
        // A tree of comparisons instead of a list: a call costs about 9 comparisons instead of some hundred. Up to
        // 2.5.4 the tree of no rules at all is a wrong one.
        if spec.syscalls.contains(where: { $0.names.count > 8 }) || spec.syscalls.count > 8 {
            try checked("seccomp_attr_set", Int(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)))
        }
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

    /// What comes in front of the program.
    borrowing func stub(_ spec: SeccompSpec) -> [UInt8] {
        let passing = [SeccompWords.allow, SeccompWords.log]
        // A tracer may want to bring about a new call itself.
        let isTrace = defaultAction & 0xffff_0000 == SeccompWords.trace
        if passing.contains(defaultAction) || isTrace { return [] }
        let enosys = SeccompWords.errno | UInt32(ENOSYS)
        return defaultAction == enosys ? [] : SeccompStub(spec, answer: enosys).instructions
    }

    /// The program, by way of a file: libseccomp writes to a descriptor only.
    borrowing func export() throws(Failure) -> [UInt8] {
        let file = try FileDescriptor.memory(named: "seccomp", executable: false)
        try checked("seccomp_export_bpf", Int(seccomp_export_bpf(context, file.raw)))
        try checked("lseek", sys_lseek(file.raw, 0, SEEK_SET))
        return try file.readAll()
    }
}
