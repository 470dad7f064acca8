internal import CKernel
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// The connection of `start` to a held mrun-init.
struct StartSocket: ~Copyable {
    private let socket: FileDescriptor

    init(connecting folder: borrowing ContainerFolder) throws(Failure) {
        let socket = FileDescriptor(
            adopting: Int32(try checked("socket", sys_unix_socket(Int32(SOCK_SEQPACKET.rawValue)))))
        let path = folder.procPath(ContainerFolder.Name.startSocket)
        try checked("connect to the container's init", sys_unix_connect(socket.raw, path))
        self.socket = socket
    }

    /// Lets the task go and waits until it has been executed.
    borrowing func start(
        _ folder: borrowing ContainerFolder, _ record: Record, _ hooks: ContainerHooks?
    ) throws(Failure) {
        try socket.write("S")
        let config = folder.configReader()
        let listener = { () throws(Failure) in try SeccompListener(try config.read(), record, .created) }
        try InitReport.read(from: Conversation(socket: socket.raw), hooks: hooks, listener: listener) {
            () throws(Failure) in
            let spec = try config.read()
            let process = spec.process ?? ProcessSpec(args: [], cwd: "/")
            return (spec.annotation(Meaning.executable) ?? process.args.first ?? "", process)
        }
    }
}

/// Reads the config as it was when the container was created; the bundle may be gone.
struct ConfigReader {
    fileprivate let id: String
    fileprivate let directory: Int32

    func read() throws(Failure) -> Spec {
        let text = try Files.readRegular(ContainerFolder.Name.config, at: directory)
        return try attempting("config of container \"\(id)\"") { () throws(Failure) in
            try Spec(reading: text)
        }
    }
}

extension ContainerFolder {
    /// Must not outlive this value, whose descriptor it uses.
    borrowing func configReader() -> ConfigReader { ConfigReader(id: id, directory: directory.raw) }
}
