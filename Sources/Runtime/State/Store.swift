internal import CKernel
internal import Glibc
internal import Kernel

/// The folder that holds one folder for each container: `/run/mrun`, or what `--root` says.
struct Store: Sendable {
    /// Absolute.
    let root: String

    /// A store at `root`; the folder is made when the first container is.
    ///
    /// The sticky bit keeps it from those who tidy up where it lies.
    init(root: String, isSticky: Bool = false) {
        self.root = root
        self.isSticky = isSticky
    }

    private let isSticky: Bool

    /// Makes the folder of a new container.
    ///
    /// Making it is what decides between two callers with the same id.
    func make(_ id: String) throws(Failure) -> ContainerFolder {
        let directory = try openOrMakeRoot()
        let answer = sys_mkdirat(directory.raw, id, 0o711)
        if answer == -Int(EEXIST) {
            throw Store.taken(id)
        }
        try checked("mkdir \"\(root)/\(id)\"", answer)
        do throws(Failure) {
            guard let folder = try open(id, in: directory) else {
                throw Failure.refused("container \"\(id)\" was deleted while it was being created")
            }
            try folder.lock()
            return folder
        } catch {
            _ = sys_unlinkat(directory.raw, id, AT_REMOVEDIR)
            throw error
        }
    }

    /// Clients look for these words.
    static func taken(_ id: String) -> Failure {
        .refused("container with given ID already exists: \"\(id)\"")
    }

    /// Whether there is a container, or anything else, with this id.
    func has(_ id: String) throws(Failure) -> Bool { try FileStatus.of(root + "/" + id) != nil }

    /// The folder of an existing container; `nil` where there is none.
    func find(_ id: String) throws(Failure) -> ContainerFolder? {
        guard let directory = try FileDescriptor.openIfPresent(root, flags: O_RDONLY | O_DIRECTORY) else {
            return nil
        }
        return try open(id, in: directory)
    }

    /// The folder of an existing container, with the right to change it: commands on one container wait for
    /// each other.
    func findLocked(_ id: String) throws(Failure) -> ContainerFolder? {
        // Whoever held the lock may have deleted the container, and another may have the id by now.
        while true {
            guard let folder = try find(id) else { return nil }
            try folder.lock()
            if try folder.isInPlace(below: root) { return folder }
        }
    }

    /// The ids of all containers, sorted.
    func ids() throws(Failure) -> [String] {
        try Files.names(inFolder: root).filter { !$0.hasPrefix(".") }.sorted()
    }

    private func open(_ id: String, in directory: borrowing FileDescriptor) throws(Failure)
        -> ContainerFolder?
    {
        let answer = sys_openat(directory.raw, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        if answer == -Int(ENOENT) { return nil }
        if answer == -Int(ELOOP) || answer == -Int(ENOTDIR) {
            throw .refused("\"\(root)/\(id)\" is no folder of a container")
        }
        let raw = Int32(try checked("open \"\(root)/\(id)\"", answer))
        return ContainerFolder(
            id: id, path: root + "/" + id, parent: try directory.duplicate(),
            directory: FileDescriptor(adopting: raw))
    }

    func openOrMakeRoot() throws(Failure) -> FileDescriptor {
        if let there = try FileDescriptor.openIfPresent(root, flags: O_RDONLY | O_DIRECTORY) { return there }
        try makeRoot()
        return try FileDescriptor.open(root, flags: O_RDONLY | O_DIRECTORY)
    }

    private func makeRoot() throws(Failure) {
        var path = ""
        for step in Path.steps(root) {
            path += "/" + step
            let answer = sys_mkdirat(AT_FDCWD, path, path == root ? (isSticky ? 0o1700 : 0o700) : 0o755)
            if answer == -Int(EEXIST) { continue }
            try checked("mkdir \"\(path)\"", answer)
        }
    }
}

/// The open folder of one container.
struct ContainerFolder: ~Copyable {
    let id: String
    let path: String
    private let parent: FileDescriptor
    let directory: FileDescriptor

    init(id: String, path: String, parent: consuming FileDescriptor, directory: consuming FileDescriptor) {
        self.id = id
        self.path = path
        self.parent = parent
        self.directory = directory
    }

