internal import CKernel
internal import Glibc
internal import Kernel

/// The caller's terminal, which goes back to what it was with this value.
struct CallersTerminal: ~Copyable {
    private let modes: terminal_modes?
    /// The first of the standard descriptors that is a terminal: its size is the size of the container's.
    private let sized: Int32?
    /// Whether standard input is a terminal.
    let isTyped: Bool

    /// Lets every key through to the container, where somebody types at all.
    ///
    /// What comes from a file or a pipe needs no such thing; then a terminal on the output keeps its keys, so that the one for
    /// the interrupt still reaches mrun, which passes it on.
    init() throws(Failure) {
        var now = terminal_modes()
        sized = [0, 1, 2].first { (number: Int32) in
            var modes = terminal_modes()
            return sys_terminal_modes(number, &modes) >= 0
        }
        isTyped = sys_terminal_modes(0, &now) >= 0
        // In a background job the terminal is somebody else's now.
        guard isTyped, sys_is_foreground(0) != 0 else {
            modes = nil
            return
        }
        modes = now
        sys_make_raw(&now)
        try checked("change the terminal's modes", sys_set_terminal_modes(0, &now))
    }

    deinit {
        if var before = modes { _ = sys_set_terminal_modes(0, &before) }
    }

    /// Whether keys can be read: not in the background.
    var isReadable: Bool { modes != nil || !isTyped }

    var size: window_size? {
        guard let sized else { return nil }
        var size = window_size()
        return sys_window_size(sized, &size) >= 0 ? size : nil
    }
}

/// Bytes on their way from one descriptor to another; new ones are taken only when all have gone on.
private struct Transit {
    private var bytes = [UInt8](repeating: 0, count: 32768)
    private var start = 0
    private var end = 0

    var isEmpty: Bool { start == end }

    /// Whether the last byte that came was the end of a line, or there was none.
    private(set) var isAtLineStart = true

    /// One read; answers what the kernel does.
    mutating func fill(from descriptor: Int32) -> Int {
        let answer = sys_read(descriptor, &bytes, bytes.count)
        if answer > 0 {
            (start, end) = (0, answer)
            isAtLineStart = bytes[answer - 1] == UInt8(ascii: "\n")
        }
        return answer
    }

    mutating func fill(with byte: UInt8, count: Int) {
        for index in 0..<count { bytes[index] = byte }
        (start, end) = (0, count)
    }

    /// One write of what is left; answers what the kernel does.
    mutating func empty(into descriptor: Int32) -> Int {
        let answer = bytes.withUnsafeBytes { buffer in
            buffer.baseAddress.map { sys_write(descriptor, $0 + start, end - start) } ?? 0
        }
        if answer > 0 { start += answer }
        return answer
    }

    mutating func clear() { (start, end) = (0, 0) }
}

/// Copies between the caller's standard descriptors and the container's terminal.
final class Relay {
    private let caller: CallersTerminal
    /// The child sends the master to the other end.
    private let receiver: FileDescriptor
    private var master: FileDescriptor?
    /// Standard output once more, for writes that do not wait, where the kernel gives that.
    private let output: FileDescriptor?
    private var toTask = Transit()
    private var toCaller = Transit()
    private var readsInput: Bool
    /// Nobody has the terminal open; somebody may open it again.
    private var isHungUp = false

    /// The terminal changes now, before the task can see a key.
    init(from receiver: consuming FileDescriptor) throws(Failure) {
        self.receiver = receiver
        output = try Relay.reopenedOutput()
        caller = try CallersTerminal()
        readsInput = caller.isReadable
    }

