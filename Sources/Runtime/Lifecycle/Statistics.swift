internal import Cgroups
internal import Glibc
public import JSON
public import Kernel

extension Containers {
    /// What the container uses: the `data` object of `events --stats`.
    public func statistics(of id: String) throws(Failure) -> JSON {
        let folder = try existing(id)
        let snapshot = try snapshot(of: folder)
        guard snapshot.status != .stopped && snapshot.status != .creating else {
            throw .refused("container with id \(id) is not running")
        }
        let manager = CgroupManager(snapshot.record.cgroups)
        _ = manager; throw .refused("pending")
    }

    /// How often the kernel killed for want of memory in the container.
    public func oomKills(of id: String) throws(Failure) -> UInt64 {
        let folder = try existing(id)
        guard let record = try folder.record() else { return 0 }
        return try CgroupManager(record.cgroups).oomKills() ?? 0
    }

    /// Whether a container has ended, after waiting for that at most `milliseconds`.
    public func hasEnded(_ id: String, within milliseconds: Int32) throws(Failure) -> Bool {
        guard let folder = try store.find(id), let record = try folder.record(),
            let handle = try record.process?.open()
        else { return true }
        return try handle.waitForEnd(milliseconds: milliseconds)
    }

    /// Whether there is anything under this id.
    public func exists(_ id: String) throws(Failure) -> Bool {
        switch try store.find(id) {
        case .some: true
        case .none: false
        }
    }
}
