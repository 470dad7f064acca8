internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel
internal import OCI
internal import Plan

/// All that a child needs to become the container's init, gathered before it exists.
///
/// A class, because its address crosses clone3: the child sees it in its copy of the memory.
final class Launch {
    let id: String
    let process: ProcessSpec
    /// The value of the annotation `org.mrun.executable`.
    let executable: String?
    let operations: [Operation]
    let cgroups: CgroupSet
    /// Kinds of new namespaces, as bits of clone3.
    let newNamespaces: UInt64
    /// Whether the child makes a cgroup namespace once it is in its cgroups.
    let newCgroupNamespace: Bool
    /// Whether the container exists already (`exec`).
    let isFurtherProcess: Bool
    let joins: NamespaceJoins
    let orders: Orders
    /// The parent's end of the conversation.
    let parentEnd: FileDescriptor
    /// The child's end; the parent lets go of it once the child exists.
    private var childEnd: FileDescriptor?
    let childEndNumber: Int32
    let startSocket: FileDescriptor?
    let exitRecord: FileDescriptor?
    /// Descriptors that the child must not hold on to.
    let parentsOwn: [Int32]
    /// Bind mounts that only the parent can open.
    let prepared: PreparedMounts
    var attachments: Attachments?
    let hooks: ContainerHooks?

    init(
        id: String, spec: Spec, process: ProcessSpec, plan: Plan, cgroups: CgroupSet,
        joins: consuming NamespaceJoins,
        orders: Orders, startSocket: consuming FileDescriptor?, exitRecord: consuming FileDescriptor?,
        parentsOwn: [Int32], prepared: PreparedMounts, hooks: ContainerHooks?
    ) throws(Failure) {
        self.id = id
        self.hooks = hooks
        self.process = process
        executable = spec.annotation(Meaning.executable)
        operations = plan.ordered
        self.cgroups = cgroups
        newNamespaces = Launch.newNamespaces(of: spec)
        newCgroupNamespace = spec.linux.namespaces.contains { $0.kind == .cgroup && $0.path == nil }
        isFurtherProcess = false
        self.joins = joins
        self.orders = orders
        self.startSocket = startSocket
        self.exitRecord = exitRecord
        self.parentsOwn = parentsOwn
        self.prepared = prepared
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        childEndNumber = pair.0
        childEnd = FileDescriptor(adopting: pair.0)
        parentEnd = FileDescriptor(adopting: pair.1)
    }

    /// A further process in a container that runs.
    init(
        id: String, entering joins: consuming NamespaceJoins, process: ProcessSpec, cgroups: CgroupSet,
        orders: Orders
    ) throws(Failure) {
        self.id = id
        self.process = process
        executable = nil
        operations = []
        self.cgroups = cgroups
        newNamespaces = 0
        newCgroupNamespace = false
        isFurtherProcess = true
        self.joins = joins
        self.orders = orders
        startSocket = nil
        exitRecord = nil
        parentsOwn = []
        prepared = PreparedMounts()
        hooks = nil
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        childEndNumber = pair.0
        childEnd = FileDescriptor(adopting: pair.0)
        parentEnd = FileDescriptor(adopting: pair.1)
    }

    private static func newNamespaces(of spec: Spec) -> UInt64 {
        spec.linux.namespaces.reduce(0) { bits, namespace in
            // A cgroup namespace shows the cgroup in which it was made: it must wait until the child is in
            // it.
            guard namespace.path == nil, namespace.kind != .cgroup else { return bits }
            return bits | NamespaceJoins.bit(namespace.kind)
        }
    }

    /// From now on only the child holds its end: its death ends the stream.
    func closeChildEnd() {
        childEnd = nil
        prepared.close()
    }

    /// Whether the report of mrun-init comes back over the conversation (it starts at once), or it is held.
    var startsAtOnce: Bool {
        switch startSocket {
        case .some: false
        case .none: true
        }
    }
}

/// Existing namespaces to enter: all are opened before the first is entered, since entering one may hide the
/// others.
struct NamespaceJoins: ~Copyable {
    private var opened: [(kind: NamespaceKind, raw: Int32)] = []
    /// A process whose namespaces are entered, all at once, but for its pid namespace.
    private var model: Int32?

    /// The pid namespace that is left for mrun-init to enter.
    private var pidNamespace: Int32?

    /// The namespaces of a running process; its user namespace is mrun's own.
    init(of process: consuming ProcessHandle, pid: Int32) throws(Failure) {
        let namespace = try FileDescriptor.open("/proc/\(pid)/ns/pid")
        // Alive after it was opened, so the pid has meant this process all the while.
        guard try !process.waitForEnd(milliseconds: 0) else {
            throw .refused("cannot exec in a stopped container")
        }
        pidNamespace = namespace.release()
        model = process.take().release()
    }

