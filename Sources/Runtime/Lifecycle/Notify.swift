internal import CKernel
internal import Glibc
internal import Kernel

/// Stands between a task that tells when it is ready (sd_notify) and the service manager that wants to hear of it.
///
/// The task gets a socket of its own: the manager looks at who speaks, and knows mrun's caller, not the task.
final class NotifyProxy {
    /// The task's socket, as the task sees it.
    static let pathInside = "/run/notify/" + NotifyProxy.socketName
    fileprivate static let socketName = "notify.sock"

    private let manager: FileDescriptor
    private var socket: FileDescriptor?

    /// Connects to the manager's socket, which `address` names as `NOTIFY_SOCKET` does.
    init(to address: String) throws(Failure) {
        manager = FileDescriptor(
            adopting: Int32(try checked("socket", sys_unix_socket(Int32(SOCK_DGRAM.rawValue)))))
        let socket = manager.raw
        try attempting("NOTIFY_SOCKET \"\(address)\"") { () throws(Failure) in
            try checked("setsockopt", sys_send_timeout(socket, 10_000))
            try checked("connect", sys_notify_connect(socket, address))
        }
    }

    /// Listens on the socket in the folder that `create` has made; false where it has made none.
    func listen(in folder: borrowing ContainerFolder) throws(Failure) -> Bool {
        guard try FileStatus.of(ContainerFolder.Name.notify, at: folder.directory.raw) != nil else {
            return false
        }
        let own = FileDescriptor(
            adopting: Int32(
                try checked("socket", sys_unix_socket(Int32(SOCK_DGRAM.rawValue) | O_NONBLOCK))))
        let name = ContainerFolder.Name.notify + "/" + NotifyProxy.socketName
        // One that an earlier, killed start has left.
        try folder.unlink(name)
        // Whoever the task is, it may write.
        let mask = sys_umask(0)
        let answer = sys_unix_bind(own.raw, folder.procPath(name))
        _ = sys_umask(mask)
        try checked("bind the notify socket", answer)
        socket = consume own
        return true
    }

    /// For poll; −1 once there is nothing more to hear.
    var descriptor: Int32 {
        switch socket {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }

    /// Takes one message; when it says that the task is ready, the manager hears so, and that `pid` is the main process.
    ///
    /// - Returns: whether that was it.
    func pass(pid: Int32) throws(Failure) -> Bool {
        guard let line = try ready() else { return false }
        socket = nil
        try attempting("tell the service manager") { () throws(Failure) in
            try manager.write(line)
            try manager.write("MAINPID=\(pid)")
        }
        return true
    }

    /// The line of the next message that says so; messages come in one piece.
    private func ready() throws(Failure) -> String? {
        guard descriptor >= 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let answer = sys_read(descriptor, &buffer, buffer.count)
        if answer == -Int(EAGAIN) || answer == -Int(EINTR) { return nil }
        let count = try checked("read the notify socket", answer)
        for line in buffer[..<count].split(separator: UInt8(ascii: "\n"))
        where line.starts(with: "READY=".utf8) {
            return String(decoding: line, as: UTF8.self)
        }
        return nil
    }

    /// Waits until the task has told that it is ready, or its init has ended; then until the manager has read it.
    func wait(for process: borrowing ProcessHandle, pid: Int32) throws(Failure) {
        while descriptor >= 0 {
            var items = [
                poll_item(fd: process.descriptor.raw, events: Int16(POLLIN), revents: 0),
                poll_item(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let answer = sys_poll(&items, 2, -1)
            if answer == -Int(EINTR) { continue }
            try checked("poll", answer)
            if items[1].revents != 0 {
                if try pass(pid: pid) { return try barrier() }
            } else if items[0].revents != 0 {
                return
            }
        }
    }

    /// The manager looks up who spoke; it must have done so before this process is gone.
    ///
    /// It closes its end of a pipe when it has come to this message.
    private func barrier() throws(Failure) {
        var ends: [Int32] = [-1, -1]
        try checked("pipe", sys_pipe2(&ends, O_CLOEXEC))
        let reading = FileDescriptor(adopting: ends[0])
        let writing = FileDescriptor(adopting: ends[1])
        let word: StaticString = "BARRIER=1"
        try checked(
            "tell the service manager",
            sys_send_descriptor(manager.raw, word.utf8Start, word.utf8CodeUnitCount, writing.raw))
        _ = consume writing
        var item = poll_item(fd: reading.raw, events: 0, revents: 0)
        let deadline = Deadline(milliseconds: 30_000)
        while !deadline.isOver && sys_poll(&item, 1, deadline.remaining) == -Int(EINTR) {}
    }
}

extension ContainerFolder {
    /// Makes the folder that the container sees at `/run/notify`.
    borrowing func makeNotifyFolder() throws(Failure) {
        try checked("mkdir \"\(Name.notify)\"", sys_mkdirat(directory.raw, Name.notify, 0o755))
    }

    /// Removes it with its socket.
    borrowing func removeNotifyFolder() throws(Failure) {
        try unlink(Name.notify + "/" + NotifyProxy.socketName)
        let answer = sys_unlinkat(directory.raw, Name.notify, AT_REMOVEDIR)
        if answer == -Int(ENOENT) { return }
        try checked("rmdir \"\(path)/\(Name.notify)\"", answer)
    }
}
