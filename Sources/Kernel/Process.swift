internal import CKernel
internal import Glibc

/// A process, known by its pid and its start time: a pid that the kernel has given to another process is not
/// it.
package struct ProcessIdentity: Sendable, Hashable {
    package let pid: Int32
    /// Field 22 of `/proc/PID/stat`: clock ticks after boot.
    package let startTime: UInt64

    package init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// The process that has `pid` now; `nil` where there is none.
    package static func of(pid: Int32) throws(Failure) -> ProcessIdentity? {
        guard let stat = try ProcessStat.of(pid: pid) else { return nil }
        return ProcessIdentity(pid: pid, startTime: stat.startTime)
    }

    /// Whether it runs: it exists, is no zombie, and is the same process.
    package func isAlive() throws(Failure) -> Bool {
        guard let stat = try ProcessStat.of(pid: pid) else { return false }
        return stat.startTime == startTime && !stat.isDead
    }

    /// A handle that keeps meaning this process; `nil` when it has ended.
    ///
    /// The start time is compared after the handle is open, so a recycled pid is never held.
    package func open() throws(Failure) -> ProcessHandle? {
        let answer = sys_pidfd_open(pid, 0)
        if answer == -Int(ESRCH) || answer == -Int(EINVAL) { return nil }
        let handle = ProcessHandle(adopting: FileDescriptor(adopting: try checked("pidfd_open", answer)))
        guard try isAlive() else { return nil }
        return handle
    }
}

/// What `/proc/PID/stat` says.
package struct ProcessStat: Sendable {
    package let state: UInt8
    package let startTime: UInt64
    /// Clock ticks in user mode and in kernel mode.
    package let userTicks: UInt64
    package let systemTicks: UInt64
    package let threads: UInt64
    /// Pages in memory.
    package let residentPages: UInt64
    package let parent: Int32

    package var isDead: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    /// The status of `pid`; `nil` where there is no such process.
    package static func of(pid: Int32) throws(Failure) -> ProcessStat? {
        do {
            guard let text = try Files.readIfPresent("/proc/\(pid)/stat") else { return nil }
            return ProcessStat(text)
        } catch {
            if error.errno == ESRCH { return nil }
            throw error
        }
    }

    /// Parses the line; the command name in parentheses may itself hold blanks and parentheses.
    package init?(_ line: String) {
        guard let end = line.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = line[line.index(after: end)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        // fields[0] is field 3 of proc(5).
        guard fields.count >= 22, let state = fields[0].utf8.first, let startTime = UInt64(fields[19]),
            let userTicks = UInt64(fields[11]), let systemTicks = UInt64(fields[12]),
            let threads = UInt64(fields[17]), let residentPages = UInt64(fields[21]),
            let parent = Int32(fields[1])
        else { return nil }
        self.state = state
        self.startTime = startTime
        self.userTicks = userTicks
        self.systemTicks = systemTicks
        self.threads = threads
        self.residentPages = residentPages
        self.parent = parent
    }
}

/// A process held by a pidfd.
package struct ProcessHandle: ~Copyable, Sendable {
    package let descriptor: FileDescriptor

    package init(adopting descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Gives its descriptor away.
    package consuming func take() -> FileDescriptor { descriptor }

    /// Sends `signal`.
    ///
    /// - Returns: false when the process has ended.
    @discardableResult
    package borrowing func signal(_ signal: Int32) throws(Failure) -> Bool {
        let answer = sys_pidfd_send_signal(descriptor.raw, signal)
        if answer == -Int(ESRCH) { return false }
        try checked("kill", answer)
        return true
    }

    /// Waits until the process has ended, for at most `milliseconds` (for ever when negative).
    ///
    /// - Returns: whether it has ended.
    package borrowing func waitForEnd(milliseconds: Int32 = -1) throws(Failure) -> Bool {
        var item = poll_item(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        let answer = sys_poll(&item, 1, milliseconds)
        if answer == -Int(EINTR) { return false }
        return try checked("poll", answer) > 0
    }

    /// Waits for a child's end and reaps it.
    package borrowing func reap() throws(Failure) -> WaitStatus {
        var status: Int32 = 0
        try checked("waitid", sys_wait_pidfd(descriptor.raw, 0, &status))
        return WaitStatus(raw: status)
    }

    /// The wait status that the kernel keeps for an ended process (Linux 6.15 and later); `nil` where it has
    /// none.
    package borrowing func exitStatus() throws(Failure) -> WaitStatus? {
        var status: Int32 = 0
        let answer = sys_pidfd_exit_status(descriptor.raw, &status)
        if answer == -Int(ENOTTY) || answer == -Int(EINVAL) || answer == -Int(ESRCH) { return nil }
        return try checked("PIDFD_GET_INFO", answer) == 1 ? WaitStatus(raw: status) : nil
    }
}

/// How a process ended, in the form of wait(2).
package struct WaitStatus: Sendable, Hashable {
    /// As wait(2) gives it.
    package let raw: Int32

    package init(raw: Int32) { self.raw = raw }

    /// The signal that ended it; `nil` when it exited by itself.
    package var signal: Int32? { raw & 0x7f == 0 ? nil : raw & 0x7f }
    /// What it handed to exit(2); `nil` when a signal ended it.
    package var exitCode: Int32? { raw & 0x7f == 0 ? raw >> 8 & 0xff : nil }
    /// The status that a shell would show: the exit code, or 128 + signal.
    package var shellStatus: Int32 { exitCode ?? 128 + (raw & 0x7f) }
}
