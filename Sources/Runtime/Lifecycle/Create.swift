internal import CKernel
internal import Cgroups
internal import Glibc
internal import JSON
public import Kernel
internal import OCI
internal import Plan

/// What `create` and `run` take beside the bundle.
public struct CreateOptions: Sendable {
    /// The folder with `config.json`.
    public var bundle: String
    /// Where to write the init's pid.
    public var pidFile: String?
    /// Keep mrun-init as the container's init, whatever the config says.
    public var stayingInit = false
    /// Who makes the container's cgroups.
    public var cgroupDriver = CgroupDriver.cgroupfs
    /// Give the container a session keyring of its own.
    public var newKeyring = true
    /// The config, as a path in the bundle or absolute.
    public var config = "config.json"
    /// Move the root instead of pivot_root(2), which the root of a ramdisk does not allow.
    public var movesRoot = false
    /// What the task shares with the caller.
    public var attachments = AttachmentOptions()

    /// Options for a bundle.
    public init(bundle: String) { self.bundle = bundle }
}

extension Containers {
    /// Creates a container: everything up to the task itself, which waits for `start`.
    public func create(_ id: String, _ options: CreateOptions) throws(Failure) {
        let creation = try Creation(id, options, self, startsAtOnce: false)
        tell(creation.notices)
        _ = try creation.carryOut(options, warn)
    }

    /// Creates a container and starts its task at once.
    func createAndStart(_ id: String, _ options: CreateOptions) throws(Failure) -> Started {
        let creation = try Creation(id, options, self, startsAtOnce: true)
        tell(creation.notices)
        let started = try creation.carryOut(options, warn)
        if let hooks = started.hooks { try finishStart(id, hooks, of: started.identity) }
        return started
    }
}

/// A container's init: a handle on it, and what it is known by in the record.
struct Started: ~Copyable {
    let handle: ProcessHandle
    let identity: ProcessIdentity?
    let attachments: Attachments
    let hooks: ContainerHooks?
}

/// A config that has been read and found in order, with what the host adds to it.
struct Bundle {
    let path: String
    let configText: [UInt8]
    let spec: Spec
    let process: ProcessSpec
    let rootfs: String

    init(_ folder: String, config: String = "config.json") throws(Failure) {
        path = try Files.absolute(folder)
        let file = config.hasPrefix("/") ? config : path + "/" + config
        guard try FileStatus.of(path) != nil else {
            throw .refused("bundle \"\(folder)\": no such directory")
        }
        guard try FileStatus.of(file) != nil else {
            throw .refused("JSON specification file \(config) not found in bundle \"\(folder)\"")
        }
        configText = try Files.readRegular(file)
        let text = configText
        spec = try attempting(config) { () throws(Failure) in
            let spec = try Spec(reading: text)
            let problems = spec.problems()
            guard let first = problems.first else { return spec }
            if problems.count == 1 { throw first }
            throw .refused(problems.map(\.message).joined(separator: "; "))
        }
        guard let process = spec.process, let root = spec.root else {
            throw .refused("config.json: no process")
        }
        self.process = process
        rootfs = try Files.absolute(root.path.hasPrefix("/") ? root.path : path + "/" + root.path)
        // In an existing mount namespace the path leads somewhere else.
        if spec.linux.namespace(.mount)?.path != nil { return }
        guard let status = try FileStatus.of(rootfs) else {
            throw .refused("invalid rootfs: \"\(root.path)\": no such directory")
        }
        guard status.isDirectory else {
            throw .refused("invalid rootfs: \"\(root.path)\" is not a directory")
        }
    }
}

/// One container on its way from a bundle to `created`.
struct Creation: ~Copyable {
    private let bundle: Bundle
    private let folder: ContainerFolder
    private var record: Record
    private var manager: CgroupManager
    private let rootless: Rootless
    private var hasCgroups = false
    /// The container's process, where the child has made one more beside itself.
    private var sibling: Int32?
    private let launch: Launch
    private let attachments: Attachments

    var notices: [String] {
        let ignored = bundle.spec.linux.resources.memory.hasKernelLimits
        return (ignored ? [MemoryResources.kernelLimitsNote] : [])
            + (launch.orders.capabilities?.notices ?? [])
    }

