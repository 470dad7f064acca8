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
            return try killOnce(allAtOnce: true, Deadline(milliseconds: 10000))
        }
        let wasFrozen = try isFrozen()
        if !wasFrozen, freezer != nil { try freezeIfPossible(Deadline(milliseconds: 500)) }
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
        guard try mayEnd(), try !isEmptied(deadline) else { return }
        var allAtOnce = true
        while true {
            try killOnce(allAtOnce: allAtOnce, deadline)
            // On a hybrid host somebody may have moved a process out of the reach of cgroup2.
            allAtOnce = !allAtOnce || freezer?.isUnified == true
            if try waitUntilEmpty(deadline) { return }
            if deadline.isOver { throw try remaining() }
        }
    }

    /// What is told when processes are left at the deadline.
    private func remaining() throws(Failure) -> Failure {
        for directory in ending {
            let left = try Cgroups.processes(below: directory.path, Deadline(milliseconds: 200))
            if left.pids.isEmpty && left.isAll { continue }
            if left.pids.isEmpty { return unseen(directory.path) }
            let count = "\(left.isAll ? "" : "at least ")\(left.pids.count)"
            return .refused("\(cgroup(directory.path)): \(count) processes do not end after SIGKILL")
        }
        return .refused("\(cgroup(set.primary?.path ?? "")): its processes did not end in time")
    }

    /// The hierarchies in which a child can be born or is attached first.
    ///
    /// A crash in between leaves one that is in some of the hierarchies only.
    private var ending: [CgroupSet.Directory] {
        guard let primary = set.primary else { return [] }
        guard let unified = set.unified, unified != primary else { return [primary] }
        return [primary, unified]
    }

    /// One SIGKILL for all that are there, frozen or not.
    ///
    /// With `allAtOnce` by the kernel's own means where it has them: they reach what is just being forked too.
    func killOnce(allAtOnce: Bool, _ deadline: Deadline) throws(Failure) {
        if allAtOnce, let unified = set.unified, try mayEnd(unified),
            let directory = try CgroupDirectory.open(unified.path),
            try directory.write("1", to: "cgroup.kill")
        {
            // Only v1's freezer holds a process that is to die.
            if freezer?.isUnified != true { try thawAll(deadline) }
            return
        }
        if freezer != nil { try freezeIfPossible(deadline) }
        do { try kill(deadline) } catch {
            try thawAll(deadline)
            throw error
        }
        try thawAll(deadline)
    }

    /// Freezing only makes it certain that nothing escapes: without it the signal is sent all the same.
    private func freezeIfPossible(_ deadline: Deadline) throws(Failure) {
        do { try freeze(milliseconds: min(500, Int64(deadline.remaining))) } catch {
            guard case .refused = error.cause else { throw error }
        }
    }

    private func send(_ signal: Int32) throws(Failure) {
        for pid in try processes() { try send(signal, to: pid) }
    }

    /// Sends SIGKILL to each as it is found: a walk that does not come to its end has done something.
    private func kill(_ deadline: Deadline) throws(Failure) {
        guard let primary = set.primary, let directory = try CgroupDirectory.open(primary.path) else {
            return
        }
        _ = try directory.forProcesses(deadline) { (pids) throws(Failure) in
            for pid in pids { try send(SIGKILL, to: pid) }
        }
    }

    private func send(_ signal: Int32, to pid: Int32) throws(Failure) {
        let answer = sys_kill(pid, signal)
        if answer != -Int(ESRCH) { try checked("kill \(pid)", answer) }
    }

    /// Waits until no process is left, but not for longer than it takes to suspect that one has escaped.
    ///
    /// Sub-cgroups that are empty are removed at once: however many there are, the next look is at fewer.
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
            if try isEmptied(deadline) { return true }
            if round.isOver { return false }
            pause(microseconds: wait)
            wait = min(wait * 2, 5000)
        }
    }

    /// Whether no process is left; removes the sub-cgroups that are empty.
    private func isEmptied(_ deadline: Deadline) throws(Failure) -> Bool {
        for directory in ending {
            guard try mayEnd(directory), let open = try CgroupDirectory.open(directory.path) else { continue }
            let found = try open.prune(deadline)
            if found.holdsProcesses || !found.isSeen { return false }
        }
        return true
    }

    /// Whether the processes there are the container's to end.
    func mayEnd() throws(Failure) -> Bool {
        guard let primary = set.primary else { return false }
        return try mayEnd(primary)
    }

    private func mayEnd(_ directory: CgroupSet.Directory) throws(Failure) -> Bool {
        guard !set.owner.isEmpty, let mark = try Mark.read(directory.path) else { return true }
        return mark == set.owner
    }
}
