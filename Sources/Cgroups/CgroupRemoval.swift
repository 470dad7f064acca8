internal import CKernel
internal import Glibc
package import Kernel

extension CgroupManager {
    /// Removes the cgroups with all sub-cgroups, deepest first; what is gone already is fine.
    ///
    /// The kernel says `EBUSY` for a moment after the last process has ended: it is asked again, at growing intervals,
    /// for `milliseconds` in all. Processes that are found in cgroups of the container meanwhile are ended. Parents
    /// stay. Cgroups that are another container's by now are left alone.
    package func remove(milliseconds: Int64 = 10000) throws(Failure) {
        if !set.owner.isEmpty, let primary = set.primary, let mark = try Mark.read(primary.path),
            !mark.isEmpty,
            mark != set.owner
        {
            return
        }
        let deadline = Deadline(milliseconds: milliseconds)
        // The one that bears the mark and tells the processes goes last: until then all can be tried again.
        for directory in set.directories.reversed() { try remove(directory.path, deadline) }
    }

    private func remove(_ path: String, _ deadline: Deadline) throws(Failure) {
        var wait: UInt64 = 50
        var removed = 0
        var allAtOnce = true
        while true {
            let answer = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
            if try isRemoved(answer, path) { return }
            guard !deadline.isOver, let directory = try CgroupDirectory.open(path) else {
                throw try busy(path, removed: removed)
            }
            let left = try directory.prune(deadline)
            removed += left.removed
            if left.holdsProcesses, !deadline.isOver, try mayEnd() {
                try killOnce(allAtOnce: allAtOnce, deadline)
                allAtOnce.toggle()
            }
            pause(microseconds: wait)
            wait = min(wait * 2, 10000)
        }
    }

    private func busy(_ path: String, removed: Int) throws(Failure) -> Failure {
        var call = "rmdir"
        if removed > 0 { call += " after \(removed) cgroups in it" }
        let left = try Cgroups.processes(below: path, Deadline(milliseconds: 200)).pids
        if !left.isEmpty { call += " with \(left.count) processes in it (\(left[0]) is one)" }
        return Failure(.kernel(call: call, errno: EBUSY)).during(cgroup(path))
    }
}

/// Whether the answer of rmdir says that the cgroup is gone; false where something is still in it.
private func isRemoved(_ answer: Int, _ path: String) throws(Failure) -> Bool {
    if answer == -Int(EBUSY) || answer == -Int(ENOTEMPTY) { return false }
    if !isMissing(answer) { try checking(path, "rmdir", answer) }
    return true
}

extension CgroupDirectory {
    /// Removes the cgroups below this one that hold no process, and tells what was found.
    ///
    /// - Returns: how many were removed, whether processes were found in others, and whether all was seen before the
    ///   deadline.
    borrowing func prune(
        _ deadline: Deadline
    ) throws(Failure) -> (removed: Int, holdsProcesses: Bool, isSeen: Bool) {
        let path = path
        var removed = 0
        var holdsProcesses = false
        func remove(_ name: RawName, _ parent: Int32) throws(Failure) -> Bool {
            let answer = sys_unlinkat(parent, name, AT_REMOVEDIR)
            guard try isRemoved(answer, path) else { return false }
            if answer >= 0 { removed += 1 }
            return true
        }
        let isSeen = try walk(
            deadline,
            // Most are empty: those need not be entered.
            descend: { (name, parent) throws(Failure) in try !remove(name, parent) },
            leave: { (name, parent) throws(Failure) in _ = try remove(name, parent) },
            visit: { (cgroup: borrowing CgroupDirectory) throws(Failure) in
                if try !cgroup.pids().isEmpty { holdsProcesses = true }
            })
        return (removed, holdsProcesses, isSeen)
    }
}