    /// Checks everything that can be checked, then takes the id and writes down what is about to be made.
    init(_ id: String, _ options: CreateOptions, _ containers: Containers, startsAtOnce: Bool) throws(Failure)
    {
        let store = containers.store
        if try store.has(id) { throw Store.taken(id) }
        let bundle = try Bundle(options.bundle, config: options.config)
        let spec = bundle.spec
        try Creation.refuseFolders()
        let stays = options.stayingInit || spec.annotation(Meaning.stayingInit) == "true"
        let attachments = try Attachments(options.attachments, for: bundle.process)
        let process = attachments.amended(bundle.process)
        var plan = try Planner.plan(
            for: spec, rootfs: bundle.rootfs, bundle: bundle.path, movesRoot: options.movesRoot)
        if attachments.notify != nil {
            let folder = store.root + "/" + id + "/" + ContainerFolder.Name.notify
            plan.add(.notifyFolder(from: folder), in: .mounts)
        }
        try MountLabel.check(spec.linux.mountLabel)
        let prepared = try PreparedMounts(for: plan)
        let orders = try Orders(
            for: spec, process, stays: stays, newKeyring: options.newKeyring,
            filters: SeccompCache(store: store))
        let joins = try NamespaceJoins(of: spec)
        let cgroups = try CgroupSet.plan(
            for: spec, id: id, driver: options.cgroupDriver, controllers: Creation.controllers(spec),
            owner: store.root + "/" + id)
        let manager = CgroupManager(cgroups)
        let record = Record(
            id: id, bundle: bundle.path, rootfs: bundle.rootfs, bootID: try Record.currentBootID(),
            cgroups: cgroups, spec: spec, stayingInit: stays,
            ownPidNamespace: spec.linux.ownsPidNamespace, owner: UInt32(sys_geteuid()))

        let folder = try store.make(id)
        do {
            try folder.write(record)
            if let notify = attachments.notify {
                try folder.makeNotifyFolder()
                if startsAtOnce { _ = try notify.listen(in: folder) }
            }
            launch = try Launch(
                id: id, spec: spec, process: process, plan: plan, cgroups: cgroups, joins: joins,
                orders: orders, startSocket: startsAtOnce ? nil : try Creation.startSocket(in: folder),
                exitRecord: stays ? try folder.makeAppendable(ContainerFolder.Name.exit) : nil,
                parentsOwn: folder.descriptors, prepared: prepared, hooks: ContainerHooks(spec, record))
        } catch {
            try folder.remove()
            throw error
        }
        launch.attachments = attachments
        self.attachments = attachments
        self.bundle = bundle
        self.folder = folder
        self.record = record
        self.manager = manager
        rootless = containers.rootless
    }

    /// A folder of the host as standard input, output or error would be a way out of the container's root.
    private static func refuseFolders() throws(Failure) {
        for number: Int32 in 0...2 {
            var status = file_status()
            let answer = sys_status(number, "", Int32(K_AT_EMPTY_PATH), &status)
            guard answer >= 0, status.mode & UInt32(S_IFMT) == UInt32(S_IFDIR) else { continue }
            throw .refused("descriptor \(number) is a folder: the container could leave its root through it")
        }
    }

    /// The hierarchies that the config asks for by annotation; `nil` for all.
    static func controllers(_ spec: Spec) -> [String]? {
        spec.annotation(Meaning.controllers).map { list in list.split(separator: ",").map(String.init) }
    }

    /// The socket on which mrun-init waits.
    ///
    /// It is bound through the open folder: no path is too long, none is a link.
    private static func startSocket(in folder: borrowing ContainerFolder) throws(Failure) -> FileDescriptor {
        let socket = FileDescriptor(
            adopting: Int32(try checked("socket", sys_unix_socket(Int32(SOCK_SEQPACKET.rawValue)))))
        try checked(
            "bind the start socket",
            sys_unix_bind(socket.raw, folder.procPath(ContainerFolder.Name.startSocket)))
        try checked("listen", sys_listen(socket.raw, 16))
        return socket
    }

    /// Makes the container; when anything fails, all that was made is taken back.
    consuming func carryOut(
        _ options: CreateOptions, _ warn: (String) -> Void
    ) throws(Failure) -> Started {
        do {
            return Started(
                handle: try make(options), identity: record.process, attachments: attachments,
                hooks: launch.hooks)
        } catch {
            // The child is dead by now: it died with its value on the way here.
            do throws(Failure) {
                try takeBack(warn)
            } catch let leftover {
                throw error.during("cleaning up was not possible either (\(leftover.message))")
            }
            throw error
        }
    }

