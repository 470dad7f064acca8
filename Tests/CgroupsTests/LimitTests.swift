import Glibc
import Kernel
import OCI
import Testing

@testable import Cgroups

struct `Limits of disks, huge pages, networks and RDMA` {
    private let disk = BlockDevice(8, 16)

    private func blockIO() -> ResourceSpec {
        var spec = ResourceSpec()
        spec.blockIO.weight = 500
        spec.blockIO.weightDevices = [WeightDevice(disk, weight: 10)]
        spec.blockIO.readBytes = [ThrottleDevice(disk, rate: 1000)]
        spec.blockIO.writeBytes = [ThrottleDevice(disk, rate: 0)]
        spec.blockIO.readOperations = [ThrottleDevice(disk, rate: 3)]
        spec.blockIO.writeOperations = [ThrottleDevice(disk, rate: 4)]
        return spec
    }

    @Test func `v1 has a file for each kind, and for weights that of the scheduler`() throws {
        var spec = blockIO()
        spec.blockIO.leafWeight = 20
        spec.blockIO.weightDevices = [WeightDevice(disk, weight: 10, leafWeight: 30)]
        #expect(
            try V1.BlockIO.writes(for: spec) == [
                ControlWrite("blkio.weight", "500", or: .init(file: "blkio.bfq.weight", text: "500")),
                ControlWrite("blkio.leaf_weight", "20"),
                ControlWrite(
                    "blkio.weight_device", "8:16 10",
                    or: .init(file: "blkio.bfq.weight_device", text: "8:16 10")),
                ControlWrite("blkio.leaf_weight_device", "8:16 30"),
                ControlWrite("blkio.throttle.read_bps_device", "8:16 1000"),
                ControlWrite("blkio.throttle.write_bps_device", "8:16 0"),
                ControlWrite("blkio.throttle.read_iops_device", "8:16 3"),
                ControlWrite("blkio.throttle.write_iops_device", "8:16 4"),
            ])
    }

    @Test func `v2 has one file for all rates, where no limit is a word`() throws {
        #expect(
            try V2.IO.writes(for: blockIO()) == [
                ControlWrite("io.bfq.weight", "500", or: .init(file: "io.weight", text: "4950")),
                ControlWrite("io.bfq.weight", "8:16 10", or: .init(file: "io.weight", text: "8:16 1")),
                ControlWrite("io.max", "8:16 rbps=1000"), ControlWrite("io.max", "8:16 wbps=max"),
                ControlWrite("io.max", "8:16 riops=3"), ControlWrite("io.max", "8:16 wiops=4"),
            ])
    }

    // What runc and crun write.
    @Test(arguments: [(UInt16(10), UInt64(1)), (100, 910), (500, 4950), (1000, 10000)])
    func `the range of v1's weights becomes that of v2`(weight: UInt16, want: UInt64) {
        #expect(V2.IO.converted(weight) == want)
    }

    @Test func `v2 has no leaf weights, network classes and priorities`() {
        let set = CgroupSet(
            version: .v2, directories: [.init(hierarchy: "unified", path: "/sys/fs/cgroup/x")])
        func refusal(_ change: (inout ResourceSpec) -> Void) -> String? {
            var spec = ResourceSpec()
            change(&spec)
            return #expect(throws: Failure.self) { try Limits(spec, for: set) }?.message
        }
        #expect(
            refusal { $0.blockIO.leafWeight = 10 }?.hasPrefix("/linux/resources/blockIO/leafWeight: ") == true
        )
        #expect(
            refusal { $0.blockIO.weightDevices = [WeightDevice(disk, weight: nil, leafWeight: 10)] }?
                .hasPrefix("/linux/resources/blockIO/weightDevice/0/leafWeight: ") == true)
        #expect(refusal { $0.network.classID = 1 }?.hasPrefix("/linux/resources/network/classID: ") == true)
        #expect(
            refusal { $0.network.priorities = [.init(name: "lo", priority: 1)] }?
                .hasPrefix("/linux/resources/network/priorities: ") == true)
    }

    @Test func `huge pages are limited as used, and as set aside where the kernel counts that`() throws {
        var spec = ResourceSpec()
        spec.hugepageLimits = [HugepageLimit(pageSize: "2MB", limit: 4096)]
        #expect(
            try V1.Hugetlb.writes(for: spec) == [
                ControlWrite("hugetlb.2MB.limit_in_bytes", "4096"),
                ControlWrite("hugetlb.2MB.rsvd.limit_in_bytes", "4096", onlyIfPresent: true),
            ])
        #expect(try V2.Hugetlb.writes(for: spec).map(\.file) == ["hugetlb.2MB.max", "hugetlb.2MB.rsvd.max"])
    }

    @Test func `RDMA, network classes and priorities are lines of words`() throws {
        var spec = ResourceSpec()
        spec.rdma = [
            RDMALimit(device: "mlx5_1", handles: 3, objects: 4),
            RDMALimit(device: "ib0", handles: nil, objects: 1),
        ]
        spec.network.classID = 0x100001
        spec.network.priorities = [.init(name: "lo", priority: 3)]
        let rdma = ["mlx5_1 hca_handle=3 hca_object=4", "ib0 hca_object=1"]
        #expect(try V1.RDMA.writes(for: spec).map(\.text) == rdma)
        #expect(try V2.RDMA.writes(for: spec).map(\.text) == rdma)
        #expect(try V1.NetworkClass.writes(for: spec) == [ControlWrite("net_cls.classid", "1048577")])
        #expect(try V1.NetworkPriority.writes(for: spec) == [ControlWrite("net_prio.ifpriomap", "lo 3")])
    }

    @Test func `a hybrid host may have them on cgroup2`() throws {
        var spec = ResourceSpec()
        spec.hugepageLimits = [HugepageLimit(pageSize: "2MB", limit: 4096)]
        spec.pidsLimit = 3
        #expect(spec.controllersBesideLegacy == ["hugetlb"])
        let pids = CgroupSet.Directory(hierarchy: "pids", path: "/sys/fs/cgroup/pids/x")
        let unified = CgroupSet.Directory(hierarchy: "unified", path: "/sys/fs/cgroup/unified/x")
        let limits = try Limits(spec, for: CgroupSet(version: .v1, directories: [unified, pids]))
        #expect(limits.belonging(to: pids, on: .v1).map(\.controller) == ["pids"])
        let beside = limits.belonging(to: unified, on: .v1)
        #expect(beside.map(\.controller) == ["hugetlb"])
        #expect(beside.first?.writes.first?.file == "hugetlb.2MB.max")
        let failure = #expect(throws: Failure.self) {
            try Limits(spec, for: CgroupSet(version: .v1, directories: [pids]))
        }
        #expect(failure?.message.hasPrefix("/linux/resources/hugepageLimits: ") == true)
    }
}

