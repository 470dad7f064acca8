internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI
internal import Plan

/// Bind mounts that are opened on the host before the child exists: those with mapped owners, which only somebody
/// with privileges over the file system may make; and those that stay peers of their sources, for the child's copies
/// are slaves.
///
/// They belong to no tree yet. The child inherits the descriptors; an exec closes them.
final class PreparedMounts {
    /// By the numbers that the plan gave them; −1: not to be opened, or handed out.
    private var trees: [Int32] = []

    init() {}

    init(for plan: Plan) throws(Failure) {
        var namespaces: [(source: MappedOwners.Source, raw: Int32)] = []
        defer { for namespace in namespaces { _ = sys_close(namespace.raw) } }
        for case .bind(let mount) in plan.mounts where mount.prepared != nil {
            try attempting("bind \"\(mount.source)\" on \"\(mount.target)\"") { () throws(Failure) in
                guard let source = try BindSource(of: mount).tree(recursive: mount.recursive) else {
                    trees.append(-1)
                    return
                }
                if let owners = mount.owners {
                    if !namespaces.contains(where: { $0.source == owners.source }) {
                        namespaces.append((owners.source, try OwnersNamespace.open(owners.source).release()))
                    }
                    for entry in namespaces where entry.source == owners.source {
                        try source.mapOwners(through: entry.raw, recursive: owners.recursive)
                    }
                }
                // The host must not see what is mounted in there, as it does not where the child opens the source.
                if !mount.staysPeer { try source.propagate(K_MS_SLAVE | K_MS_REC) }
                trees.append(source.take().release())
            }
        }
    }

    deinit { close() }

    /// Lets go of all: a mount is busy as long as somebody has it open.
    func close() {
        for raw in trees where raw >= 0 { _ = sys_close(raw) }
        trees = []
    }

    /// Hands a mount out, once; `nil` where its source is a link that is to be made again.
    func take(_ number: Int) -> DetachedMount? {
        guard trees.indices.contains(number), trees[number] >= 0 else { return nil }
        let raw = trees[number]
        trees[number] = -1
        return DetachedMount(adopting: FileDescriptor(adopting: raw))
    }
}

/// The source of a bind mount on the host.
struct BindSource: ~Copyable {
    private let place: FileDescriptor
    /// Whether it is a link that is made again in the container.
    let isCopiedLink: Bool

    init(of mount: BindMount) throws(Failure) {
        // One that is to be made again is looked at first; what is no link is opened by this all the same.
        let isLinkItself = mount.links.copies || !mount.links.followsSource
        let opened = try FileDescriptor.open(mount.source, flags: O_PATH | (isLinkItself ? O_NOFOLLOW : 0))
        var isCopied = false
        if mount.links.copies { isCopied = try opened.status().isSymbolicLink }
        isCopiedLink = isCopied
        place = opened
    }

    /// One that was opened before.
    init(adopting raw: Int32, isCopiedLink: Bool) {
        place = FileDescriptor(adopting: raw)
        self.isCopiedLink = isCopiedLink
    }

    /// Gives its descriptor away.
    consuming func take() -> Int32 { place.release() }

    /// A copy of the tree there; `nil` for a link that is made again.
    borrowing func tree(recursive: Bool) throws(Failure) -> DetachedMount? {
        if isCopiedLink { return nil }
        return try DetachedMount(cloning: place, recursive: recursive)
    }

    /// Where the link leads.
    borrowing func target() throws(Failure) -> String { try Files.link("", at: place.raw) }
}

/// User namespaces whose only use is to say how owners are mapped.
private enum OwnersNamespace {
    static func open(_ source: MappedOwners.Source) throws(Failure) -> FileDescriptor {
        switch source {
        case .namespace(let path):
            // Without O_NONBLOCK a FIFO would hold us.
            let file = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
            let kind = sys_ioctl(file.raw, UInt(K_NS_GET_NSTYPE), nil)
            guard sys_filesystem_magic(file.raw) == Int(K_NSFS_MAGIC), kind == Int(K_CLONE_NEWUSER) else {
                throw .refused("\"\(path)\" is no user namespace")
            }
            return file
        case .ranges(let uids, let gids):
            return try make(uids: uids, gids: gids)
        }
    }

    /// Such a namespace needs a process in it to be made, and no longer.
    private static func make(uids: [IDMapping], gids: [IDMapping]) throws(Failure) -> FileDescriptor {
        var pidfd: Int32 = -1
        let answer = sys_spawn(
            UInt64(K_CLONE_NEWUSER), -1, &pidfd, waitToBeKilled,
            UnsafeMutableRawPointer(bitPattern: sys_getpid()))
        let pid = Int32(try checked("create a user namespace for the owners", answer))
        let process = HalfMade(pid: pid, pidfd: pidfd)
        try Files.write(uids.map(\.line).joined(), to: "/proc/\(process.pid)/uid_map")
        try Files.write(gids.map(\.line).joined(), to: "/proc/\(process.pid)/gid_map")
        return try FileDescriptor.open("/proc/\(process.pid)/ns/user")
    }
}

/// What the process in such a namespace does; it ends with its maker, whose pid is the context, if that dies early.
private func waitToBeKilled(_ context: UnsafeMutableRawPointer?) -> Int32 {
    _ = sys_prctl(Int32(K_PR_SET_PDEATHSIG), UInt(SIGKILL))
    // Its maker might have died before that.
    while sys_getppid() == Int(bitPattern: context) { _ = sys_sleep_microseconds(1_000_000) }
    return 0
}
