import JSON
import Kernel
import OCI
import Testing

private let small: JSON = (try? JSON.parse(Array(smallConfig.utf8))) ?? .null

private func spec(_ pointer: String, _ text: String) throws -> Spec {
    let value = try JSON.parse(Array(text.utf8))
    return try Spec(Cursor(small.changed(pointer, to: value)))
}

struct ProcessAttributesTests {
    @Test(arguments: [
        ("/process/scheduler", #"{"policy":"SCHED_FIFO","priority":1,"flags":["SCHED_FLAG_RESET_ON_FORK"]}"#),
        ("/process/scheduler", #"{"policy":"SCHED_BATCH","nice":-20}"#),
        (
            "/process/scheduler",
            #"{"policy":"SCHED_DEADLINE","runtime":1,"deadline":2,"period":18446744073709551615}"#
        ),
        ("/process/ioPriority", #"{"class":"IOPRIO_CLASS_RT","priority":7}"#),
        ("/process/execCPUAffinity", #"{"initial":"0-3,7","final":"1"}"#),
        ("/process/apparmorProfile", #""web""#), ("/process/selinuxLabel", #""a:b:c:s0""#),
        (
            "/linux/memoryPolicy",
            #"{"mode":"MPOL_BIND","nodes":"0-1","flags":["MPOL_F_STATIC_NODES","MPOL_F_NUMA_BALANCING"]}"#
        ),
        ("/linux/personality", #"{"domain":"LINUX32"}"#),
    ])
    func `what is read is written again`(pointer: String, text: String) throws {
        let read = try spec(pointer, text)
        #expect(read != (try Spec(Cursor(small))))
        #expect(try Spec(Cursor(read.json)) == read)
        let names = pointer.split(separator: "/").map(String.init)
        #expect(read.json[names[0]]?[names[1]] == (try JSON.parse(Array(text.utf8))))
        #expect(read.problems() == [])
    }

    @Test func `words are the kernel's numbers`() throws {
        for (word, number) in [
            ("SCHED_OTHER", 0), ("SCHED_BATCH", 3), ("SCHED_IDLE", 5),
        ] as [(String, UInt32)] {
            #expect(
                try spec("/process/scheduler", #"{"policy":"\#(word)"}"#).process?.scheduler?.number == number
            )
        }
        let flags = #"{"policy":"SCHED_OTHER","flags":["SCHED_FLAG_DL_OVERRUN","SCHED_FLAG_RESET_ON_FORK"]}"#
        #expect(try spec("/process/scheduler", flags).process?.scheduler?.flagSet == 5)
        let io = #"{"class":"IOPRIO_CLASS_IDLE","priority":7}"#
        #expect(try spec("/process/ioPriority", io).process?.ioPriority?.number == 3 << 13 | 7)
        let policy = #"{"mode":"MPOL_PREFERRED_MANY","nodes":"0","flags":["MPOL_F_RELATIVE_NODES"]}"#
        #expect(try spec("/linux/memoryPolicy", policy).linux.memoryPolicy?.number == 1 << 14 | 5)
        #expect(try spec("/linux/personality", #"{"domain":"LINUX32"}"#).linux.personality?.number == 8)
    }

    @Test(
        arguments: [
            ("0", [1]), ("63", [1 << 63]), ("64", [0, 1]), ("0-3,7", [0x8f]), ("62-65", [3 << 62, 3]),
            ("5,5,4-6", [0x70]),
            ("1023", Array(repeating: 0, count: 15) + [1 << 63]),
        ] as [(String, [UInt64])])
    func `a list of numbers is a set of bits`(text: String, want: [UInt64]) throws {
        let policy = #"{"mode":"MPOL_BIND","nodes":"\#(text)"}"#
        #expect(try spec("/linux/memoryPolicy", policy).linux.memoryPolicy?.nodes?.words == want)
    }

    @Test(arguments: [
        "-", "-1", "1-", "3-1", ",", "0,", ",0", "0 1", "0-1-2", "a", "１", "1024", "0-1024", "99999",
        "4294967296",
        "18446744073709551616", "0x1", "1\u{301}",
    ])
    func `no other text is a list of numbers`(text: String) {
        let policy = #"{"mode":"MPOL_BIND","nodes":"\#(text)"}"#
        let failure = #expect(throws: Failure.self) { try spec("/linux/memoryPolicy", policy) }
        #expect(failure?.message.hasPrefix("/linux/memoryPolicy/nodes: ") == true)
    }

    @Test(arguments: ["apparmorProfile", "selinuxLabel"])
    func `an empty label is none, and one that is no text is refused`(name: String) throws {
        #expect(try spec("/process/" + name, #""""#) == Spec(Cursor(small)))
        let failure = #expect(throws: Failure.self) { try spec("/process/" + name, "[]") }
        #expect(failure?.message.hasPrefix("/process/\(name): ") == true)
    }

    @Test(arguments: [
        ("/process/scheduler", "{}", "/process/scheduler: "),
        ("/process/scheduler", #"{"policy":"SCHED_ISO"}"#, "/process/scheduler/policy: "),
        ("/process/scheduler", #"{"policy":"SCHED_IDLE","nice":1}"#, "/process/scheduler/nice: "),
        ("/process/scheduler", #"{"policy":"SCHED_OTHER","nice":20}"#, "/process/scheduler/nice: "),
        ("/process/scheduler", #"{"policy":"SCHED_OTHER","priority":1}"#, "/process/scheduler/priority: "),
        ("/process/scheduler", #"{"policy":"SCHED_FIFO","priority":-1}"#, "/process/scheduler/priority: "),
        ("/process/scheduler", #"{"policy":"SCHED_RR","priority":100}"#, "/process/scheduler/priority: "),
        ("/process/scheduler", #"{"policy":"SCHED_OTHER","runtime":1}"#, "/process/scheduler/runtime: "),
        ("/process/scheduler", #"{"policy":"SCHED_DEADLINE","deadline":1}"#, "/process/scheduler/runtime: "),
        (
            "/process/scheduler", #"{"policy":"SCHED_DEADLINE","runtime":2,"deadline":1}"#,
            "/process/scheduler/deadline: "
        ),
        (
            "/process/scheduler", #"{"policy":"SCHED_DEADLINE","runtime":1,"deadline":3,"period":2}"#,
            "/process/scheduler/period: "
        ),
        ("/process/scheduler", #"{"policy":"SCHED_OTHER","flags":["x"]}"#, "/process/scheduler/flags/0: "),
        ("/process/ioPriority", #"{"priority":1}"#, "/process/ioPriority: "),
        ("/process/ioPriority", #"{"class":"BE"}"#, "/process/ioPriority/class: "),
        (
            "/process/ioPriority", #"{"class":"IOPRIO_CLASS_BE","priority":8}"#,
            "/process/ioPriority/priority: "
        ),
        ("/process/execCPUAffinity", #"{"final":"8192"}"#, "/process/execCPUAffinity/final: "),
        ("/linux/memoryPolicy", #"{"nodes":"0"}"#, "/linux/memoryPolicy: "),
        ("/linux/memoryPolicy", #"{"mode":"MPOL_LOCAL","nodes":"0"}"#, "/linux/memoryPolicy/nodes: "),
        ("/linux/memoryPolicy", #"{"mode":"MPOL_INTERLEAVE"}"#, "/linux/memoryPolicy/nodes: "),
        ("/linux/personality", #"{"domain":"linux"}"#, "/linux/personality/domain: "),
        ("/linux/personality", #"{"domain":"LINUX","flags":["x"]}"#, "/linux/personality/flags: "),
    ])
    func `what makes no sense is refused by its place`(pointer: String, text: String, want: String) {
        let failure = #expect(throws: Failure.self) { try spec(pointer, text) }
        #expect(failure?.message.hasPrefix(want) == true, "\(failure?.message ?? "")")
    }
}

struct ProcessProblemsTests {
    private func problems(_ change: (inout ProcessSpec) -> Void, named: Bool = false) -> [String] {
        var process = ProcessSpec(args: ["true"], cwd: "/")
        change(&process)
        return process.problems(at: "", namesExecutable: named).map(\.message)
    }

    @Test func `places are those of the document that the process stands in`() {
        #expect(problems { _ in } == [])
        #expect(problems { $0.args = [] } == ["/args: args must not be empty"])
        #expect(problems { $0.args = [""] } == ["/args/0: the executable is empty"])
        #expect(problems({ $0.args = [""] }, named: true) == [])
        #expect(problems { $0.cwd = "a" } == ["/cwd: Cwd must be an absolute path, \"a\" is not"])
        #expect(problems { $0.cwd = "" }.count == 1)
        #expect(problems { $0.env = ["A=", "B", "=C"] }.map { $0.prefix(6) } == ["/env/1", "/env/2"])
        #expect(problems { $0.oomScoreAdj = 1001 } == ["/oomScoreAdj: 1001 is outside -1000 to 1000"])
    }
}
