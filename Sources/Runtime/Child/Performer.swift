internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel
internal import OCI
internal import Plan

/// Carries out operations in the namespaces of the process that calls it.
struct Performer: ~Copyable {
    let cgroups: CgroupSet
    let cgroupNamespace: Bool
    /// Whether the caller is in a user namespace of the container, in which nobody makes device nodes.
    let inUserNamespace: Bool
    /// An existing pid namespace that the container is in, or −1.
    var existingPid: Int32 = -1
    private var root: Root?
    /// Places of the host that were opened while that was allowed, see `openSources`.
    private var sources: [(path: String, raw: Int32)] = []

    init(cgroups: CgroupSet, cgroupNamespace: Bool, inUserNamespace: Bool) {
        self.cgroups = cgroups
        self.cgroupNamespace = cgroupNamespace
        self.inUserNamespace = inUserNamespace
    }

    deinit { for source in sources { _ = sys_close(source.raw) } }

    /// Opens what the operations take from the host, as far as that is there: the container's root user may not go
    /// where mrun may.
    mutating func openSources(of operations: [Operation]) {
        for operation in operations {
            let path: String
            switch operation {
            case .bindRoot(let root): path = root
            case .bind(let mount): path = mount.source
            default: continue
            }
            let answer = sys_openat(AT_FDCWD, path, O_PATH, 0)
            // What cannot be opened now fails later, with its name and its reason.
            if answer >= 0 { sources.append((path, Int32(answer))) }
        }
    }

    /// The place at `path` of the host.
    private mutating func source(_ path: String) throws(Failure) -> FileDescriptor {
        if let index = sources.firstIndex(where: { $0.path == path }) {
            return FileDescriptor(adopting: sources.remove(at: index).raw)
        }
        return try FileDescriptor.open(path, flags: O_PATH)
    }

    /// Performs one step; the failure says which.
    mutating func perform(_ operation: Operation) throws(Failure) {
        switch operation {
        case .propagation(let propagation), .rootPropagation(let propagation):
            try MountTree.setPropagation(propagation.flags, of: "/")
        case .shareRoot:
            root = Root(adopting: try FileDescriptor.open("/", flags: O_PATH | O_DIRECTORY))
        case .bindRoot(let path):
            try attempting("rootfs \"\(path)\"") { () throws(Failure) in try bindRoot(path) }
        case .mount(let mount):
            try attempting("mount \(mount.type) on \"\(mount.target)\"") { () throws(Failure) in
                try perform(mount)
            }
        case .bind(let mount):
            try attempting("bind \"\(mount.source)\" on \"\(mount.target)\"") { () throws(Failure) in
                try perform(mount)
            }
        case .cgroups(let target, let attributes):
            try attempting("mount cgroups on \"\(target)\"") { () throws(Failure) in
                try mountCgroups(on: target, attributes)
            }
        case .device(let device): try make(device)
        case .link(let path, let target): try makeLink(path, target)
        case .mask(let path):
            try attempting("mask \"\(path)\"") { () throws(Failure) in try mask(path) }
        case .readOnly(let path):
            try attempting("make \"\(path)\" read-only") { () throws(Failure) in try makeReadOnly(path) }
        case .readOnlyRoot: try makeRootReadOnly()
        case .sysctl(let name, let value): try TrustedProc().write(value, to: Performer.sysctlPath(name))
        case .pivot: try pivot()
        case .enterRoot(let path): try MountTree.changeRoot(to: path)
        case .moveRoot:
            try inRoot { (root) throws(Failure) in try MountTree.moveToRoot(root.directory) }
        case .hostname(let name):
            try checked("sethostname \"\(name)\"", sys_sethostname(name, name.utf8.count))
        case .domainname(let name):
            try checked("setdomainname \"\(name)\"", sys_setdomainname(name, name.utf8.count))
        }
    }

    /// `net.ipv4.ip_forward` and `net/ipv4/ip_forward` both name a file.
    private static func sysctlPath(_ name: String) -> String {
        "sys/" + (name.utf8.contains(UInt8(ascii: "/")) ? name : String(name.map { $0 == "." ? "/" : $0 }))
    }

    private mutating func bindRoot(_ path: String) throws(Failure) {
        let place = try source(path)
        let tree = try DetachedMount(cloning: place, recursive: true)
        try tree.attach(to: place)
        root = Root(adopting: tree.take())
    }

    /// The root, which the plan opens first.
    func inRoot<T: ~Copyable>(_ body: (borrowing Root) throws(Failure) -> T) throws(Failure) -> T {
        switch root {
        case .some(let root): return try body(root)
        case .none: throw .refused("the plan has no root")
        }
    }

    private func perform(_ mount: FilesystemMount) throws(Failure) {
        let tree =
            mount.type == "proc" && existingPid >= 0
            ? try ForeignProc.mount(mount, of: existingPid)
            : try DetachedMount(
                type: mount.type, source: mount.source, parameters: mount.parameters,
                attributes: mount.attributes.set)
        if let propagation = mount.propagation {
            try tree.change(
                propagation: propagation.flags & ~16384, recursive: propagation.flags & 16384 != 0)
        }
        // An image that makes /proc or /sys a link would get labels and masks written elsewhere
        // (CVE-2019-19921).
        let isKernelView = mount.type == "proc" || mount.type == "sysfs"
        try attach(tree, at: mount.target, links: isKernelView ? .none : .inside)
    }

