internal import CKernel
internal import Cgroups
internal import Glibc
internal import JSON
public import Kernel
internal import OCI

/// What `restore` takes.
public struct RestoreOptions: Sendable {
    /// What `checkpoint` takes as well.
    public var criu = CriuOptions()
    /// The folder with `config.json`.
    public var bundle: String
    /// Where to write the init's pid.
    public var pidFile: String?
    /// `TYPE:NAME`, in place of the profile of the image.
    public var lsmProfile: String?
    /// The SELinux context of mounts, in place of that of the image.
    public var lsmMountContext: String?

    /// Options for a bundle.
    public init(bundle: String) { self.bundle = bundle }
}

extension Containers {
    /// Makes a container again from its image.
    ///
    /// In the foreground it passes signals on, waits for the end, deletes the container, and answers with the task's
    /// exit status (128 + n for signal n).
    public func restore(_ id: String, _ options: RestoreOptions, detach: Bool) throws(Failure) -> Int32 {
        if detach {
            _ = try Restoring(id, options, store: store).carryOut(options)
            return 0
        }
        let forwarder = try SignalForwarder()
        let started = try Restoring(id, options, store: store).carryOut(options)
        let status = try forwarder.wait(for: started.handle)
        try delete(id, force: true, only: started.identity)
        return status.shellStatus
    }
}

/// A container on its way back.
private struct Restoring: ~Copyable {
    private let criu: Criu
    private let bundle: Bundle
    private let image: String
    private let work: String
    private let folder: ContainerFolder
    private var record: Record
    private let manager: CgroupManager
    private var hasCgroups = false

    /// Checks what can be checked, then takes the id and writes down what is about to be made.
    init(_ id: String, _ options: RestoreOptions, store: Store) throws(Failure) {
        if try store.has(id) { throw Store.taken(id) }
        let bundle = try Bundle(options.bundle)
        let spec = bundle.spec
        let image = try Files.absolute(options.criu.imagePath)
        guard try FileStatus.of(image + "/.")?.isDirectory == true else {
            throw .refused("--image-path \"\(options.criu.imagePath)\": no such directory")
        }
        for (index, namespace) in spec.linux.namespaces.enumerated()
        where namespace.path != nil && namespace.kind == .cgroup {
            let why = "criu cannot restore into an existing cgroup namespace"
            throw Failure(.document(at: "/linux/namespaces/\(index)", why))
        }
        let criu = try Criu()
        let work = try options.criu.workFolder() ?? image
        let cgroups = try CgroupSet.plan(
            path: spec.linux.cgroupsPath ?? id, controllers: Creation.controllers(spec),
            layout: try CgroupLayout.detect(), owner: store.root + "/" + id)
        let record = Record(
            id: id, bundle: bundle.path, rootfs: bundle.rootfs, bootID: try Record.currentBootID(),
            cgroups: cgroups, spec: spec, stayingInit: false,
            ownPidNamespace: spec.linux.namespace(.pid) != nil, owner: UInt32(sys_geteuid()))
        folder = try store.make(id)
        self.criu = criu
        self.bundle = bundle
        self.image = image
        self.work = work
        self.record = record
        manager = CgroupManager(cgroups)
    }

    /// Makes the container; when anything fails, all that was made is taken back.
    consuming func carryOut(_ options: RestoreOptions) throws(Failure) -> Started {
        do {
            try folder.write(record)
            // criu has brought the descriptors and the terminal back; there is nothing to attach.
            let attachments = try Attachments(AttachmentOptions(), for: ProcessSpec(args: [], cwd: "/"))
            return Started(
                handle: try make(options), identity: record.process, attachments: attachments, hooks: nil)
        } catch {
            do throws(Failure) {
                if hasCgroups {
                    try manager.killAll(Deadline(milliseconds: 10_000))
                    try manager.remove()
                }
                try folder.remove()
            } catch let leftover {
                throw error.during("cleaning up was not possible either (\(leftover.message))")
            }
            throw error
        }
    }

    private mutating func make(_ options: RestoreOptions) throws(Failure) -> ProcessHandle {
        try folder.note(record.cgroups)
        try folder.write(ContainerFolder.Name.config, String(decoding: bundle.configText, as: UTF8.self))
        try manager.create(resources: bundle.spec.linux.resources)
        hasCgroups = true
        try makeMountPoints()
        let namespaces = try InheritedNamespaces(bundle.spec)
        var surroundings = Criu.Surroundings()
        surroundings.root = bundle.rootfs
        surroundings.cgroups = manager
        surroundings.descriptors = namespaces.descriptors
        let pidFile = folder.path + "/" + ContainerFolder.Name.restoredPid
        var arguments = ["restore", "--images-dir", image, "--root", bundle.rootfs, "--pidfile", pidFile]
        // So that the init is our child, and criu does not stay as its parent.
        arguments += ["--restore-detached", "--restore-sibling"]
        arguments += try words(options) + namespaces.arguments
        arguments += try inherited()
        try criu.run(arguments, folder: work, log: "restore.log", surroundings)
        let handle = try adopt(pidFile)
        if let file = options.pidFile, let process = record.process {
            try PidFile.write(process.pid, to: file)
        }
        return handle
    }

