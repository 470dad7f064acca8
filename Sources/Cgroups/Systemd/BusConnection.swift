internal import CKernel
internal import Glibc
internal import Kernel

/// A socket at which systemd, or a message bus with it, is to be found.
struct BusSocket: Equatable {
    let path: String
    /// Whether a bus answers there, and not systemd itself.
    let isBus: Bool
}

/// A connection to a service manager.
///
/// One call at a time, none of which waits for longer than the deadline says.
struct BusConnection: ~Copyable {
    private let socket: FileDescriptor
    private let path: String
    private let deadline: Deadline
    private var serial: UInt32 = 0
    private var input: [UInt8] = []
    /// What has been told of jobs that have ended, with the sender of that.
    private var ended: [EndedJob] = []

    private struct EndedJob {
        let job: String
        let result: String
        let sender: String
    }

    static let systemd = "org.freedesktop.systemd1"
    static let manager = "org.freedesktop.systemd1.Manager"

    init(socket: consuming FileDescriptor, path: String, deadline: Deadline) {
        self.socket = socket
        self.path = path
        self.deadline = deadline
    }

    /// Connects to `target`; `nil` where nobody listens there.
    static func open(_ target: BusSocket, deadline: Deadline) throws(Failure) -> BusConnection? {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = FileDescriptor(adopting: Int32(try checked("socket", sys_unix_socket(type))))
        var answer = sys_unix_connect(socket.raw, target.path)
        // Others are waiting there too.
        while answer == -Int(EAGAIN), !deadline.isOver {
            pause(microseconds: 2000)
            answer = sys_unix_connect(socket.raw, target.path)
        }
        if answer == -Int(ENOENT) || answer == -Int(ECONNREFUSED) || answer == -Int(ENOTDIR) { return nil }
        try checked("connect to \"\(target.path)\"", answer)
        var bus = BusConnection(socket: socket, path: target.path, deadline: deadline)
        do throws(Failure) {
            try bus.authenticate()
            if target.isBus { try bus.join() }
        } catch { throw error.during("\"\(target.path)\"") }
        return bus
    }

