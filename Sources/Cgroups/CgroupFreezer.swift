internal import CKernel
internal import Glibc
package import Kernel

extension CgroupManager {
    /// Whether the container is paused, or about to be.
    package func isFrozen() throws(Failure) -> Bool {
        guard let freezer, let directory = try CgroupDirectory.open(freezer.path) else { return false }
        if freezer.isUnified {
            // What is asked for counts at once; what an ancestor is frozen with is only told as an event.
            if try directory.read("cgroup.freeze")?.hasPrefix("1") == true { return true }
            return try directory.event("frozen") == 1
        }
        guard let state = try directory.read("freezer.state") else { return false }
        return !state.hasPrefix("THAWED")
    }

    /// Stops every process of the container, and returns when they have stopped.
    ///
    /// - Throws: "unable to freeze" when they have not after `milliseconds`; they run again then.
    package func freeze(milliseconds: Int64 = 2000) throws(Failure) {
        guard let freezer else { throw .refused("unable to freeze: the container has no freezer cgroup") }
        guard let directory = try CgroupDirectory.open(freezer.path) else {
            throw Failure(.kernel(call: "open", errno: ENOENT)).during(cgroup(freezer.path))
        }
        let deadline = Deadline(milliseconds: milliseconds)
        let frozen =
            freezer.isUnified
            ? try directory.freezeUnified(deadline) : try directory.freezeLegacy(deadline)
        if frozen { return }
        try directory.thaw()
        throw .refused("unable to freeze \(cgroup(freezer.path)) within \(milliseconds) ms")
    }

    /// Lets the processes run on.
    package func thaw() throws(Failure) {
        guard let freezer, let directory = try CgroupDirectory.open(freezer.path) else { return }
        try directory.thaw()
    }

    /// Lets also those run on that were frozen in sub-cgroups, by the container itself or by others.
    ///
    /// - Returns: false when the deadline came before all were reached.
    @discardableResult
    func thawAll(_ deadline: Deadline) throws(Failure) -> Bool {
        guard let freezer, let directory = try CgroupDirectory.open(freezer.path) else { return true }
        return try directory.walk(deadline) { (cgroup: borrowing CgroupDirectory) throws(Failure) in
            try cgroup.thaw()
        }
    }

    /// The directory whose freezer is used: v1's where there is one.
    var freezer: CgroupSet.Directory? { self.set.directory(for: "freezer") ?? set.unified }
}

extension CgroupDirectory {
    /// One number of `cgroup.events`; `nil` where the cgroup is gone.
    borrowing func event(_ name: String) throws(Failure) -> Int? {
        guard let text = try read("cgroup.events") else { return nil }
        return value(of: name, in: text)
    }

    private func value(of name: String, in text: String) -> Int? {
        for line in text.split(separator: "\n")
        where line.hasPrefix(name) && line.dropFirst(name.count).first == " " {
            return Int(line.dropFirst(name.count + 1))
        }
        return nil
    }

    /// Writes FROZEN and looks, until it is so; a process in the middle of something is let go on for a moment.
    fileprivate borrowing func freezeLegacy(_ deadline: Deadline) throws(Failure) -> Bool {
        var wait: UInt64 = 10
        var rounds = 0
        while true {
            try require(write("FROZEN", to: "freezer.state"), "freezer.state")
            if try read("freezer.state")?.hasPrefix("FROZEN") == true { return true }
            if deadline.isOver { return false }
            rounds += 1
            // Freezing that does not settle (a fork in progress waits for a frozen process) needs a fresh start.
            if rounds % 50 == 0 { try write("THAWED", to: "freezer.state") }
            pause(microseconds: wait)
            wait = min(wait * 2, 2000)
        }
    }

    /// Writes 1 and waits for the kernel's word.
    fileprivate borrowing func freezeUnified(_ deadline: Deadline) throws(Failure) -> Bool {
        guard let events = try open("cgroup.events", O_RDONLY) else {
            throw Failure(.kernel(call: "open \"cgroup.events\"", errno: ENOENT)).during(cgroup(path))
        }
        try require(write("1", to: "cgroup.freeze"), "cgroup.freeze")
        return try waitForEvent("frozen", value: 1, events, deadline)
    }

    /// Waits until `name` has `value` in an open `cgroup.events`.
    ///
    /// The kernel tells of changes at most every 10 ms, so the first looks are at intervals of our own.
    ///
    /// - Returns: false when the deadline is over.
    borrowing func waitForEvent(
        _ name: String, value wanted: Int, _ events: borrowing FileDescriptor, _ deadline: Deadline
    ) throws(Failure) -> Bool {
        var wait: UInt64 = 20
        while true {
            try checking("lseek", sys_lseek(events.raw, 0, SEEK_SET))
            let text: String
            do { text = String(decoding: try events.readSome(), as: UTF8.self) } catch {
                if error.errno == ENODEV { return true }
                throw error.during(cgroup(path))
            }
            if value(of: name, in: text) == wanted { return true }
            if deadline.isOver { return false }
            if wait < 2000 {
                pause(microseconds: wait)
                wait *= 2
                continue
            }
            var item = poll_item(fd: events.raw, events: Int16(POLLPRI), revents: 0)
            let answer = sys_poll(&item, 1, max(1, deadline.remaining))
            if answer != -Int(EINTR) { try checking("poll", answer) }
        }
    }

    /// Lets this cgroup run on; nothing to do where it is gone.
    borrowing func thaw() throws(Failure) {
        if try write("THAWED", to: "freezer.state") { return }
        try write("0", to: "cgroup.freeze")
    }

    private borrowing func require(_ written: Bool, _ file: String) throws(Failure) {
        if !written { throw Failure(.kernel(call: "open \"\(file)\"", errno: ENOENT)).during(cgroup(path)) }
    }
}
