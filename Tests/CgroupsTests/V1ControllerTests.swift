import Kernel
import OCI
import Testing

@testable import Cgroups

struct `The v1 controllers` {
    @Test func `nothing to limit means nothing to write`() throws {
        for controller in V1.all { #expect(try controller.writes(for: ResourceSpec()) == []) }
    }

    @Test
    func `cpu writes the weight, then the period before the quota, then the burst that the quota bounds`()
        throws
    {
        var spec = ResourceSpec()
        spec.cpu.shares = 512
        spec.cpu.quota = 20000
        spec.cpu.period = 100000
        spec.cpu.burst = 1000
        spec.cpu.realtimePeriod = 1_000_000
        spec.cpu.realtimeRuntime = 950_000
        #expect(
            try V1.CPU.writes(for: spec) == [
                ControlWrite("cpu.shares", "512"), ControlWrite("cpu.cfs_period_us", "100000"),
                ControlWrite("cpu.cfs_quota_us", "20000"), ControlWrite("cpu.cfs_burst_us", "1000"),
                ControlWrite("cpu.rt_period_us", "1000000"), ControlWrite("cpu.rt_runtime_us", "950000"),
            ])
    }

    @Test func `a negative quota is written as -1, and zeros leave things as they are`() throws {
        var spec = ResourceSpec()
        spec.cpu.quota = -100
        spec.cpu.shares = 0
        spec.cpu.period = 0
        #expect(try V1.CPU.writes(for: spec) == [ControlWrite("cpu.cfs_quota_us", "-1")])
    }

    @Test func `an idle cgroup gets no weight, since the kernel refuses one`() throws {
        var spec = ResourceSpec()
        spec.cpu.shares = 512
        spec.cpu.idle = 1
        #expect(try V1.CPU.writes(for: spec) == [ControlWrite("cpu.idle", "1")])
        spec.cpu.idle = 0
        #expect(
            try V1.CPU.writes(for: spec) == [
                ControlWrite("cpu.shares", "512"), ControlWrite("cpu.idle", "0"),
            ])
    }

    @Test func `cpuset writes its lists, and empty ones not at all`() throws {
        var spec = ResourceSpec()
        spec.cpu.cpus = "0-1"
        spec.cpu.mems = ""
        #expect(try V1.Cpuset.writes(for: spec) == [ControlWrite("cpuset.cpus", "0-1")])
    }

    @Test func `the limit of memory with swap comes after the limit of memory`() throws {
        var spec = ResourceSpec()
        spec.memory.limit = 1000
        spec.memory.swap = 2000
        spec.memory.reservation = 500
        spec.memory.swappiness = 10
        spec.memory.disableOOMKiller = true
        #expect(
            try V1.Memory.writes(for: spec) == [
                ControlWrite("memory.limit_in_bytes", "1000"),
                ControlWrite("memory.memsw.limit_in_bytes", "2000"),
                ControlWrite("memory.soft_limit_in_bytes", "500"), ControlWrite("memory.swappiness", "10"),
                ControlWrite("memory.oom_control", "1"),
            ])
    }

    @Test func `no limit of memory means none with swap either`() throws {
        var spec = ResourceSpec()
        spec.memory.limit = -1
        #expect(
            try V1.Memory.writes(for: spec) == [
                ControlWrite("memory.limit_in_bytes", "-1"),
                ControlWrite("memory.memsw.limit_in_bytes", "-1", onlyIfPresent: true),
            ])
    }

    @Test(arguments: [(Int64?.none, Int64(10)), (0, 10), (-1, 10), (11, 10)])
    func `a limit with swap that cannot be kept is refused where it stands`(limit: Int64?, swap: Int64) {
        var spec = ResourceSpec()
        spec.memory.limit = limit
        spec.memory.swap = swap
        let v1 = #expect(throws: Failure.self) { try V1.Memory.writes(for: spec) }
        let v2 = #expect(throws: Failure.self) { try V2.Memory.writes(for: spec) }
        #expect(v1?.message.hasPrefix("/linux/resources/memory/swap: ") == true)
        #expect(v1 == v2)
    }

    @Test func `a swappiness above 100 is refused`() {
        var spec = ResourceSpec()
        spec.memory.swappiness = 101
        #expect(throws: Failure.self) { try V1.Memory.writes(for: spec) }
    }

    @Test(arguments: [(Int64(-1), "max"), (-7, "max"), (0, "1"), (1, "1"), (4096, "4096")])
    func `a pids limit is written as a number, max when negative, and at least the init`(
        limit: Int64, want: String
    )
        throws
    {
        var spec = ResourceSpec()
        spec.pidsLimit = limit
        #expect(try V1.Pids.writes(for: spec) == [ControlWrite("pids.max", want)])
        #expect(try V2.Pids.writes(for: spec) == [ControlWrite("pids.max", want)])
    }
}

struct `The v1 device rules` {
    private func texts(_ rules: [DeviceRule]) throws(Failure) -> [String] {
        var spec = ResourceSpec()
        spec.devices = rules
        return try V1.Devices.writes(for: spec).map { "\($0.file.dropFirst(8)) \($0.text)" }
    }

    private let always = [
        "allow c *:* m", "allow b *:* m", "allow c 1:3 rwm", "allow c 1:5 rwm", "allow c 1:7 rwm",
        "allow c 1:8 rwm",
        "allow c 1:9 rwm", "allow c 5:0 rwm", "allow c 5:2 rwm", "allow c 10:200 rwm", "allow c 136:* rwm",
    ]

    @Test func `everything is denied first, and what every container needs is allowed last`() throws {
        let fuse = DeviceRule(allow: true, kind: .character, major: 10, minor: 229, access: "rw")
        #expect(try texts([fuse]) == ["deny a", "allow c 10:229 rw"] + always)
        #expect(try texts([DeviceRule(allow: false), fuse]) == ["deny a", "allow c 10:229 rw"] + always)
    }

    @Test func `rules before one for everything have no effect and are not written`() throws {
        let disk = DeviceRule(allow: true, kind: .block, major: 8, minor: 0)
        #expect(try texts([disk, DeviceRule(allow: false)]) == ["deny a"] + always)
    }

    @Test func `where everything is allowed there is nothing left to allow`() throws {
        #expect(try texts([DeviceRule(allow: true)]) == ["allow a"])
    }

    @Test func `a rule for both kinds with a number becomes two, since v1 would take it for everything`()
        throws
    {
        let rule = DeviceRule(allow: true, kind: .all, major: 9, minor: nil, access: "r")
        #expect(try texts([rule]) == ["deny a", "allow c 9:* r", "allow b 9:* r"] + always)
    }

    @Test func `an exception is taken back by its own numbers`() throws {
        let allow = DeviceRule(allow: true, kind: .block, major: 8, minor: 0, access: "rw")
        let deny = DeviceRule(allow: false, kind: .block, major: 8, minor: 0, access: "w")
        #expect(try texts([allow, deny]) == ["deny a", "allow b 8:0 rw", "deny b 8:0 w"] + always)
    }

    @Test func `a denial that v1 would quietly ignore is refused`() {
        let allow = DeviceRule(allow: true, kind: .block, major: 8)
        let deny = DeviceRule(allow: false, kind: .block, major: 8, minor: 1)
        let failure = #expect(throws: Failure.self) { try texts([allow, deny]) }
        #expect(
            failure?.message
                == "/linux/resources/devices: cgroup v1 cannot deny \"b 8:1 rwm\" after \"b 8:* rwm\"")
    }
}
