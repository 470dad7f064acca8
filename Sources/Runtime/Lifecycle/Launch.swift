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
    /// Not changed any more once the child exists.
    var cgroups: CgroupSet
    let entrance: Entrance
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
        entrance = Entrance(of: spec.linux)
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
        entrance = Entrance(entering: joins)
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

    /// Whether the container's process is another one than the child, born in a pid namespace.
    var entersPidNamespace: Bool { entrance.isBornLater || joins.pidNamespaceToEnter >= 0 }

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
        // An ordinary user may write nothing into the procfs files of a child that is not dumpable. It stops being so
        // before it goes where others are.
        let isOrdinary = sys_geteuid() != 0
        if isOrdinary { try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 1)) }
        let answer = sys_spawn(entrance.born, cgroup, &pidfd, childEntry, context)
        if isOrdinary { try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 0)) }
        if answer == -Int(EPERM) && isOrdinary && !entrance.usesUser {
            throw .refused("only root makes a container without a user namespace (linux.namespaces)")
        }
        let pid = try checked("create the namespaces", answer)
        return HalfMade(pid: Int32(pid), pidfd: pidfd)
    }
}

private func childEntry(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 1 }
    var child = Child(Unmanaged<Launch>.fromOpaque(context).takeUnretainedValue())
    return child.run()
}
