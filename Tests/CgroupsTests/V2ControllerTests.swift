import Kernel
import OCI
import Testing

@testable import Cgroups

struct `The v2 controllers` {
    @Test func `nothing to limit means nothing to write`() throws {
        for controller in V2.all { #expect(try controller.writes(for: ResourceSpec()) == []) }
    }

    // What runc and crun write.
    @Test(arguments: [
        (UInt64(2), UInt64(1)), (1, 1), (10, 4), (512, 59), (1024, 100), (2048, 174), (262144, 10000),
    ])
    func `shares become a weight by the common formula`(shares: UInt64, weight: UInt64) {
        #expect(V2.CPU.weight(shares: shares) == weight)
    }

    @Test func `every number of shares has a weight, and more shares never weigh less`() {
        var last: UInt64 = 1
        for shares in UInt64(2)...262144 {
            let weight = V2.CPU.weight(shares: shares)
            #expect(weight >= last && weight <= 10000)
            if weight < last { return }
            last = weight
        }
    }

    @Test(arguments: [
        (Int64?(20000), UInt64?(100000), "20000 100000"), (20000, nil, "20000"), (nil, 50000, "max 50000"),
        (-1, nil, "max"), (-1, 100000, "max 100000"), (0, 50000, "max 50000"),
    ])
    func `quota and period share one file`(quota: Int64?, period: UInt64?, want: String) throws {
        var spec = ResourceSpec()
        spec.cpu.quota = quota
        spec.cpu.period = period
        #expect(try V2.CPU.writes(for: spec) == [ControlWrite("cpu.max", want)])
    }

    @Test func `cpu writes weight, limit and burst; an idle cgroup has no weight`() throws {
        var spec = ResourceSpec()
        spec.cpu.shares = 1024
        spec.cpu.quota = 1000
        spec.cpu.burst = 500
        #expect(
            try V2.CPU.writes(for: spec) == [
                ControlWrite("cpu.weight", "100"), ControlWrite("cpu.max", "1000"),
                ControlWrite("cpu.max.burst", "500"),
            ])
        spec.cpu.idle = 1
        #expect(try V2.CPU.writes(for: spec).first == ControlWrite("cpu.idle", "1"))
    }

    @Test func `real-time limits do not exist, and are refused`() {
        var spec = ResourceSpec()
        spec.cpu.realtimeRuntime = 1
        #expect(throws: Failure.self) { try V2.CPU.writes(for: spec) }
    }

    @Test(arguments: [(Int64(1000), Int64(3000), "2000"), (1000, 1000, "0"), (1000, -1, "max")])
    func `swap is what is left of memory with swap`(limit: Int64, swap: Int64, want: String) throws {
        var spec = ResourceSpec()
        spec.memory.limit = limit
        spec.memory.swap = swap
        #expect(
            try V2.Memory.writes(for: spec) == [
                ControlWrite("memory.swap.max", want), ControlWrite("memory.max", String(limit)),
            ])
    }

    @Test func `a reservation protects, and -1 is max`() throws {
        var spec = ResourceSpec()
        spec.memory.limit = -1
        spec.memory.reservation = 4096
        #expect(
            try V2.Memory.writes(for: spec) == [
                ControlWrite("memory.swap.max", "max", onlyIfPresent: true),
                ControlWrite("memory.max", "max"),
                ControlWrite("memory.low", "4096"),
            ])
    }

    @Test func `what v2 cannot do is refused where it stands, and what is off anyway is not`() throws {
        var spec = ResourceSpec()
        spec.memory.swappiness = 60
        let failure = #expect(throws: Failure.self) { try V2.Memory.writes(for: spec) }
        #expect(failure?.message.hasPrefix("/linux/resources/memory/swappiness: ") == true)
        spec.memory.swappiness = nil
        spec.memory.disableOOMKiller = true
        #expect(throws: Failure.self) { try V2.Memory.writes(for: spec) }
        spec.memory.disableOOMKiller = false
        #expect(try V2.Memory.writes(for: spec) == [])
    }
}

struct `The limits of a container` {
    private let v1 = CgroupSet(
        version: .v1, directories: [.init(hierarchy: "freezer", path: "/sys/fs/cgroup/freezer/x")])
    private let v2 = CgroupSet(
        version: .v2, directories: [.init(hierarchy: "unified", path: "/sys/fs/cgroup/x")])

    @Test func `a limit without its controller is refused by its place`() {
        var spec = ResourceSpec()
        spec.memory.limit = 1000
        let failure = #expect(throws: Failure.self) { try Limits(spec, for: v1) }
        #expect(
            failure?.message
                == "/linux/resources/memory: the container has no cgroup of the controller \"memory\"")
        let nothing = CgroupSet(version: .v2, directories: [])
        #expect(throws: Failure.self) { try Limits(spec, for: nothing) }
    }

    @Test func `unified is refused on v1`() {
        var spec = ResourceSpec()
        spec.unified = [Annotation("memory.high", "1")]
        let failure = #expect(throws: Failure.self) { try Limits(spec, for: v1) }
        #expect(failure?.message == "/linux/resources/unified: this host has cgroup v1")
    }

    @Test func `unified comes last and replaces converted values for the same file`() throws {
        var spec = ResourceSpec()
        spec.memory.limit = 1000
        spec.memory.reservation = 500
        spec.unified = [Annotation("memory.max", "2000"), Annotation("cgroup.max.depth", "3")]
        #expect(
            try Limits(spec, for: v2).writes == [
                LimitWrites(controller: "memory", writes: [ControlWrite("memory.low", "500")]),
                LimitWrites(
                    controller: "memory", writes: [ControlWrite("memory.max", "2000")], isUnified: true),
                LimitWrites(
                    controller: "cgroup", writes: [ControlWrite("cgroup.max.depth", "3")], isUnified: true),
            ])
    }
}
