internal import CKernel
internal import Cgroups
internal import Glibc
internal import InitBinary
internal import Kernel
internal import OCI
internal import Plan

/// The process between clone3 and mrun-init: plain Swift, one thread, in the container's namespaces.
struct Child {
    let launch: Launch
    let parent: Conversation
    private var hasJoined = false
    /// Whether the user namespace forbids setgroups.
    var groupsDenied = false

    init(_ launch: Launch) {
        self.launch = launch
        parent = Conversation(socket: launch.childEndNumber)
    }

    /// Makes the container and becomes mrun-init; returns only when something failed.
    mutating func run() -> Int32 {
        // What must have one holder: the parent's end, or its death would go unnoticed here; the lock, or it would
        // outlive the parent.
        for raw in [launch.parentEnd.raw] + launch.parentsOwn { _ = sys_close(raw) }
        _ = sys_prctl(Int32(K_PR_SET_NAME), UInt(bitPattern: Child.name.utf8Start))
        do throws(Failure) {
            try build()
        } catch {
            // Where the parent is gone, nobody is left to be told.
            do throws(Failure) { try parent.say(error) } catch {}
        }
        return 1
    }

    private static let name: StaticString = "mrun:child"

    private mutating func build() throws(Failure) {
        // Stopped by somebody, the child could not hear that the parent is gone.
        try checked("PR_SET_PDEATHSIG", sys_prctl(Int32(K_PR_SET_PDEATHSIG), UInt(SIGKILL)))
        try checked("personality", sys_personality(0))
        _ = sys_umask(0)
        // Where systemd makes the cgroups, they come after the child: it waits, for it may be asked to show them.
        let isScope = launch.cgroups.scope != nil
        let usesUser = launch.entrance.usesUser
        if launch.newCgroupNamespace || launch.isFurtherProcess || usesUser || isScope { try joinCgroups() }
        var performer = Performer(
            cgroups: launch.cgroups,
            cgroupNamespace: launch.newCgroupNamespace || launch.joins.hasCgroupNamespace,
            prepared: launch.prepared)
        performer.existingPid = launch.joins.existingPid
        let operations = launch.operations
        try enterNamespaces { () throws(Failure) in
            if usesUser { performer.openSources(of: operations) }
        }
        if launch.entrance.joinsMounts {
            // The last moment at which cgroupfs is where the host has it.
            try joinCgroups()
            try launch.joins.enterMounts()
        }
        for operation in launch.operations {
            // The last moment at which cgroupfs is where the host has it. What the mounts took is not the
            // container's.
            if operation == .pivot || operation == .moveRoot { try joinCgroups() }
            if operation == .hooks { try runHooks() }
            try performer.perform(operation)
        }
        try joinCgroups()
        try handOver(performer.terminal.take())
    }

    /// Waits for the parent's word and moves into the container's cgroups, once.
    ///
    /// On v2 the child was born there.
    private mutating func joinCgroups() throws(Failure) {
        if hasJoined { return }
        hasJoined = true
        guard try parent.hear() == .proceed else { sys_exit(1) }
        if launch.cgroups.version == .v2 { return }
        let doors = try CgroupManager(launch.cgroups).openDoors(spawnedInside: false)
        try doors.enter()
    }

    /// The parent's hooks, then createContainer: in the container's namespaces and cgroups, but with the host's root.
    private mutating func runHooks() throws(Failure) {
        try joinCgroups()
        try parent.say(.ready)
        guard try parent.hear() == .hooked else { sys_exit(1) }
        try launch.hooks?.run(.createContainer, pid: Int32(sys_getpid()))
        try parent.say(.hooked)
    }

    /// Prepares mrun-init and its orders, and becomes it.
    private func handOver(_ terminal: consuming Terminal?) throws(Failure) {
        let initImage = try InitFile.make()
        var orders = launch.orders
        if groupsDenied { orders.flags &= ~UInt32(ORDERS_SETGROUPS.rawValue) }
        if launch.entrance.isBornLater { orders.flags |= UInt32(ORDERS_BORN.rawValue) }
        orders.executable = try ExecutableLookup(process: launch.process, named: launch.executable).find()
        orders.environment = try Environment.complete(launch.process)
        if let hooks = launch.hooks, !hooks.spec.startContainer.isEmpty {
            orders.hooks = hooks.spec.startContainer
            orders.hookState = hooks.stateAroundPid(.startContainer)
        }
        // mrun-init finds its orders at a fixed number; everything else goes out of the way, above it.
        orders.startSocket = try inherited(launch.startSocketNumber)
        orders.record = try inherited(launch.exitRecordNumber)
        orders.enter = try inherited(launch.joins.pidNamespaceToEnter)
        orders.report = try inherited(launch.childEndNumber)
        if let labels = orders.attributes?.labels, !labels.isEmpty {
            let procfs = try launch.isFurtherProcess ? TaskProc.copy() : TaskProc.own()
            orders.attributes?.procRoot = try inherited(procfs.raw)
        }
        try preserve(&orders)
        if launch.process.terminal, let attachments = launch.attachments { try take(terminal, attachments) }
        let block = try Child.memory(orders.block())
        try checked("PR_SET_PDEATHSIG", sys_prctl(Int32(K_PR_SET_PDEATHSIG), 0))
        let image = try inherited(initImage.raw)
        try checked("seal", sys_fcntl(image, F_SETFD, Int(FD_CLOEXEC)))
        try checked("dup", sys_dup3(block.raw, Int32(ORDERS_FD), 0))
        throw Failure(.kernel(call: "exec mrun-init", errno: Int32(-Child.execute(image, id: launch.id))))
    }

