import JSON
import Kernel
import OCI
import Testing

private func resources(_ text: String) throws -> ResourceSpec {
    try ResourceSpec.document(JSON.parse(Array(text.utf8)))
}

private let everything = #"""
    {"devices":[{"allow":false,"access":"rwm"}],
    "cpu":{"shares":512,"quota":20000,"period":100000,"burst":7,"cpus":"0-1","mems":"0","idle":0,"realtimeRuntime":1,"realtimePeriod":2},
    "memory":{"limit":1048576,"reservation":4096,"swap":2097152,"kernel":1,"kernelTCP":-1,"swappiness":60,"disableOOMKiller":true,
    "useHierarchy":true,"checkBeforeUpdate":false},
    "pids":{"limit":32},
    "blockIO":{"weight":500,"leafWeight":10,"weightDevice":[{"major":8,"minor":0,"weight":100,"leafWeight":200}],
    "throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1}],"throttleWriteBpsDevice":[{"major":8,"minor":1,"rate":2}],
    "throttleReadIOPSDevice":[{"major":8,"minor":2,"rate":3}],"throttleWriteIOPSDevice":[{"major":8,"minor":3,"rate":18446744073709551615}]},
    "hugepageLimits":[{"pageSize":"2MB","limit":9223372036854771712}],
    "network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]},
    "rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},"mlx4_0":{"hcaObjects":1000}},
    "unified":{"memory.high":"1"}}
    """#

struct `The limits of a container` {
    @Test func `are written as they were read`() throws {
        let spec = try resources(everything)
        #expect(spec.blockIO.weightDevices == [WeightDevice(BlockDevice(8, 0), weight: 100, leafWeight: 200)])
        #expect(spec.blockIO.writeOperations.first?.rate == .max)
        #expect(spec.rdma.map(\.device) == ["mlx5_1", "mlx4_0"])
        #expect(spec.memory.hasKernelLimits)
        #expect(try spec.json == JSON.parse(Array(everything.utf8)))
    }

    @Test func `that ask for nothing are none`() throws {
        let nothing =
            #"{"blockIO":{"weight":0,"leafWeight":0},"network":{"classID":0},"rdma":{},"hugepageLimits":[]}"#
        #expect(try resources(nothing) == ResourceSpec())
        #expect(ResourceSpec().json == nil)
    }

    @Test(arguments: [
        (#"{"blockIO":{"weight":9}}"#, "/blockIO/weight: "),
        (#"{"blockIO":{"leafWeight":1001}}"#, "/blockIO/leafWeight: "),
        (#"{"blockIO":{"weight":70000}}"#, "/blockIO/weight: "),
        (#"{"blockIO":{"weightDevice":[{"major":1,"minor":1}]}}"#, "/blockIO/weightDevice/0: "),
        (
            #"{"blockIO":{"throttleReadIOPSDevice":[{"major":1,"minor":-1,"rate":1}]}}"#,
            "/blockIO/throttleReadIOPSDevice/0/minor: "
        ),
        (#"{"hugepageLimits":[{"pageSize":"2M","limit":1}]}"#, "/hugepageLimits/0/pageSize: "),
        (#"{"hugepageLimits":[{"pageSize":"/2MB","limit":1}]}"#, "/hugepageLimits/0/pageSize: "),
        (#"{"hugepageLimits":[{"pageSize":"B","limit":1}]}"#, "/hugepageLimits/0/pageSize: "),
        (#"{"hugepageLimits":[{"pageSize":"2MB","limit":-1}]}"#, "/hugepageLimits/0/limit: "),
        (#"{"network":{"priorities":[{"name":"","priority":1}]}}"#, "/network/priorities/0/name: "),
        (#"{"network":{"classID":4294967296}}"#, "/network/classID: "),
        (#"{"rdma":{"a b":{"hcaHandles":1}}}"#, "/rdma/a b: "),
        (#"{"rdma":{"a":{}}}"#, "/rdma/a: "), (#"{"pids":{"limit":"x"}}"#, "/pids/limit: "),
    ])
    func `that cannot be are refused by their place`(text: String, want: String) {
        let failure = #expect(throws: Failure.self) { try resources(text) }
        #expect(failure?.message.hasPrefix("/linux/resources" + want) == true, "\(failure?.message ?? "")")
    }
}

struct `An update` {
    private func updated(_ old: String, _ new: String) throws -> ResourceSpec {
        try resources(old).merged(with: resources(new))
    }

    @Test func `that gives nothing changes nothing`() throws {
        let before = try resources(everything)
        #expect(before.merged(with: ResourceSpec()) == before)
        let zeros =
            #"{"cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},"memory":{"limit":0,"swap":0,"reservation":0},"blockIO":{"weight":0}}"#
        #expect(try updated(everything, zeros) == before)
        #expect(try updated("{}", everything) == before)
        #expect(before.touched(by: ResourceSpec()) == ResourceSpec())
    }

    @Test func `to unlimited memory takes the limit with swap along`() throws {
        let old = #"{"memory":{"limit":10,"swap":20}}"#
        #expect(try updated(old, #"{"memory":{"limit":-1}}"#).memory.swap == -1)
        #expect(try updated(old, #"{"memory":{"limit":15}}"#).memory.swap == 20)
        #expect(try updated(old, #"{"memory":{"limit":-1,"swap":-1}}"#).memory.limit == -1)
    }

    @Test func `of idle without a weight forgets the weight`() throws {
        let old = #"{"cpu":{"shares":512}}"#
        #expect(try updated(old, #"{"cpu":{"idle":1}}"#).cpu.shares == nil)
        #expect(try updated(old, #"{"cpu":{"idle":0,"shares":7}}"#).cpu.shares == 7)
        #expect(try updated(old, #"{"cpu":{"quota":1}}"#).cpu.shares == 512)
    }

    @Test func `of one device, page size or file leaves the others`() throws {
        let merged = try updated(
            everything,
            #"""
            {"blockIO":{"throttleReadBpsDevice":[{"major":9,"minor":9,"rate":9}],"weightDevice":[{"major":8,"minor":0,"weight":50}]},
            "hugepageLimits":[{"pageSize":"1GB","limit":1},{"pageSize":"2MB","limit":2}],"rdma":{"mlx4_0":{"hcaHandles":1}},
            "network":{"priorities":[{"name":"lo","priority":1}]},"unified":{"memory.low":"3"}}
            """#)
        #expect(merged.blockIO.readBytes.map(\.rate) == [1, 9])
        #expect(
            merged.blockIO.weightDevices == [WeightDevice(BlockDevice(8, 0), weight: 50, leafWeight: 200)])
        #expect(merged.hugepageLimits.map(\.limit) == [1, 2])
        #expect(merged.rdma.map(\.handles) == [3, 1])
        #expect(
            merged.network.priorities.map(\.name) == ["eth0", "lo"] && merged.network.classID == 1_048_577)
        #expect(merged.unified.map(\.name) == ["memory.high", "memory.low"])
    }

    @Test func `writes what goes together, and nothing else`() throws {
        let before = try resources(everything)
        func touched(_ text: String) throws -> ResourceSpec {
            let given = try resources(text)
            return before.merged(with: given).touched(by: given)
        }
        var want = ResourceSpec()
        want.cpu.cpus = "3"
        #expect(try touched(#"{"cpu":{"cpus":"3"}}"#) == want)
        want = ResourceSpec()
        want.pidsLimit = 3
        #expect(try touched(#"{"pids":{"limit":3}}"#) == want)
        // A quota shares its file with the period, the limit with swap is counted from the limit.
        let cpu = try touched(#"{"cpu":{"quota":5000}}"#).cpu
        #expect(cpu.period == 100000 && cpu.quota == 5000 && cpu.cpus == nil)
        let memory = try touched(#"{"memory":{"swap":3145728}}"#)
        #expect(memory.memory.limit == 1_048_576 && memory.cpu == CPUResources() && memory.devices.isEmpty)
        #expect(try touched(#"{"unified":{"memory.low":"3"}}"#).unified.map(\.name) == ["memory.low"])
    }
}
