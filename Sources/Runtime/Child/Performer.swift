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
    /// Bind mounts that were opened on the host.
    let prepared: PreparedMounts
    /// The mounts that become read-only in the end, open.
    var readOnlyLater: [Int32] = []
    /// The mounts whose words of propagation are said again in the end, open.
    var propagatedAgain: [(mount: Int32, words: [MountPropagation])] = []
    private var root: Root?
    /// What lies over masked folders and files, once there was one.
    private var folderMask = Cover()
    private var fileMask = Cover()
    /// The container's terminal, once it is made.
    var terminal: Terminal?

    /// An existing pid namespace that the container is in, or −1.
    var existingPid: Int32 = -1
    /// Places of the host that were opened while that was allowed, see `openSources`.
    private var sources: [(key: String, raw: Int32, isCopiedLink: Bool)] = []

    init(cgroups: CgroupSet, cgroupNamespace: Bool, prepared: PreparedMounts) {
        self.cgroups = cgroups
        self.cgroupNamespace = cgroupNamespace
        self.prepared = prepared
    }

    /// Opens what the operations take from the host, as far as that is there: the container's root user may not go
    /// where mrun may.
    mutating func openSources(of operations: [Operation]) {
        for operation in operations {
            // What cannot be opened now fails later, with its name and its reason.
            switch operation {
            case .bindRoot(let path):
                let answer = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0)
                if answer >= 0 { sources.append((path, Int32(answer), false)) }
            case .bind(let mount) where mount.prepared == nil:
                do throws(Failure) {
                    let source = try BindSource(of: mount)
                    let isCopiedLink = source.isCopiedLink
                    sources.append((Performer.key(mount), source.take(), isCopiedLink))
                } catch { continue }
            default: continue
            }
        }
    }

    private static func key(_ mount: BindMount) -> String { "\(mount.source) on \(mount.target)" }

    /// The source of a bind mount on the host.
    mutating func source(of mount: BindMount) throws(Failure) -> BindSource {
        if sources.isEmpty { return try BindSource(of: mount) }
        let key = Performer.key(mount)
        guard let index = sources.firstIndex(where: { $0.key == key }) else {
            return try BindSource(of: mount)
        }
        let source = sources.remove(at: index)
        return BindSource(adopting: source.raw, isCopiedLink: source.isCopiedLink)
    }

    /// Performs one step; the failure says which.
    mutating func perform(_ operation: Operation) throws(Failure) {
        switch operation {
        case .propagation(let propagation), .rootPropagation(let propagation):
            try MountTree.setPropagation(propagation.flags, of: "/")
        case .mountPropagation: try propagateAgain()
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
        case .cgroups(let target, let attributes, let propagation):
            try attempting("mount cgroups on \"\(target)\"") { () throws(Failure) in
                try mountCgroups(on: target, attributes, propagation)
            }
        case .remount(let mount):
            try attempting("remount \"\(mount.target)\"") { () throws(Failure) in try perform(mount) }
        case .device(let device): try make(device)
        case .link(let path, let target): try makeLink(path, target)
        case .workingDirectory(let path):
            try attempting("chdir to cwd (\"\(path)\") set in config.json") { () throws(Failure) in
                try inRoot { (root) throws(Failure) in _ = try root.mountPoint(path, directory: true) }
            }
        case .terminal(let makesConsole):
            try attempting("terminal") { () throws(Failure) in try makeTerminal(makesConsole: makesConsole) }
        case .mask(let path):
            try attempting("mask \"\(path)\"") { () throws(Failure) in try mask(path) }
        case .readOnly(let path):
            try attempting("make \"\(path)\" read-only") { () throws(Failure) in try makeReadOnly(path) }
        case .readOnlyMounts: try makeMountsReadOnly()
        case .readOnlyRoot: try makeRootReadOnly()
        case .sysctl(let name, let value): try TrustedProc().write(value, to: Performer.sysctlPath(name))
        case .pivot: try pivot()
        case .enterRoot(let path): try MountTree.changeRoot(to: path)
        case .moveRoot:
            try inRoot { (root) throws(Failure) in try MountTree.moveToRoot(root.directory) }
        case .hooks: break  // the child's affair, and its parent's
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
        let opened = sources.firstIndex { $0.key == path }.map { sources.remove(at: $0).raw }
        let place =
            if let opened { FileDescriptor(adopting: opened) } else {
                try FileDescriptor.open(path, flags: O_PATH | O_DIRECTORY)
            }
        let tree = try DetachedMount(cloning: place, recursive: true)
        // What the host mounts in this folder later is not the container's; and a shared root could not be pivoted into.
        try tree.propagate(K_MS_PRIVATE)
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

    private mutating func mask(_ path: String) throws(Failure) {
        let place = try inRoot { (root) throws(Failure) in try root.openIfPresent(path) }
        guard let place else { return }
        if try place.status().isDirectory {
            if !folderMask.isThere { folderMask.mount = try Performer.emptyFolder() }
            try folderMask.clone(to: place)
        } else {
            if !fileMask.isThere { fileMask.mount = try Performer.null() }
            try fileMask.clone(to: place)
        }
    }

    /// One for all masked folders: each would cost a file system of its own.
    private static func emptyFolder() throws(Failure) -> DetachedMount {
        try DetachedMount(
            type: "tmpfs", source: "tmpfs", parameters: ["nr_blocks=1", "nr_inodes=1"],
            attributes: MountAttributes.readOnly)
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
}

/// A mount of which copies are laid over several places.
private struct Cover: ~Copyable {
    var mount: DetachedMount?

    var isThere: Bool {
        switch mount {
        case .some: true
        case .none: false
        }
    }

    func clone(to place: borrowing FileDescriptor) throws(Failure) {
        switch mount {
        case .some(let mount): try mount.clone().attach(to: place)
        case .none: return
        }
    }
}
