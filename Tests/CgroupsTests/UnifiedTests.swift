import Glibc
import Kernel
import OCI
import Testing

@testable import Cgroups

@Suite(.enabled(if: Host.hasUnified), .serialized)
struct `On this host's cgroup2 hierarchy` {
    @Test func `a child can be born inside, be frozen, and be ended with cgroup.kill`() throws {
        let scratch = try Scratch(
            "born", layout: Host.unifiedLayout(), controllers: ["devices"], owner: "born")
        try scratch.manager.create(resources: ResourceSpec())
        guard let inside = try scratch.manager.directoryForSpawn() else {
            Issue.record("there is no directory")
            return
        }
        let child = try scratch.clone(
            into: inside.raw, through: scratch.manager.openDoors(spawnedInside: true))
        #expect(try scratch.manager.processes() == [child])
        try scratch.manager.freeze(milliseconds: 1000)
        #expect(try scratch.manager.isFrozen())
        #expect(try Files.read(scratch.set.directories[0].path + "/cgroup.events").contains("frozen 1"))
        try scratch.manager.thaw()
        #expect(try !scratch.manager.isFrozen())
        try scratch.manager.killAll(Deadline(milliseconds: 2000))
        #expect(scratch.wait(for: child) == SIGKILL)
        try scratch.manager.remove()
    }

    @Test func `controllers are passed on from the top to every ancestor`() throws {
        let scratch = try Scratch("enable", layout: Host.unifiedLayout(), below: "/a/b")
        let mount = try #require(Host.unifiedLayout().hierarchies.first?.mount)
        let available = words(in: try Files.read(mount + "/cgroup.controllers"))
        try #require(!available.isEmpty)
        let before = try Files.read(mount + "/cgroup.subtree_control")
        defer {
            for name in available where !words(in: before).contains(name) {
                do { try Files.write("-" + name, to: mount + "/cgroup.subtree_control") } catch {
                    Issue.record(error)
                }
            }
        }
        try scratch.manager.create(resources: ResourceSpec())
        let leaf = scratch.set.directories[0].path
        #expect(try words(in: Files.read(leaf + "/cgroup.controllers")) == available)
        #expect(try words(in: Files.read(leaf + "/cgroup.subtree_control")) == [])
        try scratch.manager.remove()
        #expect(rmdir(String(leaf.dropLast(2))) == 0 && rmdir(String(leaf.dropLast(4))) == 0)
    }

    @Test func `a limit of a controller that the host does not have is refused by its name`() throws {
        let scratch = try Scratch("lacking", layout: Host.unifiedLayout(), controllers: ["devices"])
        var spec = ResourceSpec()
        spec.unified = [Annotation("nosuch.max", "1")]
        let failure = #expect(throws: Failure.self) { try scratch.manager.create(resources: spec) }
        #expect(
            failure?.message
                == "/linux/resources/unified/nosuch.max: this host has no cgroup v2 controller \"nosuch\"")
        #expect(try FileStatus.of(scratch.set.directories[0].path) == nil)
    }

    @Test func `the device program denies what no rule allows, and an update replaces it`() throws {
        let scratch = try Scratch("devices", layout: Host.unifiedLayout(), controllers: ["devices"])
        var spec = ResourceSpec()
        spec.devices = [DeviceRule(allow: false)]
        try scratch.manager.create(resources: spec)
        let inside = scratch.set.directories[0].path + "/cgroup.procs"
        // 1:11 is the kernel's log, which root may read elsewhere; null is always allowed.
        let node = "/tmp/mrun-cgtest-\(getpid())-kmsg"
        #expect(mknod(node, S_IFCHR | 0o600, 1 << 8 | 11) == 0)
        defer { unlink(node) }
        func tries(_ command: String) throws -> Int32 {
            try scratch.wait(for: scratch.run("echo $$ > \(inside) && \(command)"))
        }
        #expect(try tries("true < /dev/null") == 0)
        #expect(try tries("true < \(node)") != 0)
        spec.devices.append(DeviceRule(allow: true, kind: .character, major: 1, minor: 11, access: "r"))
        try scratch.manager.update(resources: spec)
        #expect(try tries("true < \(node)") == 0)
    }
}
