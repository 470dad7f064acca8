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
        return try completed(try manager.statistics(), id)
    }

    /// What no cgroup of the container counts is added up over its processes, as Mesos' posix isolators do.
    private func completed(_ counted: JSON, _ id: String) throws(Failure) -> JSON {
        guard case .object(let members) = counted else { return counted }
        let sections = ["cpu", "memory", "pids"]
        let missing = sections.filter { name in
            guard let section = counted[name] else { return true }
            return section == .object([])
        }
        if missing.isEmpty { return counted }
        let posix = try PosixStatistics(pids: try processes(of: id)).json
        return .object(
            missing.compactMap { name in posix[name].map { JSON.Member(name, $0) } }
                + members.filter { !missing.contains($0.name) })
    }

    /// Whether there is anything under this id.
    public func exists(_ id: String) throws(Failure) -> Bool {
        switch try store.find(id) {
        case .some: true
        case .none: false
        }
    }
}