    /// Opens the namespaces that `spec` names by path, and checks that each is what it is said to be.
    init(of spec: Spec) throws(Failure) {
        for (index, namespace) in spec.linux.namespaces.enumerated() {
            guard let path = namespace.path else { continue }
            let pointer = "/linux/namespaces/\(index)/path"
            try attempting(pointer) { () throws(Failure) in
                // Without O_NONBLOCK a FIFO would hold us.
                let file = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
                guard try checked("statfs", sys_filesystem_magic(file.raw)) == Int(K_NSFS_MAGIC) else {
                    throw .refused("\"\(path)\" is no namespace")
                }
                let kind = try checked(
                    "ask the kind of \"\(path)\"", sys_ioctl(file.raw, UInt(K_NS_GET_NSTYPE), nil))
                guard UInt64(kind) == NamespaceJoins.bit(namespace.kind) else {
                    throw .refused("\"\(path)\" is no \(namespace.kind.rawValue) namespace")
                }
                opened.append((namespace.kind, file.release()))
            }
        }
    }

    deinit {
        for entry in opened { _ = sys_close(entry.raw) }
        if let model { _ = sys_close(model) }
        if let pidNamespace { _ = sys_close(pidNamespace) }
    }

    /// The pid namespace that is left for mrun-init to enter, or −1.
    ///
    /// A process of mrun in there would show its image, and through its root the host, to whoever may trace it
    /// (CVE-2019-5736): only mrun-init, with the container's root and reduced privileges, is ever seen inside.
    var pidNamespaceToEnter: Int32 { pidNamespace ?? -1 }

    /// Whether a cgroup namespace is among them: file systems of cgroups then begin at its root.
    var hasCgroupNamespace: Bool { opened.contains { $0.kind == .cgroup } }

    /// Enters them all; the mount namespace last, since it changes what paths mean.
    borrowing func enter() throws(Failure) {
        if let model {
            let kinds = K_CLONE_NEWNS | K_CLONE_NEWNET | K_CLONE_NEWIPC | K_CLONE_NEWUTS | K_CLONE_NEWCGROUP
            try checked("enter the container's namespaces", sys_setns(model, Int32(kinds)))
        }
        for entry in opened {
            try checked(
                "enter the \(entry.kind.rawValue) namespace",
                sys_setns(entry.raw, Int32(truncatingIfNeeded: NamespaceJoins.bit(entry.kind))))
        }
    }

    /// The bit of clone3 and setns for a kind.
    static func bit(_ kind: NamespaceKind) -> UInt64 {
        switch kind {
        case .pid: UInt64(K_CLONE_NEWPID)
        case .network: UInt64(K_CLONE_NEWNET)
        case .mount: UInt64(K_CLONE_NEWNS)
        case .ipc: UInt64(K_CLONE_NEWIPC)
        case .uts: UInt64(K_CLONE_NEWUTS)
        case .user: UInt64(K_CLONE_NEWUSER)
        case .cgroup: UInt64(K_CLONE_NEWCGROUP)
        case .time: UInt64(K_CLONE_NEWTIME)
        }
    }
}

/// A child that is not yet let go: unless it is, it dies with this value.
struct HalfMade: ~Copyable {
    let pid: Int32
    private let pidfd: Int32

    init(pid: Int32, pidfd: Int32) {
        self.pid = pid
        self.pidfd = pidfd
    }

    deinit {
        var status: Int32 = 0
        _ = sys_pidfd_send_signal(pidfd, SIGKILL)
        _ = sys_wait_pidfd(pidfd, 0, &status)
        _ = sys_close(pidfd)
    }

    /// The number of its pidfd; valid as long as this value lives.
    var descriptor: Int32 { pidfd }

    /// The child may live: from here on the record answers for it.
    consuming func letGo() -> ProcessHandle {
        let pidfd = pidfd
        discard self
        return ProcessHandle(adopting: FileDescriptor(adopting: pidfd))
    }
}

extension Launch {
    /// Makes the child in its new namespaces; on v2 in its cgroup.
    func spawn(intoCgroup cgroup: Int32) throws(Failure) -> HalfMade {
        var pidfd: Int32 = -1
        let context = Unmanaged.passUnretained(self).toOpaque()
        let answer = sys_spawn(newNamespaces, cgroup, &pidfd, childEntry, context)
        let pid = try checked("create the namespaces", answer)
        return HalfMade(pid: Int32(pid), pidfd: pidfd)
    }
}

private func childEntry(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 1 }
    var child = Child(Unmanaged<Launch>.fromOpaque(context).takeUnretainedValue())
    return child.run()
}
