internal import CKernel
internal import Cgroups
internal import Glibc
internal import JSON
public import Kernel
internal import OCI

/// What `checkpoint` and `restore` have in common.
public struct CriuOptions: Sendable {
    /// Where the image is.
    public var imagePath = "checkpoint"
    /// Where criu writes its log and statistics; `nil`: with the image.
    public var workPath: String?
    /// Keep TCP connections.
    public var tcpEstablished = false
    /// Allow unix sockets that lead out of the container.
    public var externalUnixSockets = false
    /// Allow a terminal of the caller.
    public var shellJob = false
    /// Keep file locks.
    public var fileLocks = false
    /// Bring memory over when it is used.
    public var lazyPages = false
    /// Drop pages of earlier images that later ones replace.
    public var autoDedup = false
    /// `soft`, `full`, `strict` or `ignore`.
    public var manageCgroups = "soft"
    /// Kinds of namespaces that are made without what is in them: `network` alone.
    public var emptyNamespaces: [String] = []

    /// The defaults.
    public init() {}

    func arguments() throws(Failure) -> [String] {
        var words = ["--manage-cgroups=\(manageCgroups)"]
        let flags = [
            (tcpEstablished, "--tcp-established"), (externalUnixSockets, "--ext-unix-sk"),
            (shellJob, "--shell-job"), (fileLocks, "--file-locks"), (lazyPages, "--lazy-pages"),
            (autoDedup, "--auto-dedup"),
        ]
        for flag in flags where flag.0 { words.append(flag.1) }
        for kind in emptyNamespaces {
            guard kind == "network" else {
                throw .refused("--empty-ns \(kind): criu can do that with \"network\" alone")
            }
            words += ["--empty-ns", "net"]
        }
        return words
    }

    /// The folder for criu's log; `nil` where none is given.
    func workFolder() throws(Failure) -> String? {
        guard let workPath else { return nil }
        return try CriuOptions.folder(workPath)
    }

    /// Makes a folder unless it is there; answers its absolute path.
    static func folder(_ path: String) throws(Failure) -> String {
        let absolute = try Files.absolute(path)
        let answer = sys_mkdirat(AT_FDCWD, absolute, 0o700)
        if answer != -Int(EEXIST) { try checked("mkdir \"\(path)\"", answer) }
        guard try FileStatus.of(absolute + "/.")?.isDirectory == true else {
            throw .refused("\"\(path)\" is not a directory")
        }
        return absolute
    }
}

/// What `checkpoint` takes.
public struct CheckpointOptions: Sendable {
    /// What `restore` takes as well.
    public var criu = CriuOptions()
    /// The image of an earlier `--pre-dump`, relative to this one.
    public var parentPath: String?
    /// Let the processes run on.
    public var leaveRunning = false
    /// Leave out TCP connections that are being opened.
    public var tcpSkipInFlight = false
    /// Allow files that have been unlinked, by a link to them.
    public var linkRemap = false
    /// Write memory only, and let the processes run on.
    public var preDump = false
    /// A descriptor that criu writes a byte to when it waits for who takes the pages.
    public var statusDescriptor: Int32?
    /// Who takes the pages.
    public var pageServer: (address: String, port: UInt16)?

    /// The defaults.
    public init() {}
}

extension Containers {
    /// Writes the processes of a running container into files; then they end, and the container is removed, unless
    /// they are to run on.
    public func checkpoint(_ id: String, _ options: CheckpointOptions) throws(Failure) {
        // Before mrun has opened anything: a number of its own is none of the caller's.
        if let descriptor = options.statusDescriptor { try Containers.checkStatus(descriptor) }
        let process = try writeImage(id, options)
        if options.leaveRunning || options.preDump { return }
        try delete(id, force: true, only: process)
    }

    private func writeImage(_ id: String, _ options: CheckpointOptions) throws(Failure) -> ProcessIdentity {
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        guard snapshot.status == .running, let process = snapshot.record.process else {
            throw .refused("Container cannot be checkpointed in \(snapshot.status.rawValue) state")
        }
        // criu 3.17 writes it, and finds no file for its image when it is to be made again.
        guard !snapshot.record.stayingInit else {
            throw .refused(
                "a container whose mrun-init stays cannot be checkpointed: criu does not restore its sealed image"
            )
        }
        let spec = try folder.configReader().read()
        let criu = try Criu()
        let image = try CriuOptions.folder(options.criu.imagePath)
        let work = try options.criu.workFolder()
        let dump = Dump(spec: spec, record: snapshot.record, process: process, image: image, options: options)
        var arguments = try dump.arguments()
        var surroundings = Criu.Surroundings()
        if let descriptor = options.statusDescriptor { surroundings.descriptors = [descriptor] }
        if !options.preDump {
            let descriptors = try dump.descriptors()
            try dump.note(descriptors)
            for name in descriptors where name.hasPrefix("file[") { arguments += ["--external", name] }
        }
        try criu.run(arguments, folder: work ?? image, log: "dump.log", surroundings)
        return process
    }

    private static func checkStatus(_ descriptor: Int32) throws(Failure) {
        let flags = sys_fcntl(descriptor, F_GETFL, 0)
        guard flags >= 0 else {
            throw .refused("invalid --status-fd argument \(descriptor): there is no such descriptor")
        }
        guard Int32(flags) & O_ACCMODE != O_RDONLY else {
            throw .refused("invalid --status-fd argument \(descriptor): not writable")
        }
    }
}

/// One call of criu that writes a container.
private struct Dump {
    let spec: Spec
    let record: Record
    let process: ProcessIdentity
    /// Absolute.
    let image: String
    let options: CheckpointOptions