    private func takeBack(_ warn: (String) -> Void) throws(Failure) {
        // Cgroups that were refused to us, because others live in them, are none of ours.
        if hasCgroups {
            try manager.killAll(Deadline(milliseconds: 10_000))
            try manager.stopScope()
            try manager.remove()
        }
        launch.hooks?.runPoststop(warn)
        try folder.remove()
    }

    private mutating func make(_ options: CreateOptions) throws(Failure) -> ProcessHandle {
        // On v2 the child is born in its cgroup. On v1 it starts on its mounts while its cgroups are being made,
        // unless it is to show them.
        // systemd wants a process to begin a scope with: the child is there first, and waits.
        let isScope = record.cgroups.scope != nil
        let isUnified = record.cgroups.version == .v2 && !isScope
        let cgroupsFirst =
            isUnified || launch.entrance.usesUser || rootless == .yes
            || !isScope && launch.operations.contains { if case .cgroups = $0 { true } else { false } }
        if cgroupsFirst { try makeCgroups() }
        let half: HalfMade
        if isUnified, let directory = try manager.directoryForSpawn() {
            half = try launch.spawn(intoCgroup: directory.raw)
        } else {
            half = try launch.spawn(intoCgroup: -1)
        }
        launch.closeChildEnd()
        record.process = try ProcessIdentity.of(pid: half.pid)
        if isScope { try makeScope(half.pid) } else if !cgroupsFirst { try makeCgroups() }
        if let score = bundle.process.oomScoreAdj {
            try rootless.setOOMScore(score, of: half.pid)
        }
        if launch.entrance.usesUser { try prepareUserNamespace(half.pid) }
        if !launch.entrance.isStepwise { try moveDevices(half.pid) }
        if let hooks = launch.hooks { try run(hooks, half) }
        if launch.entrance.isBornLater || launch.entrance.makesSibling {
            return try letGoToBeBorn(half, options)
        }
        try noteCreated(half.pid, options)
        _ = try letGo(half)
        try attachments.send(pidfd: half.descriptor, kind: "standard")
        return half.letGo()
    }

    private mutating func noteCreated(_ pid: Int32, _ options: CreateOptions) throws(Failure) {
        // Whoever reads this before all is made is kept waiting by the lock.
        record.phase = .created
        try folder.write(record)
        if let file = options.pidFile { try PidFile.write(pid, to: file) }
    }

    /// The same for a child that is not the container's first process, but makes it.
    private mutating func letGoToBeBorn(
        _ half: consuming HalfMade, _ options: CreateOptions
    ) throws(Failure) -> ProcessHandle {
        guard let pid = try letGo(half) else { throw try died() }
        // It is our child, too, and nobody else has reaped it.
        let born = HalfMade(
            pid: pid, pidfd: Int32(try checked("pidfd_open", sys_pidfd_open(pid, 0))))
        _ = consume half
        record.process = try ProcessIdentity.of(pid: pid)
        try noteCreated(pid, options)
        try attachments.send(pidfd: born.descriptor, kind: "standard")
        return born.letGo()
    }

    private func moveDevices(_ pid: Int32) throws(Failure) {
        let devices = bundle.spec.linux.netDevices
        if devices.isEmpty { return }
        if try rootless.isOn {
            throw Failure(
                .document(at: "/linux/netDevices", "only root of the host moves network interfaces"))
        }
        if let existing = try launch.joins.existingNetwork() {
            return try NetworkDevices.move(devices, to: existing)
        }
        try NetworkDevices.move(devices, to: try FileDescriptor.open("/proc/\(pid)/ns/net"))
    }

    private func prepareUserNamespace(_ pid: Int32) throws(Failure) {
        let maps = UserNamespaceMaps(bundle.spec.linux, of: pid)
        try maps.raiseLimits(bundle.process.rlimits)
        if launch.entrance.isStepwise { return }
        try maps.write()
        try maps.giveStandardPipes(to: bundle.process.user)
    }

