internal import CKernel
internal import Cgroups
internal import Glibc
public import JSON
public import Kernel
internal import OCI

/// The containers of one state root: everything that mrun can do with them.
///
/// The command line is a thin user of this; a Swift program may be another. Some calls change the calling
/// thread's process (signal masks, the pid namespace of its children), as is natural for a runtime that runs
/// one container.
public struct Containers: Sendable {
    let store: Store
    /// Is told what a config asks for and does not get, where that is no reason to fail; for a log.
    public var onNotice: (@Sendable (String) -> Void)?
    /// Hears of what went wrong without being a failure.
    let warn: @Sendable (String) -> Void
    let rootless: Rootless

    /// The containers whose state lies in `root`, an absolute path.
    ///
    /// With `isRuntimeFolder` it is made such that nobody who tidies up `$XDG_RUNTIME_DIR` takes it away. `warn` is told
    /// what went wrong without being a failure: a hook of poststop.
    public init(
        root: String, isRuntimeFolder: Bool = false, rootless: Rootless = .auto,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        store = Store(root: root, isSticky: isRuntimeFolder)
        self.rootless = rootless
        self.warn = warn
    }

    /// The ids of all containers, sorted, also of damaged ones.
    public func ids() throws(Failure) -> [String] { try store.ids() }

    /// What is known of a container now.
    public func snapshot(of id: String) throws(Failure) -> Snapshot {
        let folder = try existing(id)
        return try snapshot(of: folder)
    }

    func tell(_ notices: [String]) {
        for notice in notices { onNotice?(notice) }
    }

    func existing(_ id: String) throws(Failure) -> ContainerFolder {
        guard let folder = try store.find(id) else { throw Containers.missing(id) }
        return folder
    }

    func existingLocked(_ id: String) throws(Failure) -> ContainerFolder {
        guard let folder = try store.findLocked(id) else { throw Containers.missing(id) }
        return folder
    }

    /// Clients look for "does not exist".
    static func missing(_ id: String) -> Failure { .refused("container \"\(id)\" does not exist") }

    func snapshot(of folder: borrowing ContainerFolder) throws(Failure) -> Snapshot {
        guard let record = try folder.record() else {
            throw .refused(
                "container \"\(folder.id)\" has no record: it is being created, or its creator died early")
        }
        let status = try status(of: record, in: folder)
        let ending = status == .stopped ? try ending(of: record, in: folder) : nil
        let started = try folder.exitRecord()?.started
        return Snapshot(record: record, status: status, ending: ending, started: started)
    }

    /// Asks the kernel; the record says only how far `create` has come.
    func status(of record: Record, in folder: borrowing ContainerFolder) throws(Failure) -> Status {
        if record.phase == .creating { return .creating }
        guard let process = record.process, try record.bootID == Record.currentBootID(), try process.isAlive()
        else {
            return .stopped
        }
        if try CgroupManager(record.cgroups).isFrozen() { return .paused }
        return try isHeld(folder) ? .created : .running
    }

    /// Whether mrun-init still waits for the start: its socket answers.
    ///
    /// A socket file that nobody answers was left by a `start` that was killed right after it had let the
    /// task go.
    private func isHeld(_ folder: borrowing ContainerFolder) throws(Failure) -> Bool {
        guard try FileStatus.of(ContainerFolder.Name.startSocket, at: folder.directory.raw) != nil else {
            return false
        }
        let socket = FileDescriptor(
            adopting: Int32(
                try checked("socket", sys_unix_socket(Int32(SOCK_SEQPACKET.rawValue) | O_NONBLOCK))))
        let answer = sys_unix_connect(socket.raw, folder.procPath(ContainerFolder.Name.startSocket))
        if answer == -Int(ECONNREFUSED) || answer == -Int(ENOENT) { return false }
        // EAGAIN: others are asking just now; someone who listens is there.
        if answer == -Int(EAGAIN) { return true }
        try checked("connect to the container's init", answer)
        return true
    }
}

/// The states of the specification, and `paused`.
public enum Status: String, Sendable {
    /// `create` is at work, or died at it.
    case creating
    /// Everything is ready, the task waits for `start`.
    case created
    /// The task runs.
    case running
    /// All processes are frozen.
    case paused
    /// The task has ended.
    case stopped
}

/// A container as it was found.
public struct Snapshot: Sendable {
    let record: Record
    /// What the kernel says it does.
    public let status: Status
    /// How the task ended, when it has.
    public let ending: Ending?
    let started: Moment?

    /// The id.
    public var id: String { record.id }
    /// The user who created it.
    public var owner: UInt32 { record.owner }
    /// The container's init, 0 when there is none.
    public var pid: Int32 { status == .stopped || status == .creating ? 0 : record.process?.pid ?? 0 }

    /// The state of the specification, with what mrun knows more; `owner` is a user name or empty.
    public func json(owner: String) -> JSON {
        .object([
            "ociVersion": .string(Spec.version),
            "id": .string(record.id),
            "pid": .integer(Int64(pid)),
            "status": .string(status.rawValue),
            "bundle": .string(record.bundle),
            "rootfs": .string(record.rootfs),
            "created": .string(record.created.text),
            "annotations": record.annotations.isEmpty ? nil : Annotation.json(record.annotations),
            "owner": .string(owner),
            "startedAt": started.map { .string($0.text) },
            "exit": ending?.json,
        ])
    }

    /// One row of `list`.
    public var row: (id: String, pid: String, status: String, bundle: String, created: String, owner: UInt32)
    {
        (record.id, String(pid), status.rawValue, record.bundle, record.created.text, record.owner)
    }
}
