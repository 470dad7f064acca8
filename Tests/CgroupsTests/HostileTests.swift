import Glibc
import Kernel
import OCI
import Testing

@testable import Cgroups

/// What happens in cgroups that others use, or that do not want to end: on each kind of hierarchy that this host has.
enum Kind: String, CaseIterable, Sendable {
    case legacy, hybrid, unified

    /// Only the hierarchies that the test needs, to keep the host's load low.
    func scratch(_ name: String, below: String = "", owner: String = "") throws -> Scratch {
        switch self {
        case .legacy:
            try Scratch(name, controllers: ["freezer", "pids", "memory"], below: below, owner: owner)
        case .hybrid: try Scratch(name, controllers: ["freezer", "unified"], below: below, owner: owner)
        case .unified:
            try Scratch(
                name, layout: Host.unifiedLayout(), controllers: ["devices"], below: below, owner: owner)
        }
    }

    static let here: [Kind] =
        (Host.isLegacy ? [.legacy] : []) + (Host.isLegacy && Host.hasUnified ? [.hybrid] : [])
        + (Host.hasUnified ? [.unified] : [])
}

@Suite(.enabled(if: Host.allowsCgroups), .serialized)
struct `Cgroups in use` {
    @Test(arguments: Kind.here)
    func `are refused while a foreign process is in them, which survives, and nothing is left`(kind: Kind)
        throws
    {
        let foreign = try kind.scratch("foreign")
        let last = try #require(foreign.set.directories.last)
        try foreign.manager(owner: "", [last]).create(resources: ResourceSpec())
        let child = try foreign.sleeper()
        try Files.write(String(child), to: last.path + "/cgroup.procs")

        let manager = foreign.manager(owner: "me")
        let failure = #expect(throws: Failure.self) { try manager.create(resources: ResourceSpec()) }
        #expect(failure?.message == "cgroup \"\(last.path)\" is in use: process \(child) is in it")
        #expect(throws: Failure.self) { try manager.checkFree() }
        for directory in foreign.set.directories.dropLast() {
            #expect(try FileStatus.of(directory.path) == nil)
        }

        // What a crash between the record and the cgroups would lead to.
        try manager.killAll(Deadline(milliseconds: 1000))
        try manager.signalAll(SIGKILL)
        #expect(throws: Failure.self) { try manager.remove(milliseconds: 20) }
        #expect(kill(child, 0) == 0)
        #expect(
            try CgroupManager(foreign.set).processes() == (foreign.set.directories.count == 1 ? [child] : []))
    }

    @Test(arguments: Kind.here)
    func `of one container are not another's, not even empty ones`(kind: Kind) throws {
        let first = try kind.scratch("two", owner: "first")
        try first.manager.create(resources: ResourceSpec())
        let second = first.manager(owner: "second")
        let failure = #expect(throws: Failure.self) { try second.create(resources: ResourceSpec()) }
        #expect(failure?.message.hasSuffix("belongs to another container") == true)
        let child = try first.sleeper()
        try first.manager.attach(pid: child)
        try second.killAll(Deadline(milliseconds: 100))
        try second.remove()
        #expect(try first.manager.processes() == [child])
        // The same container again, as after a crash.
        try first.manager.killAll(Deadline(milliseconds: 5000))
        try first.manager.create(resources: ResourceSpec())
    }

    @Test(arguments: Kind.here)
    func `that exist and are empty are taken over, and lose no mark when the next step fails`(kind: Kind)
        throws
    {
        let scratch = try kind.scratch("adopt", owner: "me")
        for directory in scratch.set.directories { #expect(mkdir(directory.path, 0o755) == 0) }
        let last = try #require(scratch.set.directories.last)
        let child = try scratch.sleeper()
        try Files.write(String(child), to: last.path + "/cgroup.procs")
        #expect(throws: Failure.self) { try scratch.manager.create(resources: ResourceSpec()) }
        for directory in scratch.set.directories { #expect(try Mark.read(directory.path) == "") }
        kill(child, SIGKILL)
        #expect(scratch.wait(for: child) == SIGKILL)
        try scratch.manager.create(resources: ResourceSpec())
        #expect(try Mark.read(scratch.set.directories[0].path) == "me")
    }

    @Test(arguments: Kind.here)
    func `with fifty children that fork are ended in time, and removed`(kind: Kind) throws {
        let scratch = try kind.scratch("bomb", owner: "bomb")
        try scratch.manager.create(resources: ResourceSpec())
        // It forks only once it is inside, and ends by itself should the test fail.
        let child = try scratch.run(
            """
            until grep -q mrun-cgtest /proc/self/cgroup; do sleep 0.01; done
            for i in $(seq 50); do (for j in $(seq 200); do /bin/true & wait; done; sleep 5) & done; wait
            """)
        try scratch.manager.attach(pid: child)
        #expect(try eventually { try scratch.manager.processes().count >= 50 })
        try scratch.manager.killAll(Deadline(milliseconds: 10000))
        #expect(try scratch.manager.processes() == [])
        try scratch.manager.remove()
    }

    @Test(arguments: Kind.here)
    func `frozen at any depth are ended and removed, with what was made in them`(kind: Kind) throws {
        let scratch = try kind.scratch("deep", owner: "deep")
        try scratch.manager.create(resources: ResourceSpec())
        let primary = scratch.set.directories[0].path
        #expect(mkdir(primary + "/a", 0o755) == 0 && mkdir(primary + "/a/b", 0o755) == 0)
        let child = try scratch.sleeper()
        let deep = try scratch.sleeper()
        try scratch.manager.attach(pid: child)
        try scratch.manager.attach(pid: deep)
        try Files.write(String(deep), to: primary + "/a/b/cgroup.procs")
        let state = kind == .unified ? "cgroup.freeze" : "freezer.state"
        try Files.write(kind == .unified ? "1" : "FROZEN", to: "\(primary)/a/b/\(state)")
        try scratch.manager.freeze(milliseconds: 1000)
        #expect(try scratch.manager.processes() == [child, deep].sorted())
        // Resuming gives back what pausing took, and no more.
        try scratch.manager.thaw()
        let inner = kind == .unified ? "1\n" : "FROZEN\n"
        #expect(try Files.read("\(primary)/a/b/\(state)") == inner)
        try scratch.manager.killAll(Deadline(milliseconds: 5000))
        #expect(scratch.wait(for: deep) == SIGKILL)
        try scratch.manager.remove()
        #expect(try FileStatus.of(primary) == nil)
    }

    @Test(arguments: Kind.here)
    func `stay paused when signalled, but not when killed`(kind: Kind) throws {
        let scratch = try kind.scratch("signal", owner: "signal")
        try scratch.manager.create(resources: ResourceSpec())
        let child = try scratch.sleeper()
        try scratch.manager.attach(pid: child)
        try scratch.manager.freeze(milliseconds: 1000)
        try scratch.manager.signalAll(SIGUSR1)
        #expect(try scratch.manager.isFrozen())
        usleep(20000)
        // A signal that ends a process at once does so in cgroup2's freezer too; v1's holds everything.
        if kind != .unified { #expect(try scratch.manager.processes() == [child]) }
        try scratch.manager.thaw()
        #expect(scratch.wait(for: child) == SIGUSR1)

        let other = try scratch.sleeper()
        try scratch.manager.attach(pid: other)
        try scratch.manager.freeze(milliseconds: 1000)
        try scratch.manager.signalAll(SIGKILL)
        #expect(scratch.wait(for: other) == SIGKILL)
        try scratch.manager.killAll(Deadline(milliseconds: 1000))
    }

    @Test(arguments: Kind.here)
    func `are removed as soon as the last process is gone, however often the kernel says that they are busy`(
        kind: Kind
    ) throws {
        // Somebody else's process, for it lacks the mark: the container's own would be ended.
        let scratch = try kind.scratch("busy", owner: "busy")
        try scratch.manager(owner: "").create(resources: ResourceSpec())
        let child = try scratch.run("exec /bin/sleep 0.1")
        try scratch.manager.attach(pid: child)
        #expect(throws: Failure.self) { try scratch.manager.remove(milliseconds: 5) }
        try scratch.manager.remove(milliseconds: 3000)
        #expect(try FileStatus.of(scratch.set.directories[0].path) == nil)
    }

    @Test(arguments: Kind.here)
    func `leave parents that were made with them, and those of others`(kind: Kind) throws {
        let scratch = try kind.scratch("parent", below: "/a/b")
        try scratch.manager.create(resources: ResourceSpec())
        try scratch.manager.remove()
        for directory in scratch.set.directories {
            #expect(try FileStatus.of(directory.path) == nil)
            let parent = String(directory.path.dropLast(2))
            #expect(try FileStatus.of(parent)?.isDirectory == true)
            #expect(rmdir(parent) == 0 && rmdir(String(parent.dropLast(2))) == 0)
        }
    }

    @Test(arguments: Kind.here)
    func `are taken back with their parents when a limit cannot be set`(kind: Kind) throws {
        let scratch = try kind.scratch("undo", below: "/a")
        var spec = ResourceSpec()
        if kind == .unified {
            spec.unified = [Annotation("cgroup.max.depth", "nonsense")]
        } else {
            spec.pidsLimit = Int64.max
        }
        let error = #expect(throws: Failure.self) { try scratch.manager.create(resources: spec) }
        #expect(error != nil)
        for directory in scratch.set.directories {
            #expect(try FileStatus.of(String(directory.path.dropLast(2))) == nil)
        }
    }
}
