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

extension `On this host's v1 hierarchies` {
    @Test
    func
        `a limit below what is in use is refused when that is asked for, and the kernel's refusal tells the use`()
        throws
    {
        let scratch = try Scratch("usage", controllers: ["memory", "freezer"])
        var spec = ResourceSpec()
        // What is used stays in memory, also where there is swap.
        spec.memory.swappiness = 0
        try scratch.manager.create(resources: spec)
        let child = try scratch.run(
            """
            until grep -q mrun-cgtest /proc/self/cgroup; do sleep 0.01; done
            x=$(yes | head -c 8000000); sleep 100
            """)
        try scratch.manager.attach(pid: child)
        func usage() throws -> Int { Int(try scratch.text("memory", "memory.usage_in_bytes")) ?? 0 }
        #expect(try eventually { try usage() > 8_000_000 })
        spec.memory.limit = 65536
        spec.memory.swap = 65536
        let refused = #expect(throws: Failure.self) { try scratch.manager.update(resources: spec) }
        #expect(refused?.message.contains("bytes are in use): ") == true, "\(refused?.message ?? "")")
        spec.memory.checkBeforeUpdate = true
        let checked = #expect(throws: Failure.self) { try scratch.manager.update(resources: spec) }
        #expect(checked?.message.hasPrefix("/linux/resources/memory/limit: ") == true)
    }

    @Test func `limits can be raised and lowered in any order, also when they bound each other`() throws {
        let scratch = try Scratch("order", controllers: ["memory", "cpu"])
        var spec = ResourceSpec()
        for size: Int64 in [64 << 20, 128 << 20, 32 << 20, -1, 64 << 20] {
            spec.memory.limit = size
            spec.memory.swap = size
            spec.cpu.quota = size < 0 ? -1 : size >> 10
            spec.cpu.burst = size < 0 ? 0 : UInt64(size >> 10)
            try scratch.manager.create(resources: spec)
            let unlimited = "9223372036854771712"
            let want = size < 0 ? unlimited : String(size)
            #expect(try scratch.text("memory", "memory.limit_in_bytes") == want)
            #expect(try scratch.text("memory", "memory.memsw.limit_in_bytes") == want)
        }
    }
}