    /// The caller's own description must not become non-blocking: others write to it as well.
    private static func reopenedOutput() throws(Failure) -> FileDescriptor? {
        var status = file_status()
        guard sys_status(1, "", Int32(K_AT_EMPTY_PATH), &status) >= 0 else { return nil }
        let kind = status.mode & UInt32(S_IFMT)
        // The ptmx device (5:2) would make a new terminal.
        let isTerminal =
            kind == UInt32(S_IFCHR)
            && (status.rdev_major == 4 || (136...143).contains(status.rdev_major)
                || status.rdev_major == 5 && status.rdev_minor < 2)
        guard isTerminal || kind == UInt32(S_IFIFO) else { return nil }
        let answer = sys_openat(AT_FDCWD, "/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY, 0)
        return answer < 0 ? nil : FileDescriptor(adopting: Int32(answer))
    }

    var callersSize: window_size? { caller.size }

    private var outputNumber: Int32 {
        switch output {
        case .some(let output): output.raw
        case .none: 1
        }
    }

    private var masterNumber: Int32 {
        switch master {
        case .some(let master): master.raw
        case .none: -1
        }
    }

    /// Takes the master, which the child has sent before it became mrun-init.
    func begin() throws(Failure) {
        var raw: Int32 = -1
        var name = [UInt8](repeating: 0, count: 64)
        try checked("receive the terminal", sys_receive_descriptor(receiver.raw, &name, name.count, &raw))
        guard raw >= 0 else { throw .refused("the container's init sent no terminal") }
        let master = FileDescriptor(adopting: raw)
        try checked("fcntl", sys_fcntl(raw, F_SETFL, Int(O_RDWR | O_NONBLOCK)))
        self.master = consume master
        // It may have changed since it was asked.
        resize()
    }

    /// Passes the size of the caller's terminal on.
    func resize() {
        if var size = caller.size, masterNumber >= 0 { _ = sys_set_window_size(masterNumber, &size) }
    }

    /// How long a poll may take.
    var patience: Int32 { isHungUp && masterNumber >= 0 ? 100 : -1 }

    /// Says what there is to wait for: standard input, standard output, the master.
    func ask(_ items: inout [poll_item], from first: Int) {
        let master = masterNumber
        let takesInput = readsInput && toTask.isEmpty && master >= 0
        items[first] = poll_item(fd: takesInput ? 0 : -1, events: Int16(POLLIN), revents: 0)
        let gives = !toCaller.isEmpty
        items[first + 1] = poll_item(fd: gives ? outputNumber : -1, events: Int16(POLLOUT), revents: 0)
        let events = Int16((gives ? 0 : POLLIN) | (toTask.isEmpty ? 0 : POLLOUT))
        items[first + 2] = poll_item(
            fd: events == 0 || isHungUp ? -1 : master, events: events, revents: 0)
        // After the pause it is asked again.
        isHungUp = false
    }

    /// Does what poll says can be done.
    func serve(_ items: [poll_item], from first: Int) {
        if items[first].revents != 0 { takeInput() }
        if items[first + 1].revents != 0 { giveOutput() }
        let seen = items[first + 2].revents
        if seen & ~Int16(POLLOUT) != 0 && toCaller.isEmpty { takeOutput() }
        if seen != 0 && !toTask.isEmpty {
            let answer = toTask.empty(into: masterNumber)
            if answer < 0 && !Relay.isPassing(answer) { isHungUp = true }
        }
    }

    private static func isPassing(_ answer: Int) -> Bool {
        answer == -Int(EAGAIN) || answer == -Int(EINTR)
    }

    private func takeInput() {
        let answer = toTask.fill(from: 0)
        if answer > 0 || Relay.isPassing(answer) { return }
        readsInput = false
        guard answer == 0 else { return }
        // The end of a file is a key at a terminal; at the end of a line, or it only ends that.
        if caller.isTyped { return hangUp() }
        var modes = terminal_modes()
        guard sys_terminal_modes(masterNumber, &modes) >= 0 else { return }
        let key = sys_end_of_input(&modes)
        if key >= 0 {
            toTask.fill(with: UInt8(truncatingIfNeeded: key), count: toTask.isAtLineStart ? 1 : 2)
        }
    }

    /// Answers what the kernel does.
    @discardableResult
    private func takeOutput() -> Int {
        let answer = toCaller.fill(from: masterNumber)
        if answer <= 0 && !Relay.isPassing(answer) { isHungUp = true }
        return answer
    }

    private func giveOutput() {
        let answer = toCaller.empty(into: outputNumber)
        // Nobody can see the terminal any more.
        if answer < 0 && !Relay.isPassing(answer) { hangUp() }
    }

    /// The terminal is gone, as for a task whose window is closed.
    private func hangUp() {
        master = nil
        toTask.clear()
        toCaller.clear()
    }

    /// Passes on what the task wrote before its end.
    ///
    /// Those whom it has left behind may go on writing: more than the kernel can have kept is theirs. Who does not read
    /// is waited for, until a signal ends that.
    func drain(_ forwarder: borrowing SignalForwarder) throws(Failure) {
        var left = 1 << 18
        while masterNumber >= 0 {
            if toCaller.isEmpty {
                let answer = left > 0 ? takeOutput() : 0
                if answer == -Int(EINTR) { continue }
                if answer <= 0 { return }
                left -= answer
            }
            var items = [
                poll_item(fd: forwarder.descriptor, events: Int16(POLLIN), revents: 0),
                poll_item(fd: outputNumber, events: Int16(POLLOUT), revents: 0),
            ]
            let answer = sys_poll(&items, 2, -1)
            if answer == -Int(EINTR) { continue }
            try checked("poll", answer)
            if items[0].revents != 0, try forwarder.wantsEnd() { return }
            if items[1].revents != 0 { giveOutput() }
        }
    }
}

extension SignalForwarder {
    /// Waits for the end of a child, passing on signals, what comes and goes over a terminal, and that the task is ready.
    borrowing func wait(
        for child: borrowing ProcessHandle, pid: Int32, _ relay: Relay?, _ notify: NotifyProxy?
    ) throws(Failure) -> WaitStatus {
        try relay?.begin()
        let unused = poll_item(fd: -1, events: Int16(POLLIN), revents: 0)
        var items = [poll_item](repeating: unused, count: 6)
        items[0].fd = child.descriptor.raw
        items[1].fd = descriptor
        while true {
            items[2].fd = notify?.descriptor ?? -1
            let patience = relay?.patience ?? -1
            relay?.ask(&items, from: 3)
            let answer = sys_poll(&items, 6, patience)
            if answer == -Int(EINTR) { continue }
            try checked("poll", answer)
            if items[1].revents != 0, try forward(to: child) { relay?.resize() }
            if items[2].revents != 0 { _ = try notify?.pass(pid: pid) }
            relay?.serve(items, from: 3)
            if items[0].revents != 0 {
                let status = try child.reap()
                try relay?.drain(self)
                return status
            }
        }
    }

    /// Whether a signal has come that asks this process to end.
    fileprivate borrowing func wantsEnd() throws(Failure) -> Bool {
        try take().contains { $0 == SIGHUP || $0 == SIGINT || $0 == SIGQUIT || $0 == SIGTERM }
    }
}
