import CKernel
import Glibc
import Kernel
import OCI
import Testing

@testable import Cgroups

@Suite(.enabled(if: Host.isLegacy), .serialized)
struct `On this host's v1 hierarchies` {
    @Test
    func
        `limits are in the kernel after create, a process is attached, frozen, thawed, killed, and all is removed`()
        throws
    {
        let scratch = try Scratch("life", owner: "life")
        var resources = ResourceSpec()
        resources.memory.limit = 64 << 20
        resources.memory.swap = 64 << 20
        resources.cpu.shares = 512
        resources.cpu.quota = 50000
        resources.cpu.period = 100000
        resources.pidsLimit = 50
        resources.devices = [DeviceRule(allow: false)]
        try scratch.manager.create(resources: resources)
        #expect(try scratch.text("memory", "memory.limit_in_bytes") == "67108864")
        #expect(try scratch.text("memory", "memory.memsw.limit_in_bytes") == "67108864")
        #expect(try scratch.text("cpu", "cpu.shares") == "512")
        #expect(try scratch.text("cpu", "cpu.cfs_quota_us") == "50000")
        #expect(try scratch.text("pids", "pids.max") == "50")
        #expect(try scratch.text("devices", "devices.list").contains("c 1:3 rwm"))
        #expect(try scratch.text("cpuset", "cpuset.cpus") == scratch.text("cpuset", "../cpuset.cpus"))

        let child = try scratch.sleeper()
        try scratch.manager.attach(pid: child)
        #expect(try scratch.manager.processes() == [child])
        for directory in scratch.set.directories {
            #expect(try Files.read("\(directory.path)/cgroup.procs") == "\(child)\n")
        }

        #expect(try !scratch.manager.isFrozen())
        try scratch.manager.freeze(milliseconds: 1000)
        #expect(try scratch.manager.isFrozen())
        try scratch.manager.thaw()
        #expect(try !scratch.manager.isFrozen())

        try scratch.manager.freeze(milliseconds: 1000)
        try scratch.manager.killAll(Deadline(milliseconds: 5000))
        #expect(try scratch.manager.processes() == [])
        #expect(scratch.wait(for: child) == SIGKILL)
        try scratch.manager.remove()
        for directory in scratch.set.directories { #expect(try FileStatus.of(directory.path) == nil) }
        try scratch.manager.remove()
    }
}

extension `On this host's v1 hierarchies` {
    @Test func `a child moves itself through the doors that its parent has opened`() throws {
        let scratch = try Scratch("doors")
        try scratch.manager.create(resources: ResourceSpec())
        guard let inside = try scratch.manager.directoryForSpawn() else { return }
        let doors = try scratch.manager.openDoors(spawnedInside: true)
        let child = try scratch.clone(into: inside.raw, through: doors)
        #expect(try eventually { try scratch.manager.processes() == [child] })
        for directory in scratch.set.directories {
            #expect(try Files.read("\(directory.path)/cgroup.procs") == "\(child)\n")
        }
        try scratch.manager.killAll(Deadline(milliseconds: 2000))
        #expect(scratch.wait(for: child) == SIGKILL)
    }
}
