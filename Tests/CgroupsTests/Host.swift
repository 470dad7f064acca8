import CKernel
import Glibc
import Kernel
import OCI

@testable import Cgroups

/// What the tests with real cgroups share.
enum Host {
    /// Whether cgroups can be made here.
    static let allowsCgroups: Bool = {
        guard geteuid() == 0 else { return false }
        do { return try !CgroupLayout.detect().hierarchies.isEmpty } catch { return false }
    }()

    static let isLegacy: Bool = {
        do { return try allowsCgroups && CgroupLayout.detect().version == .v1 } catch { return false }
    }()

    /// Whether there is a cgroup2 mount, be it the only one or beside v1.
    static let hasUnified: Bool = {
        do { return try allowsCgroups && !unifiedLayout().hierarchies.isEmpty } catch { return false }
    }()

    /// The cgroup2 hierarchy of this host, as on a host that has nothing else.
    static func unifiedLayout() throws(Failure) -> CgroupLayout {
        CgroupLayout(
            version: .v2, hierarchies: try CgroupLayout.detect().hierarchies.filter { $0.name == "unified" })
    }
}

/// Cgroups of one test, with a tagged name; they go with the value, and so do the processes in them.
final class Scratch {
    let path: String
    let set: CgroupSet
    let manager: CgroupManager
    private var children: [pid_t] = []

    init(
        _ name: String, layout: CgroupLayout? = nil, controllers: [String]? = nil, below: String = "",
        owner: String = ""
    ) throws {
        path = "/mrun-cgtest-\(getpid())-\(name)" + below
        set = try CgroupSet.plan(
            path: path, controllers: controllers, layout: layout ?? CgroupLayout.detect(), owner: owner)
        manager = CgroupManager(set)
    }

    deinit {
        // Not by the code under test: a child that it has left frozen would never end.
        for directory in set.directories { Scratch.thawAll(below: directory.path) }
        for child in children { kill(child, SIGKILL) }
        // Nor for ever: one that the code under test has left frozen and hidden does not end.
        for child in children { _ = eventually { waitpid(child, nil, WNOHANG) != 0 } }
        let unowned = CgroupManager(CgroupSet(version: set.version, directories: set.directories))
        do {
            try unowned.killAll(Deadline(milliseconds: 5000))
            try unowned.remove()
        } catch { print("left behind: \(error.message)") }
    }

    private static func thawAll(below path: String) {
        do {
            for (file, text) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")]
            where try FileStatus.of("\(path)/\(file)") != nil {
                try Files.write(text, to: "\(path)/\(file)")
            }
            for name in try Files.names(inFolder: path)
            where try FileStatus.of("\(path)/\(name)")?.isDirectory == true {
                thawAll(below: "\(path)/\(name)")
            }
        } catch { print("left frozen: \(error)") }
    }

    /// The same cgroups, or some of them, as another container sees them.
    func manager(owner: String, _ directories: [CgroupSet.Directory]? = nil) -> CgroupManager {
        CgroupManager(
            CgroupSet(
                version: set.version, directories: directories ?? set.directories,
                controllers: set.controllers,
                owner: owner))
    }

    /// A child that sleeps; it is not in the cgroups yet.
    func sleeper() throws -> pid_t { try run("exec /bin/sleep 100") }

    /// A child that runs a shell command in a process of its own.
    func run(_ command: String) throws -> pid_t {
        var pid: pid_t = 0
        let words = ["sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        // The threads that tests run on block signals, which a child would inherit.
        var attributes = posix_spawnattr_t()
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        defer { posix_spawnattr_destroy(&attributes) }
        let answer = posix_spawn(&pid, "/bin/sh", nil, &attributes, &arguments, nil)
        guard answer == 0 else { throw Failure(.kernel(call: "posix_spawn", errno: answer)) }
        children.append(pid)
        return pid
    }

    /// A clone of this thread that moves itself into the cgroups, and stays.
    func clone(into cgroup: Int32, through doors: borrowing CgroupDoors) throws -> pid_t {
        let answer = withUnsafePointer(to: doors) { doors in
            var pidfd: Int32 = -1
            let context = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(doors))
            let pid = sys_spawn(0, cgroup, &pidfd, childMain, context)
            if pid > 0 { _ = sys_close(pidfd) }
            return pid
        }
        let pid = Int32(try checked("clone3", answer))
        children.append(pid)
        return pid
    }

    /// Waits for a child's end; its wait status, -1 when it lives on.
    func wait(for pid: pid_t) -> Int32 {
        var status: Int32 = 0
        guard eventually({ waitpid(pid, &status, WNOHANG) != 0 }) else { return -1 }
        children.removeAll { $0 == pid }
        return status
    }

    /// The text of a control file in the directory of `controller`.
    func text(_ controller: String, _ file: String) throws -> String {
        guard let directory = set.directory(for: controller) else { return "" }
        return String(
            try Files.read("\(directory.path)/\(file)").split(separator: "\n").joined(separator: " "))
    }
}

private func childMain(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let doors = context?.assumingMemoryBound(to: CgroupDoors.self) else { return 2 }
    do { try doors.pointee.enter() } catch { return 1 }
    while true { pause() }
}

/// Runs `condition` until it is true, for at most five seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<500 {
        if try condition() { return true }
        usleep(10000)
    }
    return false
}
