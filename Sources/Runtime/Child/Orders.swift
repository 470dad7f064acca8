internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// What mrun-init is told: the flat block of `orders.h`.
struct Orders {
    var flags: UInt32 = 0
    var user = UserSpec()
    var capabilities: CapabilitySets?
    var rlimits: [RlimitSpec] = []
    var seccomp: SeccompProgram?
    var executable = ""
    var arguments: [String] = []
    var environment: [String] = []
    var cwd = "/"
    var startSocket: Int32 = -1
    var report: Int32 = -1
    var record: Int32 = -1
    var enter: Int32 = -1

    /// The orders for a process of a container; with `stays`, mrun-init stays as the container's init.
    init(for spec: Spec, _ process: ProcessSpec, stays: Bool, newKeyring: Bool) throws(Failure) {
        user = process.user
        rlimits = process.rlimits
        arguments = process.args
        cwd = process.cwd
        if spec.annotation(Meaning.capabilities) != "untouched" {
            capabilities = try CapabilitySets(process.capabilities ?? CapabilitySpec())
        }
        if let filter = spec.linux.seccomp { seccomp = try SeccompProgram(filter) }
        var given = [ORDERS_SETGROUPS]
        if stays { given.append(ORDERS_STAY) }
        if stays && !spec.linux.ownsPidNamespace { given.append(ORDERS_SUBREAPER) }
        if process.noNewPrivileges { given.append(ORDERS_NO_NEW_PRIVS) }
        if newKeyring { given.append(ORDERS_SESSION_KEYRING) }
        flags = given.reduce(0) { $0 | UInt32($1.rawValue) }
    }

    /// The block, ready to be put into a memory file.
    func block() -> [UInt8] {
        var header = orders()
        var tail = Tail(base: MemoryLayout<orders>.size)
        header.magic = UInt32(ORDERS_MAGIC)
        header.umask = user.umask ?? 0o022
        header.uid = user.uid
        header.gid = user.gid
        header.group_count = UInt32(user.additionalGids.count)
        header.groups_offset = UInt32(tail.append(user.additionalGids))
        header.rlimit_count = UInt32(rlimits.count)
        header.rlimits_offset = UInt32(
            tail.append(
                rlimits.map {
                    orders_rlimit(resource: $0.number ?? 0, reserved: 0, soft: $0.soft, hard: $0.hard)
                }))
        header.flags = flags
        if let capabilities {
            header.flags |= UInt32(ORDERS_CAPABILITIES.rawValue)
            header.bounding = capabilities.bounding
            header.effective = capabilities.effective
            header.permitted = capabilities.permitted
            header.inheritable = capabilities.inheritable
            header.ambient = capabilities.ambient
        }
        if let seccomp {
            header.flags |= UInt32(ORDERS_SECCOMP.rawValue)
            header.seccomp_count = UInt32(seccomp.instructions.count / 8)
            header.seccomp_offset = UInt32(tail.append(seccomp.instructions))
            header.seccomp_flags = seccomp.flags
        }
        header.executable_offset = tail.append(executable)
        header.cwd_offset = tail.append(cwd)
        header.argv_offset = tail.append(table: arguments)
        header.envp_offset = tail.append(table: environment)
        header.start_fd = startSocket
        header.report_fd = report
        header.record_fd = record
        header.enter_fd = enter
        header.size = UInt32(MemoryLayout<orders>.size + tail.bytes.count)
        return withUnsafeBytes(of: &header) { [UInt8]($0) } + tail.bytes
    }
}

/// What follows the header: everything that offsets lead to.
private struct Tail {
    /// Offset of the first byte.
    let base: Int
    var bytes: [UInt8] = []

    /// Appends plain values, aligned to eight bytes; answers their offset.
    mutating func append<T: BitwiseCopyable>(_ values: [T]) -> UInt64 {
        align()
        let offset = UInt64(base + bytes.count)
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return offset
    }

    mutating func append(_ text: String) -> UInt64 {
        let offset = UInt64(base + bytes.count)
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
        return offset
    }

    /// Appends strings, then the table of their offsets with a zero at the end.
    mutating func append(table strings: [String]) -> UInt64 {
        var offsets: [UInt64] = []
        for string in strings { offsets.append(append(string)) }
        return append(offsets + [0])
    }

    private mutating func align() {
        while bytes.count % 8 != 0 { bytes.append(0) }
    }
}

