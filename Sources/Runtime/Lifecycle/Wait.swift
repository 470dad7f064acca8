internal import Cgroups
internal import Glibc
public import Kernel

extension Containers {
    /// Waits until the container has ended, and tells how; it needs no surviving parent.
    public func wait(_ id: String) throws(Failure) -> Ending {
        let folder = try existing(id)
        guard let record = try folder.record(), record.phase == .created else {
            throw .refused("container \"\(id)\" is still being created")
        }
        var seen: WaitStatus?
        if try record.bootID == Record.currentBootID(), let handle = try record.process?.open() {
            while try !handle.waitForEnd() {}
            if !record.stayingInit { seen = try Containers.kernelStatus(handle) }
        }
        return try ending(of: record, in: folder, seen: seen)
    }

    /// What the kernel remembers.
    ///
    /// It does so once the process is reaped, which is its parent's business.
    private static func kernelStatus(_ handle: borrowing ProcessHandle) throws(Failure) -> WaitStatus? {
        let deadline = Deadline(milliseconds: 5000)
        var status = try handle.exitStatus()
        while status == nil && !deadline.isOver {
            Kernel.pause(microseconds: 1000)
            status = try handle.exitStatus()
        }
        return status
    }

    /// How a container that has stopped has ended.
    func ending(
        of record: Record, in folder: borrowing ContainerFolder, seen: WaitStatus? = nil
    ) throws(Failure) -> Ending {
        let exit = try folder.exitRecord()
        let oom = try CgroupManager(record.cgroups).oomKills().map { $0 > 0 }
        let source: Ending.Source
        let status: WaitStatus?
        if let recorded = exit?.status {
            (source, status) = (.record, recorded)
        } else if record.stayingInit && record.process != nil {
            (source, status) = (.killed, WaitStatus(raw: SIGKILL))
        } else if let seen {
            (source, status) = (.kernel, seen)
        } else {
            (source, status) = (.unknown, nil)
        }
        return Ending(
            id: record.id, source: source, status: status, oomKilled: oom, started: exit?.started,
            finished: exit?.finished)
    }
}