struct `The place of a limit` {
    @Test(arguments: [
        ("cpu.cfs_quota_us", "cpu/quota"), ("cpu.max", "cpu/quota"), ("memory.swap.max", "memory/swap"),
        ("blkio.throttle.write_iops_device", "blockIO/throttleWriteIOPSDevice"), ("io.max", "blockIO"),
        ("hugetlb.2MB.max", "hugepageLimits"), ("devices.deny", "devices"), ("pids.max", "pids/limit"),
        ("rdma.max", "rdma"), ("net_cls.classid", "network/classID"),
    ])
    func `is found by the control file`(file: String, field: String) {
        #expect(LimitPointer.of(file) == "/linux/resources/" + field)
    }

    @Test func `is known for every file that a controller writes`() throws {
        var spec = ResourceSpec()
        spec.cpu.shares = 1
        spec.cpu.quota = 1
        spec.cpu.period = 1
        spec.cpu.burst = 1
        spec.cpu.idle = 0
        spec.cpu.cpus = "0"
        spec.cpu.mems = "0"
        spec.memory.limit = 1
        spec.memory.swap = 1
        spec.memory.reservation = 1
        spec.pidsLimit = 1
        spec.blockIO.weight = 10
        spec.blockIO.readBytes = [ThrottleDevice(BlockDevice(1, 1), rate: 1)]
        for controller in V1.all + V2.all {
            for write in try controller.writes(for: spec) where write.file != "io.max" {
                let pointer = LimitPointer.of(write.file)
                #expect(pointer.split(separator: "/").count == 4, "\(write.file): \(pointer)")
            }
        }
    }
}

