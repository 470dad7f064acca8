internal import CKernel
internal import Cgroups
internal import Glibc
internal import InitBinary
internal import Kernel
internal import OCI
internal import Plan

/// The process between clone3 and mrun-init: plain Swift, one thread, in the container's namespaces.
struct Child {
    private let launch: Launch
    private let parent: Conversation
    private var hasJoined = false

    init(_ launch: Launch) {
        self.launch = launch
        parent = Conversation(socket: launch.childEndNumber)
    }

    /// Makes the container and becomes mrun-init; returns only when something failed.
    mutating func run() -> Int32 {
        // The parent's end must have one holder, or its death would go unnoticed here.
        _ = sys_close(launch.parentEnd.raw)
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
        _ = sys_umask(0)
        if launch.newCgroupNamespace || launch.isFurtherProcess { try joinCgroups() }
        try launch.joins.enterOthers()
        if launch.newCgroupNamespace {
            try checked("create the cgroup namespace", sys_unshare(Int32(bitPattern: K_CLONE_NEWCGROUP)))
        }
        var performer = Performer(cgroups: launch.cgroups, cgroupNamespace: launch.newCgroupNamespace)
        for operation in launch.operations {
            // The last moment at which cgroupfs is where the host has it. What the mounts took is not the container's.
            if operation == .pivot { try joinCgroups() }
            try performer.perform(operation)
        }
        try joinCgroups()
        try handOver()
    }

    /// Moves into the container's cgroups, once. On v2 the child was born there.
    private mutating func joinCgroups() throws(Failure) {
        if hasJoined { return }
        hasJoined = true
        if launch.cgroups.version == .v2 { return }
        if !launch.isFurtherProcess {
            guard try parent.hear() == .cgroupsReady else { sys_exit(1) }
        }
        let doors = try CgroupManager(launch.cgroups).openDoors(spawnedInside: false)
        try doors.enter()
    }

    /// Prepares mrun-init and its orders, waits for the parent's word, and becomes it.
    private func handOver() throws(Failure) {
        let initImage = try InitFile.make()
        var orders = launch.orders
        orders.executable = try ExecutableLookup(process: launch.process, named: launch.executable).find()
        orders.environment = try Environment.complete(launch.process)
        // mrun-init finds its orders at a fixed number; everything else goes out of the way, above it.
        orders.startSocket = try inherited(launch.startSocketNumber)
        orders.record = try inherited(launch.exitRecordNumber)
        if launch.startsAtOnce { orders.report = try inherited(launch.childEndNumber) }
        let block = try Child.memory(orders.block())
        try parent.say(.ready)
        guard try parent.hear() == .proceed else { sys_exit(1) }
        let image = try inherited(initImage.raw)
        try checked("seal", sys_fcntl(image, F_SETFD, Int(FD_CLOEXEC)))
        try checked("dup", sys_dup3(block.raw, Int32(ORDERS_FD), 0))
        throw Failure(.kernel(call: "exec mrun-init", errno: Int32(-Child.execute(image, id: launch.id))))
    }

    /// A copy of a descriptor, at 10 or above, that survives an exec; −1 stays −1.
    private func inherited(_ raw: Int32) throws(Failure) -> Int32 {
        guard raw >= 0 else { return -1 }
        return Int32(try checked("dup", sys_fcntl(raw, F_DUPFD, 10)))
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
            let name = entry.prefix { $0 != "=" }
            if let index = entries.firstIndex(where: { hasName($0, name) }) {
                entries[index] = entry
            } else {
                entries.append(entry)
            }
        }
        let index = entries.firstIndex { hasName($0, "HOME") }
        if let index, entries[index] != "HOME=" { return entries }
        let home = "HOME=" + (try home(of: process.user.uid) ?? "/")
        if let index { entries[index] = home } else { entries.append(home) }
        return entries
    }

    private static func hasName(_ entry: String, _ name: Substring) -> Bool {
        entry.utf8.count > name.utf8.count && entry.hasPrefix(name)
            && entry.utf8[entry.utf8.index(entry.startIndex, offsetBy: name.utf8.count)] == UInt8(ascii: "=")
    }

    private static func home(of uid: UInt32) throws(Failure) -> String? {
        // The image wrote this file: a FIFO, a device or a giant must neither block nor fill us, and what
        // cannot be read gives no home.
        let answer = sys_openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        guard answer >= 0 else { return nil }
        let file = FileDescriptor(adopting: Int32(answer))
        let status = try file.status()
        guard status.isRegular, status.size <= 1 << 20 else { return nil }
        let text = String(decoding: try file.readAll(), as: UTF8.self)
        for line in text.split(separator: "\n") {
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
