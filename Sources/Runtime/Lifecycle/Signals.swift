internal import Cgroups
internal import Glibc
public import Kernel

extension Containers {
    /// Starts the task of a created container, and waits until it really runs.
    public func start(_ id: String) throws(Failure) {
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        switch snapshot.status {
        case .created: break
        case .running: throw .refused("cannot start an already running container")
        case .paused: throw .refused("cannot start a container in the paused state")
        case .stopped: throw .refused("cannot start a container that has stopped")
        case .creating: throw .refused("cannot start a container that is being created")
        }
        let socket = try StartSocket(connecting: folder)
        do {
            try socket.start(folder)
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
        let isStop = signal == SIGSTOP || signal == SIGCONT
        let hasCgroups = !record.cgroups.directories.isEmpty
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
            let why = snapshot.status == .paused ? "container paused already" : "container not running"
            throw .refused(why)
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
        if record.cgroups.directories.isEmpty { return try processesWithoutCgroups(of: record) }
        return try CgroupManager(record.cgroups).processes()
    }
}
