internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI
internal import Plan

/// What a new process shares with its caller, beside the standard descriptors.
public struct AttachmentOptions: Sendable {
    /// The unix socket to which the terminal's master is sent; without one the caller's own terminal is used.
    public var consoleSocket: String?
    /// The unix socket to which a pidfd of the process is sent.
    public var pidfdSocket: String?
    /// How many descriptors the process gets, as 3, 4, …: they must be open in the caller, all of them.
    public var preserved: Int32 = 0
    /// How many of these were passed to the caller by socket activation: the process gets to know.
    public var listening: Int32 = 0
    /// The socket of the caller's service manager, as `NOTIFY_SOCKET` names it.
    public var notifySocket: String?
    /// What the program is called in messages that clients match.
    public var program = "mrun"
    /// Whether the caller does not wait for the process.
    var detaches = true

    /// No attachments.
    public init() {}
}

/// The same, connected and opened.
///
/// A class: parent and child of a launch both refer to it.
final class Attachments {
    let preserved: Int32
    /// The terminal's size to begin with.
    let size: window_size?
    /// The terminal of the caller, which lends itself to the process in the foreground.
    let relay: Relay?
    let notify: NotifyProxy?
    private let listening: Int32
    private let terminalSocket: FileDescriptor?
    private let pidfdSocket: FileDescriptor?

    /// Checks that `options` fit `process`, and connects: a peer that is not there is missed before anything is made.
    init(_ options: AttachmentOptions, for process: ProcessSpec) throws(Failure) {
        let usesSocket = options.detaches && process.terminal
        if usesSocket && options.consoleSocket == nil {
            let words = "cannot allocate tty if \(options.program) will detach without setting console socket"
            throw .refused(words)
        }
        if !usesSocket && options.consoleSocket != nil {
            throw .refused("cannot use console socket if \(options.program) will not detach or allocate tty")
        }
        preserved = options.preserved
        listening = options.listening
        pidfdSocket =
            if let path = options.pidfdSocket { try Attachments.connect("pidfd socket", path) } else { nil }
        notify = if let address = options.notifySocket { try NotifyProxy(to: address) } else { nil }
        var size = process.consoleSize.map { size in
            window_size(rows: UInt16(clamping: size.height), columns: UInt16(clamping: size.width))
        }
        if let path = options.consoleSocket {
            terminalSocket = try Attachments.connect("console socket", path)
            relay = nil
        } else if process.terminal {
            let ends = try FileDescriptor.socketPair(type: Int32(SOCK_STREAM.rawValue))
            terminalSocket = FileDescriptor(adopting: ends.0)
            let relay = try Relay(from: FileDescriptor(adopting: ends.1))
            size = relay.callersSize ?? size
            self.relay = relay
        } else {
            terminalSocket = nil
            relay = nil
        }
        self.size = size
    }

    /// Connects to a stream socket of the host within ten seconds, however long its path is.
    private static func connect(_ what: String, _ path: String) throws(Failure) -> FileDescriptor {
        try attempting("\(what) \"\(path)\"") { () throws(Failure) in
            let socket = FileDescriptor(
                adopting: Int32(try checked("socket", sys_unix_socket(Int32(SOCK_STREAM.rawValue)))))
            // Somebody who listens and never accepts keeps others waiting once enough of them do.
            try checked("setsockopt", sys_send_timeout(socket.raw, 10_000))
            var answer = sys_unix_connect(socket.raw, path)
            if answer == -Int(ENAMETOOLONG) {
                let place = try FileDescriptor.open(path, flags: O_PATH)
                answer = sys_unix_connect(socket.raw, place.procPath)
            }
            try checked("connect", answer)
            return socket
        }
    }

    /// Where the child sends the terminal's master.
    var terminalSocketNumber: Int32 {
        switch terminalSocket {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }

    /// The process with what its environment tells of the attachments.
    func amended(_ process: ProcessSpec) -> ProcessSpec {
        guard listening > 0 || notify != nil else { return process }
        var process = process
        if listening > 0 { process.env += ["LISTEN_FDS=\(listening)", "LISTEN_PID=1"] }
        if notify != nil { process.env.append("NOTIFY_SOCKET=" + NotifyProxy.pathInside) }
        return process
    }

    /// Sends a descriptor of the process to those who asked for one; `kind`: `standard` or `setns`.
    func send(pidfd: Int32, kind: StaticString) throws(Failure) {
        switch pidfdSocket {
        case .none: return
        case .some(let socket):
            let answer = sys_send_descriptor(
                socket.raw, kind.utf8Start, kind.utf8CodeUnitCount, pidfd)
            try checked("send the pidfd to the pidfd socket", answer)
        }
    }

    /// Waits for the end of a process in the foreground, serving both sides in the meantime.
    func wait(
        _ forwarder: borrowing SignalForwarder, for child: borrowing ProcessHandle, pid: Int32?
    ) throws(Failure) -> WaitStatus {
        if relay == nil && notify == nil { return try forwarder.wait(for: child) }
        return try forwarder.wait(for: child, pid: pid ?? 0, relay, notify)
    }
}
