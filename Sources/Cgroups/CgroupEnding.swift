internal import CKernel
internal import Glibc
package import Kernel

extension CgroupManager {
    /// Sends `signal` to every process of the container, sub-cgroups included.
    ///
    /// They are frozen meanwhile, so that none can fork away from it, and no pid can come to mean another process. A
    /// paused container stays paused, but for SIGKILL, which ends it.
    package func signalAll(_ signal: Int32) throws(Failure) {
        guard try mayEnd() else { return }
        if signal == SIGKILL {
            try killOnce(allAtOnce: true)
            return
        }
        let wasFrozen = try isFrozen()
        if !wasFrozen, freezer != nil { try freezeIfPossible() }
        do { try send(signal) } catch {
            if !wasFrozen { try thaw() }
            throw error
        }
        if !wasFrozen { try thaw() }
    }

    /// Ends every process of the container, sub-cgroups included, and returns when none is left.
    ///
    /// - Throws: a refusal that tells how many are left when the deadline is over.
    package func killAll(_ deadline: Deadline) throws(Failure) {
        if try processes().isEmpty { return }
        guard try mayEnd() else { return }
        var allAtOnce = true
        while true {
            try killOnce(allAtOnce: allAtOnce)
            // On a hybrid host somebody may have moved a process out of the reach of cgroup2.
            allAtOnce = !allAtOnce || freezer?.isUnified == true
            if try waitUntilEmpty(deadline) { return }
            if deadline.isOver {
                let left = try processes()
                if left.isEmpty { return }
                throw .refused(
                    "\(cgroup(set.primary?.path ?? "")): \(left.count) processes do not end after SIGKILL")
            }
        }
    }

    /// One SIGKILL for all that are there, frozen or not.
    ///
    /// With `allAtOnce` by the kernel's own means where it has them: they reach what is just being forked too.
    private func killOnce(allAtOnce: Bool) throws(Failure) {
        if allAtOnce, let unified = set.unified, try mayEnd(unified),
            let directory = try CgroupDirectory.open(unified.path),
            try directory.write("1", to: "cgroup.kill")
        {
            // Only v1's freezer holds a process that is to die.
            if freezer?.isUnified != true { try thaw(everything: true) }
            return
        }
        if freezer != nil { try freezeIfPossible() }
        do { try send(SIGKILL) } catch {
            try thaw(everything: true)
            throw error
        }
        try thaw(everything: true)
    }

    /// Freezing only makes it certain that nothing escapes: without it the signal is sent all the same.
    private func freezeIfPossible() throws(Failure) {
        do { try freeze(milliseconds: 500) } catch {
            guard case .refused = error.cause else { throw error }
        }
    }

    private func send(_ signal: Int32) throws(Failure) {
        for pid in try processes() {
            let answer = sys_kill(pid, signal)
            if answer == -Int(ESRCH) { continue }
            try checked("kill \(pid)", answer)
        }
    }

    /// Waits until no process is left, but not for longer than it takes to suspect that one has escaped.
    ///
    /// - Returns: whether none is left.
    private func waitUntilEmpty(_ deadline: Deadline) throws(Failure) -> Bool {
        let round = Deadline(milliseconds: min(100, Int64(deadline.remaining)))
        if let unified = set.unified, let directory = try CgroupDirectory.open(unified.path),
            let events = try directory.open("cgroup.events", O_RDONLY)
        {
            _ = try directory.waitForEvent("populated", value: 0, events, round)
        }
        var wait: UInt64 = 50
        while true {
            if try processes().isEmpty { return true }
            if round.isOver { return false }
            pause(microseconds: wait)
            wait = min(wait * 2, 5000)
        }
    }

    /// Whether the processes there are the container's to end.
    private func mayEnd() throws(Failure) -> Bool {
        guard let primary = set.primary else { return false }
        return try mayEnd(primary)
    }

    private func mayEnd(_ directory: CgroupSet.Directory) throws(Failure) -> Bool {
        guard !set.owner.isEmpty, let mark = try Mark.read(directory.path) else { return true }
        return mark == set.owner
    }
}

extension CgroupManager {
    /// Removes the cgroups with all sub-cgroups, deepest first; what is gone already is fine.
    ///
    /// The kernel says `EBUSY` for a moment after the last process has ended: it is asked again, at growing intervals,
    /// for `milliseconds` in all. Parents stay. Cgroups that are another container's by now are left alone.
    package func remove(milliseconds: Int64 = 10000) throws(Failure) {
        if !set.owner.isEmpty, let primary = set.primary, let mark = try Mark.read(primary.path),
            !mark.isEmpty,
            mark != set.owner
        {
            return
        }
        let deadline = Deadline(milliseconds: milliseconds)
        for directory in set.directories { try removeTree(directory.path, deadline) }
    }

    private func removeTree(_ path: String, _ deadline: Deadline) throws(Failure) {
        var wait: UInt64 = 50
        while true {
            let answer = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR)
            if answer >= 0 || isMissing(answer) { return }
            guard answer == -Int(EBUSY) || answer == -Int(ENOTEMPTY) else {
                throw Failure(.kernel(call: "rmdir", errno: Int32(truncatingIfNeeded: -answer))).during(
                    cgroup(path))
            }
            var hadChildren = false
            if let directory = try CgroupDirectory.open(path) {
                for name in try directory.children() {
                    hadChildren = true
                    try removeTree("\(path)/\(name)", deadline)
                }
            }
            if hadChildren && !deadline.isOver { continue }
            if deadline.isOver { throw try busy(path) }
            pause(microseconds: wait)
            wait = min(wait * 2, 10000)
        }
    }

    private func busy(_ path: String) throws(Failure) -> Failure {
        let left = try Cgroups.processes(below: path)
        let words = left.isEmpty ? "rmdir" : "rmdir with \(left.count) processes in it (\(left[0]) is one)"
        return Failure(.kernel(call: words, errno: EBUSY)).during(cgroup(path))
    }
}