    /// The init that criu has made: our child, so that its pid means it until it is reaped.
    private mutating func adopt(_ pidFile: String) throws(Failure) -> ProcessHandle {
        let text = try Files.read(pidFile)
        guard let pid = Int32(text.prefix { $0 != "\n" }) else {
            throw .refused("criu has not told the pid of the container's init")
        }
        let handle = ProcessHandle(
            adopting: FileDescriptor(adopting: Int32(try checked("pidfd_open", sys_pidfd_open(pid, 0)))))
        record.process = try ProcessIdentity.of(pid: pid)
        record.phase = .created
        try folder.write(record)
        try folder.unlink(ContainerFolder.Name.restoredPid)
        return handle
    }

    /// The root may be a fresh one, without the places that `create` makes for mounts.
    private func makeMountPoints() throws(Failure) {
        let root = Root(adopting: try FileDescriptor.open(bundle.rootfs, flags: O_PATH | O_DIRECTORY))
        for mount in bundle.spec.mounts {
            let isBind = mount.type == "bind" || mount.options.contains { $0 == "bind" || $0 == "rbind" }
            var isDirectory = true
            if isBind, let source = mount.source {
                isDirectory = try FileDescriptor.open(source, flags: O_PATH).status().isDirectory
            }
            // What lies below another mount of the container comes with the image of that one.
            guard !isBelowMount(mount.destination) else { continue }
            _ = try root.mountPoint(mount.destination, directory: isDirectory)
        }
    }

    private func isBelowMount(_ path: String) -> Bool {
        bundle.spec.mounts.contains { path != $0.destination && path.hasPrefix($0.destination + "/") }
    }

    private func words(_ options: RestoreOptions) throws(Failure) -> [String] {
        var words = try options.criu.arguments()
        for directory in record.cgroups.directories { words += ["--cgroup-root", cgroupRoot(directory)] }
        if let profile = options.lsmProfile { words += ["--lsm-profile", profile] }
        if let context = options.lsmMountContext { words += ["--lsm-mount-context", context] }
        let spec = bundle.spec
        if let file = spec.annotation(CriuConfig.annotation), !file.isEmpty { words += ["--config", file] }
        for place in CriuMounts.binds(of: spec, record.cgroups) {
            words += ["--external", "mnt[\(place.target)]:\(place.source)"]
        }
        if !spec.linux.maskedPaths.isEmpty {
            words += ["--external", "mnt[\(CriuMounts.null)]:\(CriuMounts.null)"]
        }
        for namespace in spec.linux.namespaces {
            guard let path = namespace.path, CriuNamespace.externalKey(namespace.kind) == nil else {
                continue
            }
            words += ["--join-ns", "\(CriuNamespace.name(namespace.kind)):\(path)"]
        }
        return words
    }

    /// `memory:/mrun/web`, and `/mrun/web` on cgroup2.
    private func cgroupRoot(_ directory: CgroupSet.Directory) -> String {
        // Behind /sys/fs/cgroup comes, but for a lone cgroup2, the folder of the hierarchy.
        let steps = Path.steps(directory.path).dropFirst(record.cgroups.version == .v2 ? 3 : 4)
        let path = steps.map { "/" + $0 }.joined()
        switch directory.hierarchy {
        case "unified": return path
        case "systemd": return "name=systemd:" + path
        default: return directory.hierarchy + ":" + path
        }
    }

    /// The standard input, output and error that the container had of its creator, it gets of its restorer.
    private func inherited() throws(Failure) -> [String] {
        let place = image + "/" + CriuConfig.descriptors
        guard try FileStatus.of(place) != nil else { return [] }
        let text = try Files.readRegular(place, limit: 1 << 16)
        let names = try attempting("\"\(place)\"") { () throws(Failure) in
            try Cursor(try JSON.parse(text)).elements { (c) throws(Failure) in try c.string() }
        }
        var words: [String] = []
        for (number, name) in names.prefix(3).enumerated()
        where name.hasPrefix("pipe:") || name.hasPrefix("file[") {
            words += ["--inherit-fd", "fd[\(number)]:\(name)"]
        }
        return words
    }
}

/// Namespaces of others in which a container is restored, open for criu.
private struct InheritedNamespaces: ~Copyable {
    private(set) var descriptors: [Int32] = []
    private(set) var arguments: [String] = []

    init(_ spec: Spec) throws(Failure) {
        for namespace in spec.linux.namespaces {
            guard let path = namespace.path, let key = CriuNamespace.externalKey(namespace.kind) else {
                continue
            }
            let raw = try FileDescriptor.open(path, flags: O_RDONLY | O_NONBLOCK).release()
            descriptors.append(raw)
            arguments += ["--inherit-fd", "fd[\(raw)]:\(key)"]
        }
    }

    deinit { for raw in descriptors { _ = sys_close(raw) } }
}