struct `The old value of a control file` {
    @Test(arguments: [
        ("pids.max", "5", "max\n", "max"), ("memory.limit_in_bytes", "5", "4096\n", "4096"),
        ("cpu.max", "5 6", "max 100000\n", "max 100000"), ("cpuset.cpus", "0", "\n", "\n"),
        ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "0"),
        ("io.weight", "5", "default 100\n8:0 200\n", "100"),
        ("io.weight", "8:0 5", "default 100\n8:0 200\n", "8:0 200"),
        ("io.weight", "8:1 5", "default 100\n", "8:1 default"),
        ("io.bfq.weight", "8:1 5", "100\n", "8:1 default"),
        ("io.max", "8:0 rbps=1", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        (
            "io.max", "8:0 rbps=1", "8:0 rbps=9 wbps=max riops=max wiops=max\n",
            "8:0 rbps=9 wbps=max riops=max wiops=max"
        ),
        ("blkio.throttle.read_bps_device", "8:0 7", "", "8:0 0"),
        ("blkio.throttle.read_bps_device", "8:0 7", "8:16 1\n8:0 9\n", "8:0 9"),
        (
            "rdma.max", "a hca_handle=1", "b hca_handle=max hca_object=max\n",
            "a hca_handle=max hca_object=max"
        ),
        ("net_prio.ifpriomap", "lo 3", "lo 1\neth0 0\n", "lo 1"),
    ])
    func `is what puts it back`(file: String, text: String, before: String, want: String) {
        #expect(PreviousValue.text(of: file, changedBy: text, before: before) == want)
    }

    @Test func `is put back in the reverse order`() {
        var undo = Undo(isWanted: true)
        undo.note("a", "1", before: "0\n")
        undo.note("b", "1", before: "9\n")
        #expect(undo.writes.map(\.file) == ["b", "a"])
    }

    @Test(.enabled(if: Host.isLegacy))
    func `comes back when a later limit is refused, also in other hierarchies`() throws {
        let scratch = try Scratch("undo", controllers: ["pids", "memory", "cpu"])
        var spec = ResourceSpec()
        spec.pidsLimit = 10
        spec.memory.limit = 64 << 20
        try scratch.manager.create(resources: spec)
        for file in ["pids", "memory", "cpu"] {
            var bad = ResourceSpec()
            bad.pidsLimit = 20
            bad.memory.limit = 32 << 20
            bad.cpu.shares = 77
            switch file {
            case "pids": bad.pidsLimit = .max
            case "memory": bad.memory.useHierarchy = false
            default: bad.cpu.quota = 1
            }
            let failure = #expect(throws: Failure.self) { try scratch.manager.update(resources: bad) }
            #expect(failure?.message.hasPrefix("/linux/resources/\(file)/") == true)
            #expect(try scratch.text("pids", "pids.max") == "10")
            #expect(try scratch.text("memory", "memory.limit_in_bytes") == String(64 << 20))
            #expect(try scratch.text("cpu", "cpu.shares") == "1024")
        }
    }
}

struct `The way between two lists of devices` {
    private func way(_ old: [DeviceRule], _ new: [DeviceRule]) throws -> [String] {
        V1.Devices.way(from: try V1.Devices.writes(for: old), to: try V1.Devices.writes(for: new))
            .map { "\($0.file.dropFirst(8)) \($0.text)" }
    }
    private let fuse = DeviceRule(allow: true, kind: .character, major: 10, minor: 229)
    private let kmsg = DeviceRule(allow: true, kind: .character, major: 1, minor: 11, access: "r")

    @Test func `denies what only the old one allows, and nothing else`() throws {
        let writes = try way([fuse], [kmsg])
        #expect(writes.filter { $0.hasPrefix("deny") } == ["deny c 10:229 rwm"])
        #expect(writes.contains("allow c 1:11 r") && writes.contains("allow c 1:3 rwm"))
    }

    @Test func `begins anew where one of them allows everything`() throws {
        #expect(try way([], [kmsg]).first == "deny a")
        #expect(try way([kmsg], [DeviceRule(allow: true)]) == ["allow a"])
        #expect(try way([DeviceRule(allow: true)], [kmsg]).first == "deny a")
    }
}