    /// The descriptors of this value, for a child that must let go of them.
    var descriptors: [Int32] { [directory.raw, parent.raw] }

    /// Names in the folder.
    enum Name {
        static let record = "state.json"
        static let config = "config.json"
        /// Exists while the container waits for its start.
        static let startSocket = "start.sock"
        /// What mrun-init writes of the task's life.
        static let exit = "exit"
        /// A link whose target is the list of cgroups: it outlives a damaged record.
        static let cgroups = "cgroups"
        /// The folder with the socket on which the task tells that it is ready.
        static let notify = "notify"
        /// Where criu tells the pid of what it has restored; gone when that is in the record.
        static let restoredPid = "criu.pid"
    }

    /// How long a command waits for another one on the same container.
    private static let patience: Int64 = 30_000

    /// Takes the lock that orders commands; it goes with the descriptor, however the process ends.
    borrowing func lock() throws(Failure) {
        var answer = sys_flock(directory.raw, LOCK_EX | LOCK_NB)
        let deadline = Deadline(milliseconds: ContainerFolder.patience)
        while answer == -Int(EWOULDBLOCK) && !deadline.isOver {
            pause(microseconds: 500)
            answer = sys_flock(directory.raw, LOCK_EX | LOCK_NB)
        }
        if answer == -Int(EWOULDBLOCK) {
            throw .refused("container \"\(id)\": another command has been working on it for 30 s")
        }
        try checked("lock \"\(path)\"", answer)
    }

    /// Whether the folder is still the one that the id leads to.
    borrowing func isInPlace(below root: String) throws(Failure) -> Bool {
        let mine = try directory.status()
        guard let there = try FileStatus.of(root + "/" + id) else { return false }
        return there.inode == mine.inode && there.device == mine.device
    }

    /// Writes a file in one step.
    borrowing func write(_ name: String, _ text: String) throws(Failure) {
        // A crash of the machine takes the containers with it; what must survive is a kill, which needs no
        // sync.
        let isMemory = sys_filesystem_magic(directory.raw) == Int(K_TMPFS_MAGIC)
        try Files.replace(name, in: directory.raw, with: text, sync: !isMemory)
    }

    /// Opens a new file for appending.
    borrowing func makeAppendable(_ name: String) throws(Failure) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW
        return try FileDescriptor.open(name, at: directory.raw, flags: flags, mode: 0o600)
    }

    /// A path for calls that take no descriptor, short enough for a unix socket.
    borrowing func procPath(_ name: String) -> String { directory.procPath + "/" + name }

    /// Removes one file; a missing one is fine.
    borrowing func unlink(_ name: String) throws(Failure) {
        let answer = sys_unlinkat(directory.raw, name, 0)
        if answer == -Int(ENOENT) { return }
        try checked("unlink \"\(path)/\(name)\"", answer)
    }

    /// Removes the folder and what mrun has put into it, the record last: as long as there is something, it can be
    /// found.
    ///
    /// - Throws: a refusal, before anything is removed, when it holds other things: then it is no container's.
    borrowing func remove() throws(Failure) {
        let names = try Files.names(in: directory.raw)
        if let stranger = names.first(where: { !ContainerFolder.isOurs($0) }) {
            throw .refused("\"\(path)\" holds \"\(stranger)\": it is no folder of a container")
        }
        for name in names where name != Name.record {
            if name == Name.notify { try removeNotifyFolder() } else { try unlink(name) }
        }
        try unlink(Name.record)
        let answer = sys_unlinkat(parent.raw, id, AT_REMOVEDIR)
        if answer == -Int(ENOENT) { return }
        try checked("rmdir \"\(path)\"", answer)
    }

    /// Whether mrun makes files of this name, temporary ones (`.NAME.PID`) included.
    private static func isOurs(_ name: String) -> Bool {
        let own = [
            Name.record, Name.config, Name.startSocket, Name.exit, Name.cgroups, Name.notify,
            Name.restoredPid,
        ]
        return own.contains { name == $0 || name.hasPrefix(".\($0).") }
    }
}
