internal import Cgroups
internal import Glibc
public import Kernel

extension Containers {
    /// Starts the task of a created container, and waits until it really runs.
    ///
    /// With `notifySocket`, as `NOTIFY_SOCKET` names it, until the task tells that it is ready or ends.
    public func start(_ id: String, notifySocket: String? = nil) throws(Failure) {
        guard let notifySocket else { return try start(id, telling: nil) }
        let notify = try NotifyProxy(to: notifySocket)
        guard let identity = try existing(id).record()?.process, let handle = try identity.open() else {
            return try start(id, telling: nil)
        }
        try start(id, telling: notify)
        try notify.wait(for: handle, pid: identity.pid)
    }

    private func start(_ id: String, telling notify: NotifyProxy?) throws(Failure) {
        var hooks: ContainerHooks?
        var process: ProcessIdentity?
        do throws(Failure) { try release(id, notify, &hooks, &process) } catch {
            if error.isOf(.startContainer) { try giveUp(id, process, after: error) }
            throw error
        }
        // Without the lock: other commands need not wait for these.
        if let hooks { try finishStart(id, hooks, of: process) }
    }

    /// The locked part of `start`.
    private func release(
        _ id: String, _ notify: NotifyProxy?, _ hooks: inout ContainerHooks?,
        _ process: inout ProcessIdentity?
    ) throws(Failure) {
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        switch snapshot.status {
        case .created: break
        case .running: throw .refused("cannot start an already running container")
        case .paused: throw .refused("cannot start a container in the paused state")
        case .stopped: throw .refused("cannot start a container that has stopped")
        case .creating: throw .refused("cannot start a container that is being created")
        }
        process = snapshot.record.process
        if snapshot.record.hooks { hooks = try ContainerHooks(of: snapshot.record, folder) }
        if let notify { _ = try notify.listen(in: folder) }
        let socket = try StartSocket(connecting: folder)
        do {
            try socket.start(folder, snapshot.record, hooks)
        } catch {
            try folder.unlink(ContainerFolder.Name.startSocket)
            throw error
        }
        try folder.unlink(ContainerFolder.Name.startSocket)
    }

    /// Sends `signal` to the container's init, or with `all` to every process.
    public func kill(_ id: String, signal: Int32, all: Bool = false) throws(Failure) {
        let folder = try existing(id)
        let snapshot = try snapshot(of: folder)
        let record = snapshot.record
        let manager = CgroupManager(record.cgroups)
        if snapshot.status == .stopped {
            // Without a pid namespace processes may outlive the init; `--all` is how clients end them.
            if all { return try manager.signalAll(signal) }
            throw .refused("container not running")
        }
        guard let process = record.process else { throw .refused("container not running") }
        // Signals that mrun-init cannot pass on, and a SIGKILL that no pid namespace would spread.
        let hasCgroups = !record.cgroups.isEmpty
        let isStop = signal == SIGSTOP || signal == SIGCONT
        if hasCgroups && (all || signal == SIGKILL && !record.ownPidNamespace || isStop && record.stayingInit)
        {
            try manager.signalAll(signal)
        } else {
            guard let handle = try process.open(), try handle.signal(signal) else {
                throw .refused("container not running")
            }
        }
        // On v1 a frozen process does not even die.
        if signal == SIGKILL && snapshot.status == .paused { try manager.thaw() }
    }

    /// Freezes every process of the container; returns when the kernel says that all stand still.
    public func pause(_ id: String) throws(Failure) {
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        guard snapshot.status == .running || snapshot.status == .created else {
            // Clients look for these words.
            let why = snapshot.status == .paused ? " (it is paused already)" : ""
            throw .refused("container not running\(why)")
        }
        guard !snapshot.record.cgroups.isEmpty else {
            throw .refused("unable to freeze: the container has no cgroups")
        }
        try CgroupManager(snapshot.record.cgroups).freeze()
    }

    /// Lets a paused container go on.
    public func resume(_ id: String) throws(Failure) {
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        guard snapshot.status == .paused else { throw .refused("container not paused") }
        try CgroupManager(snapshot.record.cgroups).thaw()
    }

    /// The pids of all processes in the container, sorted.
    public func processes(of id: String) throws(Failure) -> [Int32] {
        let folder = try existing(id)
        guard let record = try folder.record() else { return [] }
        if record.cgroups.isEmpty { return try processesWithoutCgroups(of: record) }
        return try CgroupManager(record.cgroups).processes()
    }
}
