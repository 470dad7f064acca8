internal import CKernel
internal import Cgroups
internal import Glibc
public import Kernel

extension Containers {
    /// Creates and starts a container.
    ///
    /// In the foreground it passes signals on, waits for the end, deletes the container unless `keep`, and
    /// answers with the task's exit status (128 + n for signal n).
    public func run(_ id: String, _ options: CreateOptions, detach: Bool, keep: Bool) throws(Failure) -> Int32
    {
        var options = options
        options.attachments.detaches = detach
        if detach {
            let started = try createAndStart(id, options)
            if let notify = started.attachments.notify {
                try notify.wait(for: started.handle, pid: started.identity?.pid ?? 0)
            }
            return 0
        }
        let forwarder = try SignalForwarder()
        let started = try createAndStart(id, options)
        let status = try started.attachments.wait(
            forwarder, for: started.handle, pid: started.identity?.pid)
        if keep { return status.shellStatus }
        try delete(id, force: true, only: started.identity)
        return status.shellStatus
    }
}

/// Takes every signal that would hit this process and gives it to the container instead.
struct SignalForwarder: ~Copyable {
    private let signals: FileDescriptor

    init() throws(Failure) {
        // Signals that report a fault of this very process must stay deadly.
        let faults: [Int32] = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT]
        let mask = faults.reduce(~UInt64(0)) { $0 & ~(1 << UInt64($1 - 1)) }
        try checked("block signals", sys_signal_mask(SIG_BLOCK, mask, nil))
        signals = FileDescriptor(
            adopting: Int32(try checked("signalfd", sys_signalfd(mask, O_CLOEXEC | O_NONBLOCK))))
    }

    /// Waits for the end of a child, passing on whatever comes in the meantime.
    borrowing func wait(for child: borrowing ProcessHandle) throws(Failure) -> WaitStatus {
        var items = [
            poll_item(fd: child.descriptor.raw, events: Int16(POLLIN), revents: 0),
            poll_item(fd: signals.raw, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let answer = sys_poll(&items, 2, -1)
            if answer == -Int(EINTR) { continue }
            try checked("poll", answer)
            if items[1].revents != 0 { try forward(to: child) }
            if items[0].revents != 0 { return try child.reap() }
        }
    }

    /// For poll.
    var descriptor: Int32 { signals.raw }

    /// The signals that have come.
    borrowing func take() throws(Failure) -> [Int32] {
        // struct signalfd_siginfo: 128 bytes, the signal's number first, its sender as the fourth number.
        let batch = try signals.readSome(128 * 16)
        var taken: [Int32] = []
        for at in stride(from: 0, to: batch.count, by: 128) {
            let signal = Int32(batch[at])
            // A reader who is gone is our own affair: the task must not take it for its own.
            if signal == SIGPIPE {
                let sender = (12..<16).reversed().reduce(0) { $0 << 8 | Int(batch[at + $1]) }
                if sender == sys_getpid() { continue }
            }
            taken.append(signal)
        }
        return taken
    }

    /// Passes on what has come.
    ///
    /// - Returns: whether the size of a terminal has changed, which is no affair of the task's by itself.
    @discardableResult
    borrowing func forward(to child: borrowing ProcessHandle) throws(Failure) -> Bool {
        var isResized = false
        for signal in try take() {
            isResized = isResized || signal == SIGWINCH
            if signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH { continue }
            try child.signal(signal)
        }
        return isResized
    }
}
