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
        for child in children { kill(child, SIGKILL) }
        for child in children { waitpid(child, nil, 0) }
        let unowned = CgroupManager(CgroupSet(version: set.version, directories: set.directories))
        do {
            try unowned.killAll(Deadline(milliseconds: 5000))
            try unowned.remove()
        } catch { print("left behind: \(error.message)") }
    }

    /// A child that sleeps; it is not in the cgroups yet.
    func sleeper() throws -> pid_t { try run("exec /bin/sleep 100") }

    /// A child that runs a shell command in a process of its own.
    func run(_ command: String) throws -> pid_t {
        var pid: pid_t = 0
        let words = ["sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let answer = posix_spawn(&pid, "/bin/sh", nil, nil, &arguments, nil)
        guard answer == 0 else { throw Failure(.kernel(call: "posix_spawn", errno: answer)) }
        children.append(pid)
        return pid
    }

    /// Waits for a child's end; its wait status.
    func wait(for pid: pid_t) -> Int32 {
        var status: Int32 = 0
        waitpid(pid, &status, 0)
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

/// Runs `condition` until it is true, for at most five seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<500 {
        if try condition() { return true }
        usleep(10000)
    }
    return false
}
