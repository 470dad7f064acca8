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
    var attributes: TaskAttributes?
    /// The caller's descriptors for the task, and where the first of them is.
    var preserved: (count: UInt32, first: Int32) = (0, -1)
    var hooks: [HookSpec] = []
    /// What comes before mrun-init's pid, and after it.
    var hookState = ("", "")

    /// The orders for a process of a container; with `stays`, mrun-init stays as the container's init.
    ///
    /// `origin` tells where the process is described; `filters` keeps compiled seccomp filters.
    init(
        for spec: Spec, _ process: ProcessSpec, stays: Bool, newKeyring: Bool,
        origin: ProcessOrigin = .config,
        filters: SeccompCache? = nil
    ) throws(Failure) {
        user = process.user
        rlimits = process.rlimits
        arguments = process.args
        cwd = process.cwd
        if origin == .file || spec.annotation(Meaning.capabilities) != "untouched" {
            capabilities = try CapabilitySets(
                process.capabilities ?? CapabilitySpec(), at: origin.pointer + "/capabilities")
        }
        seccomp = try SeccompCache.program(for: spec.linux, in: filters)
        attributes = try TaskAttributes(process, spec.linux, isFurther: origin != .config)
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
        if let attributes { header.attributes_offset = attributes.append(to: &tail) }
        header.start_fd = startSocket
        header.report_fd = report
        header.record_fd = record
        header.enter_fd = enter
        header.preserved = preserved.count
        header.preserved_fd = preserved.first
        if !hooks.isEmpty {
            header.hook_count = UInt32(hooks.count)
            header.hooks_offset = UInt32(tail.append(hooks.map { $0.orders(&tail) }))
            header.hook_state_offset = tail.append(hookState.0)
            header.hook_rest_offset = tail.append(hookState.1)
        }
        header.size = UInt32(MemoryLayout<orders>.size + tail.bytes.count)
        return withUnsafeBytes(of: &header) { [UInt8]($0) } + tail.bytes
    }
}

/// What follows the header: everything that offsets lead to.
struct Tail {
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

extension HookSpec {
    fileprivate func orders(_ tail: inout Tail) -> orders_hook {
        orders_hook(
            path_offset: tail.append(path), argv_offset: tail.append(table: args),
            envp_offset: tail.append(table: env), timeout: timeout ?? 0, reserved: 0)
    }
}

/// What mrun-init says about its work: fixed frames, see `orders.h`.
struct InitReport {
    /// Reads frames until the end of the stream, at which the task runs.
    ///
    /// What `task` answers is needed for the words of a failure only, and `listener` where the filter has one.
    ///
    /// - Returns: the task's pid where mrun-init has made a process of its own for it.
    /// - Throws: the failure that mrun-init met, in words; or that it died.
    @discardableResult
    static func read(
        from connection: Conversation, hooks: ContainerHooks? = nil,
        listener: () throws(Failure) -> SeccompListener,
        about task: () throws(Failure) -> (executable: String, process: ProcessSpec)
    ) throws(Failure) -> Int32? {
        var released = false
        var pid: Int32?
        var sender: Int32 = 0
        var handover: SeccompHandover?
        while let report = try next(from: connection, &sender, hooks) {
            guard report.error == 0 else {
                let task = try task()
                throw failure(report, executable: task.executable, process: task.process)
            }
            released = released || report.step == UInt32(ORDERS_STEP_RELEASED.rawValue)
            if report.step == UInt32(ORDERS_STEP_ENTERED.rawValue) { pid = Int32(bitPattern: report.detail) }
            guard report.step == UInt32(ORDERS_STEP_LISTENER.rawValue) else { continue }
            if report.detail == 0 {
                handover = try SeccompHandover(try listener(), connection)
            } else {
                try handover?.send(of: sender, report.detail)
                handover = nil
            }
            try connection.say(.proceed)
        }
        if !released {
            throw InitReport.death
        }
        return pid
    }

    /// It died without a word.
    static let death = Failure.refused(
        "the container's init died before the task could start (killed, or out of memory?)")

    /// Reads frames until the end of the stream.
    ///
    /// - Throws: the failure that mrun-init met, in words.
    /// - Returns: whether mrun-init has said that it is held, else it has died; and its pid, where it has made one more
    ///   process for that.
    static func readHeld(
        from connection: Conversation, process: ProcessSpec
    ) throws(Failure) -> (isHeld: Bool, pid: Int32?) {
        var sender: Int32 = 0
        var isHeld = false
        var pid: Int32?
        while let report = try next(from: connection, &sender) {
            if report.error != 0 { throw failure(report, executable: "", process: process) }
            if report.step == UInt32(ORDERS_STEP_HELD.rawValue) { isHeld = true }
            if report.step == UInt32(ORDERS_STEP_ENTERED.rawValue) { pid = Int32(bitPattern: report.detail) }
        }
        return (isHeld, pid)
    }

    private static func next(
        from connection: Conversation, _ sender: inout Int32, _ hooks: ContainerHooks? = nil
    ) throws(Failure) -> orders_report? {
        let frame = try connection.next(from: &sender)
        guard frame.count >= MemoryLayout<orders_report>.size else { return nil }
        let report = frame.withUnsafeBytes { $0.loadUnaligned(as: orders_report.self) }
        if report.step == UInt32(ORDERS_STEP_HOOK.rawValue), let hooks {
            throw hooks.failure(frame, Int(report.detail))
        }
        return report
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
        if let failure = TaskAttributes.failure(report, process: process) { return failure }
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
        (ORDERS_STEP_FORK, "fork the task"), (ORDERS_STEP_HOOK, "run a hook startContainer"),
        (ORDERS_STEP_ENTER, "enter the pid namespace"), (ORDERS_STEP_CONFINE, "confine the init"),
        (ORDERS_STEP_LABEL, "set the security label"),
        (ORDERS_STEP_LISTENER, "hear that the seccomp agent is there"),
    ]
}