    /// Lets the child go on, and answers it where it enters its user namespace by itself.
    private mutating func proceed(_ pid: Int32) throws(Failure) {
        let child = Conversation(socket: launch.parentEnd.raw)
        try child.say(.proceed)
        if launch.entrance.isStepwise { sibling = try answerEntered(child, pid) }
    }

    /// Answers a child that has gone into its user namespace by itself.
    ///
    /// - Returns: the pid of its sibling, where it has made one.
    private func answerEntered(_ child: Conversation, _ pid: Int32) throws(Failure) -> Int32? {
        guard let sibling = try child.hearEntered() else { throw try died() }
        let maps = UserNamespaceMaps(bundle.spec.linux, of: sibling > 0 ? sibling : pid)
        if launch.entrance.makesUser { try maps.write() } else { try maps.check() }
        try maps.giveStandardPipes(to: bundle.process.user)
        try moveDevices(sibling > 0 ? sibling : pid)
        try child.say(.mapped)
        return sibling > 0 ? sibling : nil
    }

    /// The hooks of `create`, which may take long: before them, all that `delete` needs is written down.
    private mutating func run(_ hooks: ContainerHooks, _ half: borrowing HalfMade) throws(Failure) {
        try writeNotes()
        try folder.write(record)
        guard hooks.spec.areInCreate else { return }
        let child = Conversation(socket: launch.parentEnd.raw)
        try proceed(half.pid)
        guard try child.hear() == .ready else { throw try died() }
        let pid = sibling ?? half.pid
        try hooks.run(.prestart, pid: pid)
        try hooks.run(.createRuntime, pid: pid)
        try child.say(.hooked)
        guard try child.hear() == .hooked else { throw try died() }
    }

    private func writeNotes() throws(Failure) {
        try folder.note(record.cgroups)
        try folder.write(ContainerFolder.Name.config, String(decoding: bundle.configText, as: UTF8.self))
    }

    private mutating func makeCgroups() throws(Failure) {
        do {
            try manager.create(resources: bundle.spec.linux.resources.without(record.cgroups))
            hasCgroups = true
        } catch {
            let none = try rootless.withoutCgroups(record.cgroups, bundle.spec, after: error)
            record.cgroups = none
            manager = CgroupManager(none)
            launch.cgroups = none
        }
    }

    private mutating func makeScope(_ pid: Int32) throws(Failure) {
        let resources = bundle.spec.linux.resources
        try manager.startScope(pid: pid, resources: resources, annotations: bundle.spec.annotations)
        hasCgroups = true
        try manager.create(resources: resources, inside: pid)
    }

    /// The parent's side of the conversation, see `Word`.
    ///
    /// - Returns: the pid of the container's first process, where the child has made one.
    private mutating func letGo(_ half: borrowing HalfMade) throws(Failure) -> Int32? {
        let child = Conversation(socket: launch.parentEnd.raw)
        if launch.hooks?.spec.areInCreate != true { try proceed(half.pid) }
        // Nobody needs these before the container is there, and the child is still busy.
        if launch.hooks == nil { try writeNotes() }
        let born: Int32?
        if launch.startsAtOnce {
            let name = launch.executable ?? bundle.process.args[0]
            let process = bundle.process
            let (spec, record) = (bundle.spec, record)
            let listener = { () throws(Failure) in try SeccompListener(spec, record, .creating) }
            do {
                born = try InitReport.read(from: child, hooks: launch.hooks, listener: listener) {
                    () throws(Failure) in (name, process)
                }
            } catch {
                throw try InitReport.explained(error, manager, InitReport.outOfMemory)
            }
        } else {
            let held = try InitReport.readHeld(from: child, process: bundle.process)
            guard held.isHeld else { throw try died() }
            born = held.pid
        }
        return born ?? sibling
    }

    private func died() throws(Failure) -> Failure {
        let death = Failure.refused(
            "the container's init died while it was being made (killed, or out of memory?)")
        return try InitReport.explained(death, manager, InitReport.outOfMemory)
    }
}

/// The file that tells clients the pid of the container's init.
enum PidFile {
    /// Decimal, without a newline, put in place in one step; a link there is replaced, not followed.
    static func write(_ pid: Int32, to path: String) throws(Failure) {
        try attempting("pid file \"\(path)\"") { () throws(Failure) in
            try Files.replace(path: path, with: String(pid), mode: 0o644)
        }
    }
}
