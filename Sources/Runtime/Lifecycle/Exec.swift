internal import CKernel
internal import Cgroups
internal import Glibc
public import Kernel
internal import OCI

/// What `exec` takes beside the container's id; what is not given is as in the container's config.
public struct ExecOptions: Sendable {
    /// What to execute.
    public var arguments: [String]
    /// `NAME=value` entries, added to the config's.
    public var environment: [String] = []
    /// The working directory, absolute.
    public var cwd: String?
    /// Numeric ids; without a group the config's group stays.
    public var user: (uid: UInt32, gid: UInt32?)?
    /// Set no_new_privs even if the config does not.
    public var noNewPrivileges = false
    /// A file with a process object of the specification, which then says all of the process.
    public var processFile: String?
    /// Groups beside those of the config.
    public var additionalGroups: [UInt32] = []
    /// Capabilities beside those of the config, like `CAP_KILL`.
    public var capabilities: [String] = []
    /// The AppArmor profile.
    public var apparmorProfile: String?
    /// The SELinux label.
    public var selinuxLabel: String?
    /// Cgroups below the container's own: `PATH`, or `CONTROLLER[,CONTROLLER]:PATH`.
    public var cgroups: [String] = []
    /// Enter even a paused container; the process then waits until it is resumed.
    public var ignorePaused = false
    /// Where to write the new process' pid.
    public var pidFile: String?
    /// Whether the process gets a terminal.
    public var terminal = false
    /// What the process shares with the caller.
    public var attachments = AttachmentOptions()

    /// Options for a command.
    public init(arguments: [String]) { self.arguments = arguments }
}

extension Containers {
    /// Executes a further process in a running container.
    ///
    /// In the foreground it passes signals on and answers with the exit status (128 + n for signal n).
    ///
    /// - Throws: a failure with exit status 127 (nothing to execute), 126 (it cannot be executed), or 255.
    public func exec(_ id: String, _ options: ExecOptions, detach: Bool) throws(Failure) -> Int32 {
        var options = options
        options.attachments.detaches = detach
        do {
            if detach {
                _ = try enter(id, options)
                return 0
            }
            let forwarder = try SignalForwarder()
            let started = try enter(id, options)
            return try started.attachments.wait(forwarder, for: started.handle, pid: nil).shellStatus
        } catch {
            var failure = error.during("exec failed")
            failure.exitStatus = error.exitStatus ?? 255
            throw failure
        }
    }

    private func enter(_ id: String, _ options: ExecOptions) throws(Failure) -> Started {
        // A container that is just being made, paused or deleted is not one to enter.
        _ = try existingLocked(id)
        let folder = try existing(id)
        let snapshot = try snapshot(of: folder)
        switch snapshot.status {
        case .running, .created: break
        case .paused where options.ignorePaused: break
        case .paused:
            throw .refused("cannot exec in a paused container (use --ignore-paused to override)")
        case .stopped, .creating: throw .refused("cannot exec in a stopped container")
        }
        guard let identity = snapshot.record.process, let initProcess = try identity.open() else {
            throw .refused("cannot exec in a stopped container")
        }
        let spec = try folder.configReader().read()
        let process = try ExecProcess(options, in: spec)
        if let problem = spec.unmapped(process.spec.user).first { throw problem }
        let attachments = try Attachments(options.attachments, for: process.spec)
        let orders = try process.orders(in: spec, filters: SeccompCache(store: store))
        tell(orders.capabilities?.notices ?? [])
        let launch = try Launch(
            id: id, entering: try NamespaceJoins(of: initProcess, pid: identity.pid, spec.linux),
            process: process.spec, cgroups: try snapshot.record.cgroups.below(options.cgroups), orders: orders
        )
        launch.attachments = attachments
        if launch.entrance.usesUser {
            try UserNamespaceMaps(spec.linux, of: identity.pid).giveStandardPipes(to: process.spec.user)
        }
        let beside = options.cgroups.isEmpty ? identity.pid : nil
        let handle = try launch.execute(options, besides: beside, rootless) { () throws(Failure) in
            try SeccompListener(spec, snapshot.record, snapshot.status)
        }
        return Started(handle: handle, identity: nil, attachments: attachments, hooks: nil)
    }
}

extension Launch {
    /// The parent's side of `exec`: the child joins the container's cgroups before it enters anything else.
    ///
    /// On v2 it is born in them; where they only hold others, in the cgroup of the container's init, if that is given.
    fileprivate func execute(
        _ options: ExecOptions, besides initPID: Int32?, _ rootless: Rootless,
        listener: () throws(Failure) -> SeccompListener
    ) throws(Failure) -> ProcessHandle {
        let half = try spawnWithAffinity(besides: initPID)
        closeChildEnd()
        if let score = process.oomScoreAdj {
            try rootless.setOOMScore(score, of: half.pid)
        }
        if entrance.usesUser {
            try UserNamespaceMaps(LinuxSpec(), of: half.pid).raiseLimits(process.rlimits)
        }
        let child = Conversation(socket: parentEnd.raw)
        try child.say(.proceed)
        let pid: Int32?
        do {
            pid = try InitReport.read(from: child, listener: listener) { () throws(Failure) in
                (process.args[0], process)
            }
        } catch {
            throw try InitReport.explained(
                error, CgroupManager(cgroups), "\(error.message) (possibly OOM-killed)")
        }
        let handle: ProcessHandle
        let number: Int32
        if let pid {
            // Our child too, and not reaped by anybody else: its pid means it.
            let opened = Int32(try checked("pidfd_open", sys_pidfd_open(pid, 0)))
            handle = ProcessHandle(adopting: FileDescriptor(adopting: opened))
            number = pid
        } else {
            guard !entersPidNamespace else {
                throw .refused("the container's init did not tell the new process' pid")
            }
            number = half.pid
            handle = half.letGo()
        }
        do throws(Failure) {
            try attachments?.send(pidfd: handle.descriptor.raw, kind: "setns")
            if let file = options.pidFile { try PidFile.write(number, to: file) }
        } catch {
            // Nobody would know of it.
            try handle.signal(SIGKILL)
            _ = try handle.reap()
            throw error
        }
        return handle
    }
}
