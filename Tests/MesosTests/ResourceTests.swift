import JSON
import OCI
import Testing

@testable import Mesos

/// A task with these resources; each is the text of a JSON number.
private func task(cpus: String? = nil, mem: String? = nil, extra: String = "") throws -> JSON {
    func resource(_ name: String, _ value: String) -> String {
        #"{"name":"\#(name)","type":"SCALAR","scalar":{"value":\#(value)}}"#
    }
    let list = [cpus.map { resource("cpus", $0) }, mem.map { resource("mem", $0) }].compactMap { $0 }
    return try MesosTests.task("\"resources\":[\(list.joined(separator: ","))]" + extra)
}

private func limits(cpus: String? = nil, mem: String? = nil) -> String {
    let list = [cpus.map { #""cpus":{"value":\#($0)}"# }, mem.map { #""mem":{"value":\#($0)}"# }].compactMap {
        $0
    }
    return ",\"limits\":{\(list.joined(separator: ","))}"
}

/// An agent that takes the task's own numbers, or adds the executor's.
private func agent(
    _ isolators: String, overhead: Bool = false, _ change: (inout TranslationOptions) -> Void = { _ in }
) -> TranslationOptions {
    options {
        $0.isolation = isolation(isolators)
        $0.executorOverhead = overhead
        change(&$0)
    }
}

struct CPUTests {
    private func resources(
        _ document: JSON, overhead: Bool = false, _ change: (inout TranslationOptions) -> Void = { _ in }
    ) throws -> ResourceSpec {
        try spec(document, agent("cgroups/cpu", overhead: overhead, change)).linux.resources
    }

    @Test(arguments: [
        ("0.5", true, 614), ("1.0", true, 1126), ("0.5", false, 512), ("0.001", false, 2),
        ("0.1", false, 102),
        ("0.3", false, 307), ("0.4", false, 409), ("0.2", false, 204), ("0.29", false, 296),
        ("1.15", false, 1177), ("\"0.5\"", false, 512), ("1e2", false, 102400), ("0", false, 2),
        ("0.0005", false, 2), ("0.1004", false, 102), ("2.4999", false, 2560),
    ])
    func `a CPU is worth 1024 shares`(cpus: String, overhead: Bool, shares: UInt64) throws {
        #expect(try resources(task(cpus: cpus), overhead: overhead).cpu.shares == shares)
    }

    @Test(arguments: [
        ("0.29", "28"), ("1.15", "114"), ("2.5", "250"), ("0.001", "1"), ("100", "10000"), ("101", "10000"),
    ])
    func `a CPU weighs 100 on version 2, as far as the kernel goes`(cpus: String, weight: String) throws {
        let resources = try resources(task(cpus: cpus)) { $0.cgroupVersion = .v2 }
        #expect(resources.unified == [Annotation("cpu.weight", weight), Annotation("cpu.max", "max")])
    }

    @Test(arguments: [
        ("0.5", true, 60000, "60000 100000"), ("1.15", false, 114_999, "114999 100000"),
        ("0.29", false, 28999, "28999 100000"), ("0.001", false, 1000, "1000 100000"),
        ("2.5", false, 250_000, "250000 100000"), ("0.073", false, 7300, "7299 100000"),
        ("0.292", false, 29200, "29199 100000"), ("64", false, 6_400_000, "6400000 100000"),
        // A single division by 1000 would give 111800 and 113999.
        ("1.118", false, 111_799, "111799 100000"), ("1.14", false, 114_000, "114000 100000"),
    ])
    func `with CFS the request is a limit, cut as Mesos cuts it`(
        cpus: String, overhead: Bool, quota: Int64, maximum: String
    ) throws {
        let first = try resources(task(cpus: cpus), overhead: overhead) { $0.enableCFS = true }
        #expect(first.cpu.quota == quota)
        #expect(first.cpu.period == 100_000)
        let second = try resources(task(cpus: cpus), overhead: overhead) {
            $0.enableCFS = true
            $0.cgroupVersion = .v2
        }
        #expect(second.unified.last == Annotation("cpu.max", maximum))
    }

    @Test func `without CFS only a limit of the task's own limits CPU time`() throws {
        let free = try resources(task(cpus: "0.5"))
        #expect(free.cpu.quota == nil && free.cpu.period == nil)
        let bounded = try resources(task(cpus: "0.2", extra: limits(cpus: "0.5")), overhead: true)
        #expect(bounded.cpu.shares == 307 && bounded.cpu.quota == 60000 && bounded.cpu.period == 100_000)
        let exact = try resources(task(cpus: "0.2", extra: limits(cpus: "0.7")), overhead: true)
        #expect(exact.cpu.quota == 80000, "0.7 + 0.1 is 0.8, not 0.7999999999999999")
    }

    @Test(arguments: ["\"Infinity\"", "\"Infinity\"", "1e300"])
    func `a limit beyond all numbers is none, or the largest`(limit: String) throws {
        let document = try task(cpus: "1", extra: limits(cpus: limit))
        for overhead in [true, false] {
            let first = try resources(document, overhead: overhead)
            #expect(first.cpu.quota == (limit == "1e300" ? Int64.max / 1000 : -1))
            let second = try resources(document, overhead: overhead) { $0.cgroupVersion = .v2 }
            let maximum = limit == "1e300" ? "\(Int64.max) 100000" : "max"
            #expect(second.unified.last == Annotation("cpu.max", maximum))
        }
    }

    @Test(arguments: [("2.0", true, 20, "2"), ("0.1", true, 2, "1"), ("2.0", false, 2048, "200")])
    func `revocable CPUs weigh about a hundredth, if the agent says so`(
        cpus: String, isLow: Bool, shares: UInt64, weight: String
    ) throws {
        let document = try MesosTests.task(
            #""resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":\#(cpus)},"revocable":{}}]"#)
        let first = try resources(document) { $0.revocableCPULowPriority = isLow }
        #expect(first.cpu.shares == shares)
        let second = try resources(document) {
            $0.revocableCPULowPriority = isLow
            $0.cgroupVersion = .v2
        }
        #expect(second.unified.first == Annotation("cpu.weight", weight))
    }

    @Test func `entries of one name add up in thousandths`() throws {
        let entry = #"{"name":"cpus","type":"SCALAR","scalar":{"value":0.1},"reservations":[{}]}"#
        let document = try MesosTests.task("\"resources\":[\(entry),\(entry),\(entry)]")
        #expect(try resources(document).cpu.shares == 307)
        #expect(try resources(document) { $0.enableCFS = true }.cpu.quota == 30000)
    }
}

struct MemoryTests {
    private func resources(
        _ document: JSON, overhead: Bool = false, _ change: (inout TranslationOptions) -> Void = { _ in }
    ) throws -> MemoryResources {
        try spec(document, agent("cgroups/mem", overhead: overhead, change)).linux.resources.memory
    }

    @Test(arguments: [
        ("100", true, 138_412_032), ("200", true, 243_269_632), ("32", true, 67_108_864),
        ("1", false, 33_554_432), ("100.9", false, 104_857_600), ("100.9", true, 138_412_032),
        ("0", false, 33_554_432),
    ])
    func `memory is counted in whole MiB, at least 32`(mem: String, overhead: Bool, bytes: Int64) throws {
        let memory = try resources(task(mem: mem), overhead: overhead)
        #expect(memory.limit == bytes && memory.reservation == bytes && memory.swap == nil)
    }

    @Test(arguments: [
        ("128", "256", 134_217_728, 268_435_456), ("128", "\"Infinity\"", 134_217_728, -1),
        ("8", "16", 33_554_432, 33_554_432), ("100.9", "100.2", 104_857_600, 104_857_600),
        ("1", "1e300", 33_554_432, (Int64.max >> 20) << 20),
    ])
    func `a limit lies above what is sure`(mem: String, limit: String, soft: Int64, hard: Int64) throws {
        let document = try task(mem: mem, extra: limits(mem: limit))
        let memory = try resources(document)
        #expect(memory.reservation == soft && memory.limit == hard)
        let second = try spec(document, agent("cgroups/mem") { $0.cgroupVersion = .v2 })
        #expect(second.unified("memory.low") == "\(soft)")
        #expect(second.unified("memory.max") == (hard < 0 ? "max" : "\(hard)"))
    }

    @Test(
        arguments: [("64", nil, 67_108_864), ("64", "128", 134_217_728), ("64", "\"Infinity\"", -1)]
            as [(String, String?, Int64)])
    func `swap can be limited together with memory`(mem: String, limit: String?, swap: Int64) throws {
        let document = try task(mem: mem, extra: limit.map { limits(mem: $0) } ?? "")
        #expect(try resources(document) { $0.limitSwap = true }.swap == swap)
    }

    @Test(
        arguments: [
            // Of 8 GiB.
            ("1024", "2048", 875), ("4096", "8192", 500), ("128", "\"Infinity\"", 985), ("8192", "9000", 0),
            ("9000", "\"Infinity\"", 0), ("64", "64", nil), ("8", "16", nil), ("64", nil, nil),
        ] as [(String, String?, Int?)])
    func `who may use more than is sure is picked sooner, the less is sure`(
        mem: String, limit: String?, score: Int?
    ) throws {
        let document = try task(mem: mem, extra: limit.map { limits(mem: $0) } ?? "")
        for version in [TranslationOptions.CgroupVersion.v1, .v2] {
            let options = agent("cgroups/mem") { $0.cgroupVersion = version }
            #expect(try spec(document, options).process?.oomScoreAdj == score)
        }
        #expect(try spec(document, agent("posix/mem")).process?.oomScoreAdj == nil)
    }

    @Test func `without any memory there is no score`() throws {
        let document = try task(mem: "64", extra: limits(mem: "128"))
        #expect(try spec(document, agent("cgroups/mem") { $0.totalMemory = 0 }).process?.oomScoreAdj == nil)
    }
}

struct IsolatedResourcesTests {
    @Test(arguments: [
        ("posix/cpu,posix/mem", "freezer", ""), ("cgroups/cpu", "freezer,cpu,cpuacct", "cpu"),
        ("cgroups/mem,posix/cpu", "freezer,memory", "memory"),
        ("cgroups/mem,cgroups/cpu,namespaces/pid", "freezer,cpu,cpuacct,memory", "cpu,memory"),
        ("", "freezer", ""),
    ])
    func `a container joins the cgroups of its isolators`(list: String, first: String, second: String) throws
    {
        for (version, names) in [(TranslationOptions.CgroupVersion.v1, first), (.v2, second)] {
            let spec = try spec(MesosTests.task(""), agent(list) { $0.cgroupVersion = version })
            #expect(spec.annotation(Meaning.controllers) == names)
            #expect(spec.linux.cgroupsPath == "/mesos/c1")
            let isLimited = spec.linux.resources != ResourceSpec()
            #expect(isLimited == list.hasSubstring("cgroups/"))
        }
    }

    @Test(arguments: [("mesos", "/mesos/c1"), ("/a/b/", "/a/b/c1"), ("test/root", "/test/root/c1")])
    func `the agent says where the cgroups are`(root: String, path: String) throws {
        #expect(try spec(MesosTests.task(""), options { $0.cgroupsRoot = root }).linux.cgroupsPath == path)
    }

    @Test func `a resource that an isolator wants must be asked for, by the executor if by no one else`()
        throws
    {
        let disk = try MesosTests.task(#""resources":[{"name":"disk","type":"SCALAR","scalar":{"value":1}}]"#)
        let isolators = "cgroups/cpu,cgroups/mem"
        #expect(
            refusals(disk, agent(isolators)) == [
                "/resources: no cpus resource given, and the isolator cgroups/cpu is on",
                "/resources: no mem resource given, and the isolator cgroups/mem is on",
            ])
        #expect(try spec(disk, agent("posix/cpu,posix/mem")).linux.resources == ResourceSpec())
        let resources = try spec(disk, agent(isolators, overhead: true)).linux.resources
        #expect(resources.cpu.shares == 102 && resources.memory.limit == 32 << 20)
    }

    @Test(arguments: [
        (#"{"name":"","type":"SCALAR","scalar":{"value":1}}"#, "/resources/0/name", "empty resource name"),
        (
            #"{"name":"x","type":"TEXT","text":{"value":"t"}}"#, "/resources/0/type",
            "unsupported resource type"
        ),
        (#"{"name":"x","type":"SCALAR"}"#, "/resources/0", "invalid scalar resource"),
        (#"{"name":"x","type":"SCALAR","scalar":{"value":1e30}}"#, "/resources/0/scalar/value", "too large"),
        (
            #"{"name":"x","type":"SCALAR","scalar":{"value":"Infinity"}}"#, "/resources/0/scalar/value",
            "too large"
        ),
        (#"{"name":"gpus","type":"SCALAR","scalar":{"value":0.5}}"#, "/resources/0/scalar/value", "unsigned"),
        (#"{"name":"x","type":"RANGES"}"#, "/resources/0", "invalid ranges resource"),
        (
            #"{"name":"x","type":"RANGES","ranges":{"range":[{"begin":2,"end":1}]}}"#, "/resources/0/ranges",
            "begin > end"
        ),
        (
            #"{"name":"x","type":"RANGES","ranges":{"range":[{"begin":5,"end":9},{"begin":1,"end":5}]}}"#,
            "/resources/0/ranges", "overlapping ranges"
        ),
        (#"{"name":"x","type":"SET","set":{"item":["a","a"]}}"#, "/resources/0/set", "duplicated elements"),
        (#"{"name":"x","type":"SET","scalar":{"value":1}}"#, "/resources/0", "invalid set resource"),
        (
            #"{"name":"x","type":"SCALAR","scalar":{"value":1},"disk":{}}"#, "/resources/0/disk",
            "DiskInfo should not be set for x resource"
        ),
        (
            #"{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}},"#
                + #"{"name":"cpus","type":"SCALAR","scalar":{"value":1}}"#, "/resources/1",
            "mixes revocable and non-revocable"
        ),
        (
            #"{"name":"x","type":"SCALAR","scalar":{"value":1},"allocation_info":{"role":"a"}},"#
                + #"{"name":"y","type":"SCALAR","scalar":{"value":1},"allocation_info":{"role":"b"}}"#,
            "/resources/1", "multiple allocation roles ('a' and 'b')"
        ),
    ])
    func `a resource that the master refuses is refused`(list: String, pointer: String, words: String) throws
    {
        let lines = try refusals(MesosTests.task("\"resources\":[\(list)]"), agent("posix/cpu"))
        #expect(lines.contains { $0.hasPrefix(pointer + ": ") && $0.hasSubstring(words) }, "\(lines)")
    }

    @Test(arguments: [
        (limits(cpus: "1"), "/limits/cpus", "when a CPU limit is specified"),
        (limits(mem: "1"), "/limits/mem", "when a memory limit is specified"),
        (limits(cpus: "\"NaN\""), "/limits/cpus/value", "cannot parse 'NaN'"),
    ])
    func `a limit without a request is refused`(limits: String, pointer: String, words: String) throws {
        let disk = #""resources":[{"name":"disk","type":"SCALAR","scalar":{"value":1}}]"#
        let lines = try refusals(MesosTests.task(disk + limits), agent("posix/cpu"))
        #expect(lines.contains { $0.hasPrefix(pointer + ": ") && $0.hasSubstring(words) }, "\(lines)")
    }

    @Test func `GPUs are ignored as an agent without their isolator does, with a warning`() throws {
        let found = try warnings(Dialect.plain.document("35-ports-and-sets"))
        #expect(
            found == [
                "/resources/4: ignored, because the isolator gpu/nvidia is off",
                "/discovery: ignored: it tells others how to reach the task",
            ])
    }

    @Test func `the disk may come from a source of its own, as long as no volume is asked for`() throws {
        let disk = """
            {"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"PATH"}}}
            """
        #expect(try warnings(MesosTests.task("\"resources\":[\(disk)]"), agent("posix/cpu")) == [])
    }
}