    /// Lets the kernel tell who this is, which the other side asks by itself.
    mutating func authenticate() throws(Failure) {
        try send(Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        while true {
            let line = try line()
            if line.starts(with: Array("OK ".utf8)) { return }
            guard line == Array("DATA".utf8) else {
                throw .refused("it does not let this user in (\(String(decoding: line, as: UTF8.self)))")
            }
        }
    }

    /// The next line of the other side, without its end.
    private mutating func line() throws(Failure) -> [UInt8] {
        while true {
            if let end = input.firstIndex(of: UInt8(ascii: "\n")) {
                let line = input[..<end].filter { $0 != UInt8(ascii: "\r") }
                input.removeFirst(end + 1)
                return line
            }
            guard input.count < 4096 else { throw .refused("what answers does not speak D-Bus") }
            try receive()
        }
    }

    /// What a bus wants to hear, and to be told of jobs that end.
    mutating func join() throws(Failure) {
        let bus = "org.freedesktop.DBus"
        var hello = BusMessage()
        hello.path = "/org/freedesktop/DBus"
        hello.interface = bus
        hello.member = "Hello"
        hello.destination = bus
        _ = try result(of: hello)
        var match = hello
        match.member = "AddMatch"
        match.signature = "s"
        var body = BusWriter()
        body.string(
            "type='signal',sender='\(BusConnection.systemd)',interface='\(BusConnection.manager)',member='JobRemoved'"
        )
        match.body = body.bytes
        _ = try result(of: match)
    }

    /// Calls a method of the manager, or of the object at `path`.
    ///
    /// - Returns: the answer, or the error that systemd answered with.
    mutating func call(
        _ member: String, interface: String = BusConnection.manager,
        path: String = "/org/freedesktop/systemd1",
        _ signature: String, _ body: (inout BusWriter) -> Void
    ) throws(Failure) -> Result<BusMessage, BusError> {
        var message = BusMessage()
        message.path = path
        message.interface = interface
        message.member = member
        message.destination = BusConnection.systemd
        message.signature = signature
        var writer = BusWriter()
        body(&writer)
        message.body = writer.bytes
        return try answer(to: message)
    }

    /// The answer to a call that must not fail.
    private mutating func result(of call: BusMessage) throws(Failure) -> BusMessage {
        switch try answer(to: call) {
        case .success(let message): return message
        case .failure(let error): throw error.failure(call.member)
        }
    }

    private mutating func answer(to call: BusMessage) throws(Failure) -> Result<BusMessage, BusError> {
        var call = call
        serial += 1
        call.kind = .call
        call.serial = serial
        try send(call.encoded)
        while true {
            let message = try next()
            switch message.kind {
            case .answer where message.answers == serial: return .success(message)
            case .error where message.answers == serial: return .failure(try BusError(message))
            case .signal: try note(message)
            default: break
            }
        }
    }

    /// Waits until `job` has ended.
    ///
    /// - Parameters:
    ///   - job: its object path.
    ///   - sender: who made the job; on a bus anybody can claim that one has ended.
    /// - Returns: how: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`.
    /// - Throws: a refusal when the deadline comes first, or something else than D-Bus.
    mutating func waitForEnd(ofJob job: String, sender: String) throws(Failure) -> String {
        while true {
            if let found = ended.first(where: { $0.job == job && $0.sender == sender }) {
                return found.result
            }
            ended.removeAll()
            let message = try next()
            if message.kind == .signal { try note(message) }
        }
    }

    private mutating func note(_ signal: BusMessage) throws(Failure) {
        guard signal.member == "JobRemoved", signal.interface == BusConnection.manager,
            signal.signature == "uoss"
        else { return }
        var reader = BusReader(signal.body)
        _ = try reader.uint32()
        let job = try reader.string()
        _ = try reader.string()
        // Nobody starts that many in the time of one call.
        if ended.count > 1000 { ended.removeFirst() }
        ended.append(EndedJob(job: job, result: try reader.string(), sender: signal.sender))
    }

    private mutating func next() throws(Failure) -> BusMessage {
        while true {
            if let length = try BusMessage.length(input[...]), input.count >= length {
                let message = try BusMessage(input[..<length])
                input.removeFirst(length)
                return message
            }
            try receive()
        }
    }

    private mutating func receive() throws(Failure) {
        try wait(for: POLLIN)
        let more: [UInt8]
        do { more = try socket.readSome(65536) } catch {
            if error.errno == EAGAIN { return }
            throw error
        }
        if more.isEmpty { throw .refused("systemd has closed the connection") }
        input += more
    }

    private mutating func send(_ bytes: [UInt8]) throws(Failure) {
        var done = 0
        while done < bytes.count {
            let answer = bytes.withUnsafeBytes { buffer in
                buffer.baseAddress.map { sys_write(socket.raw, $0 + done, bytes.count - done) } ?? 0
            }
            if answer == -Int(EAGAIN) {
                try wait(for: POLLOUT)
            } else if answer != -Int(EINTR) {
                done += try checked("write to systemd", answer)
            }
        }
    }

    private func wait(for event: Int32) throws(Failure) {
        while true {
            // Also where others keep it from ever being silent.
            if deadline.isOver { throw .refused("systemd does not answer at \"\(path)\"") }
            var item = poll_item(fd: socket.raw, events: Int16(event), revents: 0)
            let answer = sys_poll(&item, 1, deadline.remaining)
            if answer > 0 { return }
            if answer != -Int(EINTR) { try checked("poll", answer) }
        }
    }
}

/// An error that systemd, or the bus, answered a call with.
struct BusError: Error, Equatable {
    /// Like `org.freedesktop.systemd1.NoSuchUnit`.
    let name: String
    let text: String

    init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    init(_ message: BusMessage) throws(Failure) {
        name = message.errorName
        if message.signature.utf8.first == UInt8(ascii: "s") {
            var reader = BusReader(message.body)
            text = try reader.string()
        } else {
            text = ""
        }
    }

    var isNoSuchUnit: Bool { name == "org.freedesktop.systemd1.NoSuchUnit" }
    var isUnitExists: Bool { name == "org.freedesktop.systemd1.UnitExists" }

    func failure(_ call: String) -> Failure {
        let reason = text.isEmpty ? name : "\(text) (\(name))"
        return .refused("\(call): \(reason)")
    }
}
