internal import CKernel
internal import CSeccomp
internal import Glibc
internal import Kernel

/// The words of `linux.seccomp` and what they stand for.
enum SeccompWords {
    /// SECCOMP_RET_*, without the 16 bits of data.
    private static let actions: KeyValuePairs<StaticString, UInt32> = [
        "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
        "SCMP_ACT_TRAP": 0x0003_0000, "SCMP_ACT_ERRNO": errno, "SCMP_ACT_TRACE": trace,
        "SCMP_ACT_NOTIFY": notify, "SCMP_ACT_LOG": log, "SCMP_ACT_ALLOW": allow,
    ]
    static let errno: UInt32 = 0x0005_0000
    static let trace: UInt32 = 0x7ff0_0000
    static let notify: UInt32 = 0x7fc0_0000
    static let log: UInt32 = 0x7ffc_0000
    static let allow: UInt32 = 0x7fff_0000

    private static let operations: KeyValuePairs<StaticString, scmp_compare> = [
        "SCMP_CMP_NE": SCMP_CMP_NE, "SCMP_CMP_LT": SCMP_CMP_LT, "SCMP_CMP_LE": SCMP_CMP_LE,
        "SCMP_CMP_EQ": SCMP_CMP_EQ, "SCMP_CMP_GE": SCMP_CMP_GE, "SCMP_CMP_GT": SCMP_CMP_GT,
        "SCMP_CMP_MASKED_EQ": SCMP_CMP_MASKED_EQ,
    ]

    private static let filterFlags: KeyValuePairs<StaticString, UInt32> = [
        "SECCOMP_FILTER_FLAG_TSYNC": tsync, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": waitKillable,
    ]
    private static let tsync: UInt32 = 1
    private static let waitKillable: UInt32 = 32
    /// SECCOMP_FILTER_FLAG_NEW_LISTENER.
    static let newListener: UInt32 = 8
    /// SECCOMP_FILTER_FLAG_TSYNC_ESRCH: with a listener the kernel takes TSYNC in no other way.
    private static let tsyncListening: UInt32 = 16

    private static func find<T>(_ word: String, _ table: KeyValuePairs<StaticString, T>) -> T? {
        table.first { "\($0.key)" == word }?.value
    }

    /// An action with its errno; the specification wants an error where the action has no use for one.
    static func action(
        _ word: String, errnoRet: UInt32?, at pointer: String, names: (action: String, errno: String)
    ) throws(Failure) -> UInt32 {
        guard let base = find(word, actions) else {
            throw Failure(.document(at: "\(pointer)/\(names.action)", "\"\(word)\" is no action"))
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

    /// The flags of seccomp(2); `listens`: some calls are an agent's to decide.
    static func flags(_ words: [String], listens: Bool, at pointer: String) throws(Failure) -> UInt32 {
        var flags: UInt32 = listens ? newListener : 0
        for (index, word) in words.enumerated() {
            guard let flag = find(word, filterFlags) else {
                throw Failure(
                    .document(at: "\(pointer)/\(index)", "\"\(word)\" is no flag that mrun supports"))
            }
            guard flag != waitKillable || listens else {
                throw Failure(
                    .document(at: "\(pointer)/\(index)", "\"\(word)\" is for filters with SCMP_ACT_NOTIFY"))
            }
            guard sys_seccomp_knows(flag == waitKillable ? flag | newListener : flag) else {
                throw Failure(.document(at: "\(pointer)/\(index)", "this kernel knows no \"\(word)\""))
            }
            flags |= flag
            if flag == tsync && listens { flags |= tsyncListening }
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
