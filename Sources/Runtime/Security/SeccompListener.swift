internal import CKernel
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// The agent that decides calls with `SCMP_ACT_NOTIFY`, and what it gets to know of the container.
struct SeccompListener {
    /// Its socket, on the host.
    private let path: String
    private let metadata: String?
    private let record: Record
    private let status: Status

    /// - Throws: a refusal where the config names no agent; it did when the container was created.
    init(_ spec: Spec, _ record: Record, _ status: Status) throws(Failure) {
        let profile = try spec.linux.readSeccomp()
        guard let path = profile?.listenerPath else {
            throw .refused("the config has no /linux/seccomp/listenerPath")
        }
        self.path = path
        metadata = profile?.listenerMetadata
        self.record = record
        self.status = status
    }

    /// The `ContainerProcessState` of the specification; `pid` is that of the process with the filter.
    fileprivate func message(_ pid: Int32) throws(Failure) -> String {
        let annotations = record.annotations
        var initPID = record.process?.pid
        if status == .creating {
            // The record may not know it yet: the child that it knows may have made another one.
            initPID = record.stayingInit ? try ProcessStat.of(pid: pid)?.parent : pid
        }
        let state = JSON.object([
            "ociVersion": .string(Spec.version), "id": .string(record.id), "status": .string(status.rawValue),
            "pid": initPID.map { .integer(Int64($0)) }, "bundle": .string(record.bundle),
            "annotations": annotations.isEmpty ? nil : Annotation.json(annotations),
        ])
        return JSON.object([
            "ociVersion": .string(Spec.version), "fds": .array(["seccompFd"]), "pid": .integer(Int64(pid)),
            "metadata": metadata.map(JSON.string), "state": state,
        ]).text()
    }

    fileprivate func connect() throws(Failure) -> FileDescriptor {
        try attempting("/linux/seccomp/listenerPath \"\(path)\"") { () throws(Failure) in
            // Through a descriptor: a path may be longer than the address of a socket.
            let place = try FileDescriptor.open(path, flags: O_PATH)
            let socket = FileDescriptor(
                adopting: Int32(try checked("socket", sys_unix_socket(Int32(SOCK_STREAM.rawValue)))))
            try checked("limit the time", sys_limit_sending(socket.raw, SeccompListener.patience))
            try checked("connect to the seccomp agent", sys_unix_connect(socket.raw, place.procPath))
            return socket
        }
    }

    /// Seconds that an agent has to take a connection, and what is sent.
    private static let patience: Int32 = 10
}

/// A connection to the agent, for one process.
///
/// The agent is connected to before the process gets its filter, so that one who is not there is noticed in time.
struct SeccompHandover: ~Copyable {
    private let listener: SeccompListener
    private let agent: FileDescriptor

    init(_ listener: SeccompListener, _ conversation: Conversation) throws(Failure) {
        self.listener = listener
        try checked("SO_PASSCRED", sys_tell_senders(conversation.socket))
        agent = try listener.connect()
    }

    /// Gives the agent what `pid` has under `number`.
    borrowing func send(of pid: Int32, _ number: UInt32) throws(Failure) {
        let descriptor = try SeccompHandover.copy(of: pid, Int32(bitPattern: number))
        let message = Array(try listener.message(pid).utf8)
        try attempting("tell the seccomp agent") { () throws(Failure) in
            let sent = try checked(
                "sendmsg", sys_send_descriptor(agent.raw, message, message.count, descriptor.raw))
            try agent.write(Array(message[sent...]))
        }
    }

    private static func copy(of pid: Int32, _ number: Int32) throws(Failure) -> FileDescriptor {
        let process = FileDescriptor(
            adopting: Int32(try checked("pidfd_open", sys_pidfd_open(pid, 0))))
        let raw = try checked("take the seccomp listener", sys_pidfd_getfd(process.raw, number))
        let descriptor = FileDescriptor(adopting: Int32(raw))
        // Were the process killed, its pid might mean another one by now.
        guard try Files.link(descriptor.procPath) == "anon_inode:seccomp notify" else {
            throw .refused("the task died before it could start")
        }
        return descriptor
    }
}