/// What mrun-init says about its work: fixed frames, see `orders.h`.
struct InitReport {
    /// Reads frames until the end of the stream, at which the task runs.
    ///
    /// What `task` answers is needed for the words of a failure only.
    ///
    /// - Returns: the task's pid where mrun-init has made a process of its own for it.
    /// - Throws: the failure that mrun-init met, in words; or that it died.
    @discardableResult
    static func read(
        from connection: Conversation,
        about task: () throws(Failure) -> (executable: String, process: ProcessSpec)
    ) throws(Failure) -> Int32? {
        var released = false
        var pid: Int32?
        while let report = try next(from: connection) {
            guard report.error == 0 else {
                let task = try task()
                throw failure(report, executable: task.executable, process: task.process)
            }
            released = released || report.step == UInt32(ORDERS_STEP_RELEASED.rawValue)
            if report.step == UInt32(ORDERS_STEP_ENTERED.rawValue) { pid = Int32(bitPattern: report.detail) }
        }
        if !released {
            throw .refused(
                "the container's init died before the task could start (killed, or out of memory?)")
        }
        return pid
    }

    /// Reads frames until the end of the stream, at which mrun-init is held, or has died.
    ///
    /// - Returns: the pid of the one that is held, where mrun-init has made one more process.
    @discardableResult
    static func readHeld(
        from connection: Conversation, process: ProcessSpec
    ) throws(Failure) -> Int32? {
        var pid: Int32?
        while let report = try next(from: connection) {
            if report.error != 0 { throw failure(report, executable: "", process: process) }
            if report.step == UInt32(ORDERS_STEP_ENTERED.rawValue) { pid = Int32(bitPattern: report.detail) }
        }
        return pid
    }

    private static func next(from connection: Conversation) throws(Failure) -> orders_report? {
        let frame = try connection.next()
        guard frame.count >= MemoryLayout<orders_report>.size else { return nil }
        return frame.withUnsafeBytes { $0.loadUnaligned(as: orders_report.self) }
    }

    private static func failure(
        _ report: orders_report, executable: String, process: ProcessSpec
    ) -> Failure {
        let errno = Int32(bitPattern: report.error)
        let step = orders_step(report.step)
        if step == ORDERS_STEP_EXEC { return ExecutableLookup.failure(of: executable, errno: errno) }
        if step == ORDERS_STEP_CWD {
            return Failure(
                .kernel(call: "chdir to cwd (\"\(process.cwd)\") set in config.json", errno: errno))
        }
        // The kernel says EINVAL of an id that a user namespace does not map.
        if errno == EINVAL && step == ORDERS_STEP_SETUID {
            return .refused("cannot setuid to unmapped uid \(process.user.uid) in user namespace")
        }
        if errno == EINVAL && step == ORDERS_STEP_SETGID {
            return .refused("cannot setgid to unmapped gid \(process.user.gid) in user namespace")
        }
        if step == ORDERS_STEP_RLIMIT, process.rlimits.indices.contains(Int(report.detail)) {
            let limit = process.rlimits[Int(report.detail)]
            return Failure(.kernel(call: "set \(limit.type) to \(limit.soft):\(limit.hard)", errno: errno))
        }
        let words = InitReport.words.first { $0.0 == step }?.1 ?? "init step \(report.step)"
        let detail = step == ORDERS_STEP_BOUNDING || step == ORDERS_STEP_AMBIENT ? " \(report.detail)" : ""
        return Failure(.kernel(call: words + detail, errno: errno))
    }

    private static let words: [(orders_step, String)] = [
        (ORDERS_STEP_ORDERS, "read the orders"), (ORDERS_STEP_KEYRING, "join a new session keyring"),
        (ORDERS_STEP_SESSION, "setsid"), (ORDERS_STEP_BOUNDING, "drop capability"),
        (ORDERS_STEP_KEEPCAPS, "keep capabilities"), (ORDERS_STEP_SETGROUPS, "setgroups"),
        (ORDERS_STEP_SETGID, "setgid"), (ORDERS_STEP_SETUID, "setuid"),
        (ORDERS_STEP_CAPSET, "set the capabilities"), (ORDERS_STEP_AMBIENT, "raise ambient capability"),
        (ORDERS_STEP_NO_NEW_PRIVS, "set no_new_privs"), (ORDERS_STEP_SECCOMP, "load the seccomp filter"),
        (ORDERS_STEP_FORK, "fork the task"),
        (ORDERS_STEP_ENTER, "enter the pid namespace"), (ORDERS_STEP_CONFINE, "confine the init"),
    ]
}