    func arguments() throws(Failure) -> [String] {
        var words = [options.preDump ? "pre-dump" : "dump", "--tree", String(process.pid)]
        words += ["--images-dir", image, "--root", record.rootfs]
        words += try options.criu.arguments()
        let flags = [
            (options.leaveRunning, "--leave-running"), (options.tcpSkipInFlight, "--skip-in-flight"),
            (options.linkRemap, "--link-remap"),
        ]
        for flag in flags where flag.0 { words.append(flag.1) }
        let freezer = record.cgroups.version == .v2 ? "unified" : "freezer"
        if let directory = record.cgroups.directories.first(where: { $0.hierarchy == freezer }) {
            words += ["--freeze-cgroup", directory.path]
        }
        words += try parentArguments()
        if let server = options.pageServer {
            // A lazy dump is the server itself.
            if !options.criu.lazyPages { words.append("--page-server") }
            words += ["--address", server.address, "--port", String(server.port)]
        }
        if let descriptor = options.statusDescriptor { words += ["--status-fd", String(descriptor)] }
        if let file = spec.annotation(CriuConfig.annotation), !file.isEmpty { words += ["--config", file] }
        for namespace in spec.linux.namespaces {
            words += try external(namespace)
        }
        if !options.preDump { words += try mounts() }
        return words
    }

    private func parentArguments() throws(Failure) -> [String] {
        guard let parent = options.parentPath else { return [] }
        guard !parent.hasPrefix("/") else { throw .refused("--parent-path must be relative") }
        guard try FileStatus.of(image + "/" + parent + "/.")?.isDirectory == true else {
            throw .refused("--parent-path \"\(parent)\": no such directory in \"\(image)\"")
        }
        return ["--prev-images-dir", parent, "--track-mem"]
    }

    /// A namespace that is not the container's own stays what it is.
    private func external(_ namespace: NamespaceSpec) throws(Failure) -> [String] {
        guard let path = namespace.path, let key = CriuNamespace.externalKey(namespace.kind) else {
            return []
        }
        let file = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
        let inode = try file.status().inode
        return ["--external", "\(CriuNamespace.name(namespace.kind))[\(inode)]:\(key)"]
    }

    private func mounts() throws(Failure) -> [String] {
        var words: [String] = []
        for place in CriuMounts.binds(of: spec, record.cgroups) {
            words += ["--external", "mnt[\(place.target)]:\(place.target)"]
        }
        let root = Root(
            adopting: try FileDescriptor.open("/proc/\(process.pid)/root", flags: O_PATH | O_DIRECTORY))
        for path in spec.linux.maskedPaths {
            guard let file = try root.openIfPresent(path), try !file.status().isDirectory else { continue }
            words += ["--external", "mnt[\(path)]:\(CriuMounts.null)"]
        }
        return words
    }

    /// What standard input, output and error are called, which whoever restores the container has to give it; empty for
    /// one that is in the image.
    func descriptors() throws(Failure) -> [String] {
        var names: [String] = []
        for number in 0...2 { names.append(try name(of: number)) }
        return names
    }

    /// `pipe:[…]`, and `file[MOUNT:INODE]`, in hexadecimal, for a file of the host.
    private func name(of number: Int) throws(Failure) -> String {
        let place = "/proc/\(process.pid)/fd/\(number)"
        guard try FileStatus.of(place) != nil else { return "" }
        let target = try Files.link(place)
        guard target.hasPrefix("/") else { return target.hasPrefix("pipe:") ? target : "" }
        let info = try Files.read("/proc/\(process.pid)/fdinfo/\(number)")
        let mount = info.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }?
            .split(whereSeparator: { $0 == "\t" || $0 == " " }).last
        guard let mount, let id = UInt64(mount) else { return "" }
        let mounts = try Files.read("/proc/\(process.pid)/mountinfo").split(separator: "\n")
        if mounts.contains(where: { $0.hasPrefix("\(id) ") }) { return "" }
        let inode = try FileDescriptor.open(place, flags: O_PATH).status().inode
        return "file[\(String(id, radix: 16)):\(String(inode, radix: 16))]"
    }

    func note(_ descriptors: [String]) throws(Failure) {
        let directory = try FileDescriptor.open(image, flags: O_RDONLY | O_DIRECTORY)
        try Files.replace(
            CriuConfig.descriptors, in: directory.raw, with: JSON.array(descriptors.map(JSON.string)).text(),
            sync: false)
    }
}

/// Names that a checkpoint and its restore share.
enum CriuConfig {
    /// The annotation that names a file with more options for criu, as runc has it.
    static let annotation = "org.criu.config"
    static let descriptors = "descriptors.json"
}

/// Namespaces in criu's words.
enum CriuNamespace {
    static func name(_ kind: NamespaceKind) -> String {
        switch kind {
        case .network: "net"
        case .mount: "mnt"
        default: kind.rawValue
        }
    }

    /// What an external namespace is called in an image; `nil` where criu can only join one.
    static func externalKey(_ kind: NamespaceKind) -> String? {
        switch kind {
        case .network: "extRootNetNS"
        case .pid: "extRootPidNS"
        default: nil
        }
    }
}

/// The mounts of a container that come from the host.
enum CriuMounts {
    /// What masked files are mounts of.
    static let null = "/dev/null"

    static func binds(of spec: Spec, _ cgroups: CgroupSet) -> [(target: String, source: String)] {
        var places: [(target: String, source: String)] = []
        for mount in spec.mounts {
            let isBind = mount.type == "bind" || mount.options.contains { $0 == "bind" || $0 == "rbind" }
            if isBind {
                places.append((mount.destination, mount.source ?? mount.destination))
            } else if mount.type == "cgroup" && cgroups.version == .v1 {
                for directory in cgroups.directories {
                    places.append((mount.destination + "/" + directory.hierarchy, directory.path))
                }
            }
        }
        return places
    }
}
