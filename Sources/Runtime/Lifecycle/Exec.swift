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
    /// Where to write the new process' pid.
    public var pidFile: String?

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
        do {
            if detach {
                _ = try enter(id, options)
                return 0
            }
            let forwarder = try SignalForwarder()
            let handle = try enter(id, options)
            return try forwarder.wait(for: handle).shellStatus
        } catch {
            var failure = error.during("exec failed")
            failure.exitStatus = error.exitStatus ?? 255
            throw failure
        }
    }

    private func enter(_ id: String, _ options: ExecOptions) throws(Failure) -> ProcessHandle {
        // A container that is just being made, paused or deleted is not one to enter.
        _ = try existingLocked(id)
        let folder = try existing(id)
        let snapshot = try snapshot(of: folder)
        switch snapshot.status {
        case .running, .created: break
        case .paused: throw .refused("cannot exec in a paused container")
        case .stopped, .creating: throw .refused("cannot exec in a stopped container")
        }
        guard let identity = snapshot.record.process, let initProcess = try identity.open() else {
            throw .refused("cannot exec in a stopped container")
        }
        let spec = try folder.configReader().read()
        let process = try Containers.process(of: spec, options)
        if let problem = spec.unmapped(process.user).first { throw problem }
        let orders = try Orders(for: spec, process, stays: false, newKeyring: true)
        let cgroups = snapshot.record.cgroups
        let launch = try Launch(
            id: id, entering: try NamespaceJoins(of: initProcess, pid: identity.pid, spec.linux),
            process: process,
            cgroups: cgroups,
            orders: orders)
        if launch.entrance.usesUser {
            try UserNamespaceMaps(spec.linux, of: identity.pid).giveStandardPipes(to: process.user)
        }
        return try launch.execute(options, rootless)
    }

    private static func process(of spec: Spec, _ options: ExecOptions) throws(Failure) -> ProcessSpec {
        guard var process = spec.process else { throw .refused("the config has no process") }
        guard let first = options.arguments.first, !first.isEmpty else {
            throw .refused("exec args cannot be empty")
        }
        process.args = options.arguments
        for entry in options.environment {
            guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex else {
                throw .refused("invalid environment variable: \"\(entry)\" is not NAME=VALUE")
            }
        }
        process.env += options.environment
        if let cwd = options.cwd {
            guard cwd.hasPrefix("/") else {
                throw .refused("Cwd must be an absolute path, \"\(cwd)\" is not")
            }
            process.cwd = cwd
        }
        if let user = options.user {
            process.user.uid = user.uid
            process.user.gid = user.gid ?? process.user.gid
        }
        process.noNewPrivileges = process.noNewPrivileges || options.noNewPrivileges
        return process
    }
}

extension Launch {
    /// The parent's side of `exec`: the child joins the container's cgroups before it enters anything else.
    fileprivate func execute(_ options: ExecOptions, _ rootless: Rootless) throws(Failure) -> ProcessHandle {
        let manager = CgroupManager(cgroups)
        let half: HalfMade
        if cgroups.version == .v2, let directory = try manager.directoryForSpawn() {
            half = try spawn(intoCgroup: directory.raw)
        } else {
            half = try spawn(intoCgroup: -1)
        }
        closeChildEnd()
        if let score = process.oomScoreAdj {
            try rootless.setOOMScore(score, of: half.pid)
        }
        if entrance.usesUser {
            try UserNamespaceMaps(LinuxSpec(), of: half.pid).raiseLimits(process.rlimits)
        }
        let child = Conversation(socket: parentEnd.raw)
        try child.say(.proceed)
        let pid = try InitReport.read(from: child) { () throws(Failure) in (process.args[0], process) }
        if pid == nil && !entersPidNamespace {
            if let file = options.pidFile { try PidFile.write(half.pid, to: file) }
            return half.letGo()
        }
        guard let pid else { throw .refused("the container's init did not tell the new process' pid") }
        // Our child too, and not reaped by anybody else: its pid means it.
        let handle = ProcessHandle(
            adopting: FileDescriptor(adopting: Int32(try checked("pidfd_open", sys_pidfd_open(pid, 0)))))
        if let file = options.pidFile { try PidFile.write(pid, to: file) }
        return handle
    }
}