    /// Lets the exec pass on the caller's descriptors for the task; the first one goes out of the way of the orders.
    private func preserve(_ orders: inout Orders) throws(Failure) {
        guard let count = launch.attachments?.preserved, count > 0 else { return }
        for number in 4..<(3 + count) where count > 1 {
            try checked("preserve descriptor \(number)", sys_fcntl(number, F_SETFD, 0))
        }
        orders.preserved = (count: UInt32(count), first: try inherited(3))
    }

    /// A copy of a descriptor, above those of the task, that survives an exec; −1 stays −1.
    private func inherited(_ raw: Int32) throws(Failure) -> Int32 {
        guard raw >= 0 else { return -1 }
        let lowest = max(10, 4 + (launch.attachments?.preserved ?? 0))
        return Int32(try checked("dup", sys_fcntl(raw, F_DUPFD, Int(lowest))))
    }

    private static func memory(_ bytes: [UInt8]) throws(Failure) -> FileDescriptor {
        let file = try FileDescriptor.memory(named: "mrun-orders", executable: false)
        var failure: Failure?
        bytes.withUnsafeBytes { buffer in
            do throws(Failure) { try file.write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.seal()
        return file
    }

    /// Returns −errno, if at all.
    private static func execute(_ image: Int32, id: String) -> Int {
        "mrun-init".withCString { name in
            id.withCString { id in
                var arguments: [UnsafePointer<CChar>?] = [name, id, nil]
                var environment: [UnsafePointer<CChar>?] = [nil]
                return sys_execveat(image, &arguments, &environment)
            }
        }
    }
}

/// The program mrun-init, in a file that nobody can change (CVE-2019-5736).
enum InitFile {
    static func make() throws(Failure) -> FileDescriptor {
        let file = try FileDescriptor.memory(named: "mrun-init", executable: true)
        try InitBinary.withBytes { (bytes) throws(Failure) in try file.write(bytes) }
        try file.seal()
        return file
    }
}

/// The task's environment: what the config says, nothing of mrun's.
enum Environment {
    /// Of a name given twice the last value counts; `HOME` is added from the container's passwd file when it
    /// is missing.
    static func complete(_ process: ProcessSpec) throws(Failure) -> [String] {
        var entries: [String] = []
        for entry in process.env {
            let wanted = name(of: entry)
            if let index = entries.firstIndex(where: { name(of: $0).elementsEqual(wanted) }) {
                entries[index] = entry
            } else {
                entries.append(entry)
            }
        }
        let index = entries.firstIndex { name(of: $0).elementsEqual("HOME".utf8) }
        if let index, entries[index] != "HOME=" { return entries }
        let home = "HOME=" + (try home(of: process.user.uid) ?? "/")
        if let index { entries[index] = home } else { entries.append(home) }
        return entries
    }

    /// By bytes: to Swift, names that look alike are equal, and a combining mark hides the sign before it.
    private static func name(of entry: String) -> Substring.UTF8View {
        entry.utf8.prefix { $0 != UInt8(ascii: "=") }
    }

    /// What the container's passwd file says; `nil` where it says nothing or cannot be read.
    private static func home(of uid: UInt32) throws(Failure) -> String? {
        let root = Root(adopting: try FileDescriptor.open("/", flags: O_PATH | O_DIRECTORY))
        do {
            // The image made this file: it could be a link to a descriptor of ours, a FIFO, the kernel's log, a giant.
            let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
            guard let file = try root.openIfPresent("/etc/passwd", flags: flags) else { return nil }
            let isProcfs = sys_filesystem_magic(file.raw) == Int(K_PROC_SUPER_MAGIC)
            guard try file.status().isRegular, !isProcfs else { return nil }
            return home(of: uid, in: String(decoding: try file.readAll(limit: 1 << 20), as: UTF8.self))
        } catch {
            return nil
        }
    }

    private static func home(of uid: UInt32, in passwd: String) -> String? {
        for line in passwd.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count >= 6, UInt32(fields[2]) == uid, !fields[5].isEmpty { return String(fields[5]) }
        }
        return nil
    }
}

extension Launch {
    var startSocketNumber: Int32 {
        switch startSocket {
        case .some(let socket): socket.raw
        case .none: -1
        }
    }

    var exitRecordNumber: Int32 {
        switch exitRecord {
        case .some(let file): file.raw
        case .none: -1
        }
    }
}