    private mutating func perform(_ mount: BindMount) throws(Failure) {
        let source = try source(mount.source)
        let tree = try DetachedMount(cloning: source, recursive: mount.recursive)
        try apply(mount.attributes, to: tree)
        if let propagation = mount.propagation {
            try tree.change(
                propagation: propagation.flags & ~16384, recursive: propagation.flags & 16384 != 0)
        }
        if mount.target == "/proc" || mount.target.hasPrefix("/proc/") {
            try requireProcfs(source, for: mount.target)
        }
        let isDirectory = try source.status().isDirectory
        try attach(tree, at: mount.target, directory: isDirectory)
    }

    /// Puts a mount in its place, if that place really is what the config calls it.
    ///
    /// The planner has looked at the words; a link of the image can still lead to procfs, where a mount would deceive
    /// whoever reads or writes there, or to the root, which it would hide.
    func attach(
        _ tree: borrowing DetachedMount, at target: String, directory: Bool = true,
        links: Root.Links = .inside
    ) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            let place = try root.mountPoint(target, directory: directory, links: links)
            let status = try place.status()
            if !directory && status.isDirectory {
                // The kernel would say EINVAL; clients look for "not a directory".
                throw Failure(.kernel(call: "mount a file over a folder", errno: ENOTDIR))
            }
            let top = try root.directory.status()
            if status.inode == top.inode && status.device == top.device {
                throw .refused("it leads to the root, which a mount would hide")
            }
            let isProcfs = sys_filesystem_magic(place.raw) == Int(K_PROC_SUPER_MAGIC)
            if isProcfs && target != "/proc" && !Planner.mountableInProc.contains(target) {
                throw .refused("it leads into procfs, where nothing may be mounted")
            }
            try tree.attach(to: place)
        }
    }

    /// At /proc itself only a procfs may lie; the few files below it that may be covered are in the planner's
    /// list.
    private func requireProcfs(_ source: borrowing FileDescriptor, for target: String) throws(Failure) {
        guard target == "/proc" else { return }
        let magic = try checked("statfs", sys_filesystem_magic(source.raw))
        guard magic == Int(K_PROC_SUPER_MAGIC) else {
            throw .refused("only a procfs may be mounted on \"/proc\"")
        }
    }

    private func apply(_ attributes: MountAttributes, to tree: borrowing DetachedMount) throws(Failure) {
        try tree.change(set: attributes.set, clear: attributes.clear)
        try tree.change(set: attributes.setRecursive, clear: attributes.clearRecursive, recursive: true)
    }

    private func mask(_ path: String) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            guard let place = try root.openIfPresent(path) else { return }
            if try place.status().isDirectory {
                let parameters = ["nr_blocks=1", "nr_inodes=1"]
                let cover = try DetachedMount(
                    type: "tmpfs", source: "tmpfs", parameters: parameters,
                    attributes: MountAttributes.readOnly)
                try cover.attach(to: place)
            } else {
                try Performer.null().attach(to: place)
            }
        }
    }

    /// A mount of the host's null device: the image's could be anything (CVE-2025-31133).
    private static func null() throws(Failure) -> DetachedMount {
        let place = try FileDescriptor.open("/dev/null", flags: O_PATH | O_NOFOLLOW)
        let status = try place.status()
        guard status.isCharacterDevice, status.deviceNumber == DeviceNumber(major: 1, minor: 3) else {
            throw .refused("/dev/null of the host is not the null device")
        }
        return try DetachedMount(cloning: place, recursive: false)
    }

    private func makeReadOnly(_ path: String) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            guard let place = try root.openIfPresent(path) else { return }
            let tree = try DetachedMount(cloning: place, recursive: true)
            try tree.change(set: MountAttributes.readOnly, recursive: true)
            try tree.attach(to: place)
        }
    }

    private func makeRootReadOnly() throws(Failure) {
        try inRoot { (root) throws(Failure) in
            let answer = sys_mount_setattr(root.directory.raw, "", K_AT_EMPTY_PATH, K_MOUNT_ATTR_RDONLY, 0, 0)
            try checked("make the root read-only", answer)
        }
    }

    private func pivot() throws(Failure) {
        try inRoot { (root) throws(Failure) in try MountTree.pivot(into: root.directory) }
    }

    private func make(_ device: DeviceSpec) throws(Failure) {
        if inUserNamespace && device.kind != .fifo { return try bindDevice(device) }
        let kind =
            switch device.kind {
            case .character, .unbuffered: S_IFCHR
            case .block: S_IFBLK
            case .fifo: S_IFIFO
            }
        try attempting("device \"\(device.path)\"") { () throws(Failure) in
            try inRoot { (root) throws(Failure) in
                let entry = try root.folder(of: device.path)
                try entry.makeNode(
                    mode: UInt32(kind) | device.mode & 0o7777, device: device.number, uid: device.uid,
                    gid: device.gid)
            }
        }
    }

    private func makeLink(_ path: String, _ target: String) throws(Failure) {
        try attempting("link \"\(path)\"") { () throws(Failure) in
            try inRoot { (root) throws(Failure) in try root.folder(of: path).makeLink(to: target) }
        }
    }
}
