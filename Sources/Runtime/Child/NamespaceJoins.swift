internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// Existing namespaces to enter: all are opened before the first is entered, since entering one may hide the
/// others.
struct NamespaceJoins: ~Copyable {
    private var opened: [(kind: NamespaceKind, raw: Int32)] = []
    /// A process whose namespaces are entered, all at once, but for its pid namespace.
    private var model: Int32?

    /// The pid namespace that is left for mrun-init to enter.
    private var pidNamespace: Int32?

    /// The kinds of `model` that are entered, as bits of setns.
    private var kinds: UInt32 = 0
    /// Whether the user namespace of `model` is another one than mrun's.
    private(set) var entersUser = false
    /// Whether what is born after `enter` is born in another pid namespace.
    private(set) var entersPid = false
    /// Whether setgroups is forbidden there; `nil`: to be found out inside.
    private(set) var deniesGroups: Bool?

    /// The namespaces of a running process of a container with this config.
    init(of process: consuming ProcessHandle, pid: Int32, _ linux: LinuxSpec) throws(Failure) {
        kinds = K_CLONE_NEWNS | K_CLONE_NEWNET | K_CLONE_NEWIPC | K_CLONE_NEWUTS | K_CLONE_NEWCGROUP
        if linux.namespace(.time) != nil { kinds |= K_CLONE_NEWTIME }
        if linux.namespace(.user) != nil, try NamespaceJoins.differs("user", pid) {
            // Inside, the kernel refuses to enter once more what is mrun's own; and a pid namespace is best entered
            // together with the others, since it may be none of the user namespace's.
            kinds = try NamespaceJoins.others(than: pid)
            entersUser = true
            entersPid = kinds & K_CLONE_NEWPID != 0
            deniesGroups = try Files.read("/proc/\(pid)/setgroups").hasPrefix("deny")
        } else {
            pidNamespace = try FileDescriptor.open("/proc/\(pid)/ns/pid").release()
        }
        // Alive after all this, so the pid has meant this process all the while.
        let hasEnded = try process.waitForEnd(milliseconds: 0)
        model = process.take().release()
        guard !hasEnded else { throw .refused("cannot exec in a stopped container") }
    }

    /// The kinds of namespaces in which process `pid` is not where mrun is.
    private static func others(than pid: Int32) throws(Failure) -> UInt32 {
        var kinds = K_CLONE_NEWUSER
        if try differs("mnt", pid) { kinds |= K_CLONE_NEWNS }
        if try differs("net", pid) { kinds |= K_CLONE_NEWNET }
        if try differs("ipc", pid) { kinds |= K_CLONE_NEWIPC }
        if try differs("uts", pid) { kinds |= K_CLONE_NEWUTS }
        if try differs("pid", pid) { kinds |= K_CLONE_NEWPID }
        if try differs("cgroup", pid) { kinds |= K_CLONE_NEWCGROUP }
        if try differs("time", pid) { kinds |= K_CLONE_NEWTIME }
        return kinds
    }

    private static func differs(_ name: String, _ pid: Int32) throws(Failure) -> Bool {
        try Files.link("/proc/self/ns/\(name)") != Files.link("/proc/\(pid)/ns/\(name)")
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
                if namespace.kind == .user, try file.status().inode == NamespaceJoins.own("user") {
                    throw .refused("\"\(path)\" is the user namespace of mrun itself")
                }
                if let change = spec.change(in: namespace.kind),
                    try file.status().inode == NamespaceJoins.own(namespace.kind.fileName)
                {
                    let kind = namespace.kind.rawValue
                    throw .refused(
                        "\"\(path)\" is the host's own \(kind) namespace, in which \(change) must not be set")
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

    private static func own(_ name: String) throws(Failure) -> UInt64 {
        try FileDescriptor.open("/proc/self/ns/" + name, flags: O_PATH).status().inode
    }

    /// Whether a cgroup namespace is among them: file systems of cgroups then begin at its root.
    var hasCgroupNamespace: Bool { opened.contains { $0.kind == .cgroup } }

    /// The pid namespace that the config names by path, or −1.
    var existingPid: Int32 { opened.first { $0.kind == .pid }?.raw ?? -1 }

    /// The network namespace that the config names by path.
    borrowing func existingNetwork() throws(Failure) -> FileDescriptor? {
        for entry in opened where entry.kind == .network {
            return FileDescriptor(
                adopting: Int32(try checked("dup", sys_fcntl(entry.raw, F_DUPFD_CLOEXEC, 3))))
        }
        return nil
    }

    /// Enters them all but the mount namespace, which changes what paths mean; a running process' all at once.
    borrowing func enter() throws(Failure) {
        if let model {
            try checked("enter the container's namespaces", sys_setns(model, Int32(bitPattern: kinds)))
        }
        for entry in opened where entry.kind != .mount { try enter(entry) }
    }

    /// The same with a user namespace among them, or among those that are to be made: what may be entered from outside
    /// is, then the user namespace, then the rest.
    borrowing func enterStepwise(making new: UInt64) throws(Failure) {
        var inside: [(kind: NamespaceKind, raw: Int32)] = []
        for entry in opened where entry.kind != .user && entry.kind != .mount {
            let answer = sys_setns(entry.raw, NamespaceJoins.kind(entry))
            if answer == -Int(EPERM) { inside.append(entry) } else { try check(entry, answer) }
        }
        for entry in opened where entry.kind == .user { try enter(entry) }
        try checked("create the namespaces", sys_unshare(Int32(truncatingIfNeeded: new)))
        for entry in inside { try enter(entry) }
    }

    /// Enters the existing mount namespace, if there is one.
    borrowing func enterMounts() throws(Failure) {
        for entry in opened where entry.kind == .mount { try enter(entry) }
    }

    private borrowing func enter(_ entry: (kind: NamespaceKind, raw: Int32)) throws(Failure) {
        try check(entry, sys_setns(entry.raw, NamespaceJoins.kind(entry)))
    }

    private borrowing func check(
        _ entry: (kind: NamespaceKind, raw: Int32), _ answer: Int
    ) throws(Failure) {
        try checked("enter the \(entry.kind.rawValue) namespace", answer)
    }

    private static func kind(_ entry: (kind: NamespaceKind, raw: Int32)) -> Int32 {
        Int32(truncatingIfNeeded: NamespaceJoins.bit(entry.kind))
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

extension NamespaceKind {
    /// The name in `/proc/PID/ns`.
    fileprivate var fileName: String {
        switch self {
        case .network: "net"
        case .mount: "mnt"
        default: rawValue
        }
    }
}
