import JSON
import Kernel
import Testing

@testable import OCI
@testable import Runtime

private let allow: UInt32 = 0x7fff_0000
private let errno: UInt32 = 0x0005_0000

// x86-64: read 0, write 1, openat 257, mkdir 83, personality 135, clone 56, socket 41.
private func spec(_ text: String) throws -> SeccompSpec {
    try SeccompSpec(Cursor(try JSON.parse(Array(text.utf8)), at: "/linux/seccomp"))
}

private func machine(_ text: String) throws -> FilterMachine {
    FilterMachine(try SeccompProgram(try spec(text)).instructions)
}

private func message(_ text: String) throws -> String? {
    let spec = try spec(text)
    return #expect(throws: Failure.self) { try SeccompProgram(spec) }?.message
}

struct SecuritySeccompTests {
    @Test func `a list of allowed calls refuses all others`() throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ERRNO",
             "syscalls":[{"names":["read","write","openat"],"action":"SCMP_ACT_ALLOW"}]}
            """)
        for number: Int32 in [0, 1, 257] { #expect(filter.run(number) == allow) }
        for number: Int32 in [2, 83, 256] { #expect(filter.run(number) == errno | 1) }
    }

    @Test(arguments: [
        ("SCMP_ACT_KILL", 0), ("SCMP_ACT_KILL_THREAD", 0), ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
        ("SCMP_ACT_TRAP", 0x0003_0000), ("SCMP_ACT_ERRNO", 0x0005_0001), ("SCMP_ACT_TRACE", 0x7ff0_0001),
        ("SCMP_ACT_LOG", 0x7ffc_0000),
    ])
    func `every action ends in the kernel's value`(action: String, want: UInt32) throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"\(action)"}]}
            """)
        #expect(filter.run(83) == want)
        #expect(filter.run(0) == allow)
        let reverse = try machine(
            """
            {"defaultAction":"\(action)","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ALLOW"}]}
            """)
        #expect(reverse.run(83) == allow)
        #expect(reverse.run(0) == want)
    }

    @Test func `errnos are returned as they are given`() throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
             "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":13},
                         {"names":["socket"],"action":"SCMP_ACT_TRACE","errnoRet":4660},
                         {"names":["clone"],"action":"SCMP_ACT_ERRNO","errnoRet":0}]}
            """)
        #expect(filter.run(83) == errno | 13)
        #expect(filter.run(41) == 0x7ff0_1234)
        #expect(filter.run(56) == errno)
        #expect(filter.run(0) == errno | 38)
    }

    @Test(arguments: [
        ("SCMP_CMP_NE", 5, 0, [UInt64(4), 6, 0x1_0000_0005], [UInt64(5)]),
        ("SCMP_CMP_LT", 5, 0, [0, 4], [5, 6, 0x1_0000_0000]),
        ("SCMP_CMP_LE", 5, 0, [4, 5], [6, 0x1_0000_0005]),
        ("SCMP_CMP_EQ", 0x1_0000_0005, 0, [0x1_0000_0005], [5, 4]),
        ("SCMP_CMP_GE", 5, 0, [5, 6, 0x1_0000_0000], [4, 0]),
        ("SCMP_CMP_GT", 5, 0, [6, UInt64.max], [5, 0]),
        ("SCMP_CMP_MASKED_EQ", 0x7e02_0000, 0, [0x1200, 0], [0x0002_0000, 0x7e02_0000, 0x1000_0000]),
        ("SCMP_CMP_MASKED_EQ", 0xff, 0x12, [0x12, 0x3412], [0x13, 0]),
    ])
    func `every operator compares all 64 bits`(
        operation: String, value: UInt64, second: UInt64, matching: [UInt64], other: [UInt64]
    ) throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["clone"],"action":"SCMP_ACT_ALLOW",
             "args":[{"index":2,"value":\(value),"valueTwo":\(second),"op":"\(operation)"}]}]}
            """)
        for argument in matching { #expect(filter.run(56, [7, 7, argument]) == allow, "\(argument)") }
        for argument in other { #expect(filter.run(56, [7, 7, argument]) == errno | 1, "\(argument)") }
    }

    @Test func `conditions on different arguments must all hold, on one argument any`() throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
             {"names":["socket"],"action":"SCMP_ACT_ALLOW",
              "args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]},
             {"names":["personality"],"action":"SCMP_ACT_ALLOW",
              "args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"},{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]}]}
            """)
        #expect(filter.run(41, [1, 2]) == allow)
        #expect(filter.run(41, [1, 3]) == errno | 1)
        #expect(filter.run(41, [2, 2]) == errno | 1)
        for argument: UInt64 in [0, 8] { #expect(filter.run(135, [argument]) == allow) }
        #expect(filter.run(135, [4]) == errno | 1)
    }

    @Test func `unknown system calls are skipped, the rest of the rule holds`() throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ERRNO",
             "syscalls":[{"names":["no_such_call","read",""],"action":"SCMP_ACT_ALLOW"}]}
            """)
        #expect(filter.run(0) == allow)
        #expect(filter.run(1) == errno | 38)
    }

    @Test func `a rule that says what holds anyway, or is said twice, changes nothing`() throws {
        let filter = try machine(
            """
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
             {"names":["read","write"],"action":"SCMP_ACT_ALLOW"},
             {"names":["mkdir","mkdir"],"action":"SCMP_ACT_ERRNO"},
             {"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}
            """)
        #expect(filter.run(0) == allow)
        #expect(filter.run(83) == errno | 1)
    }

    #if arch(x86_64)
        @Test func `a second architecture has its own numbers, one that is not listed is killed`() throws {
            let text = """
                {"defaultAction":"SCMP_ACT_ERRNO",ARCHITECTURES
                 "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}
                """
            func filter(_ architectures: String) throws -> FilterMachine {
                let parts = text.split(separator: "ARCHITECTURES")
                return try machine(parts[0] + architectures + parts[1])
            }
            let both = try filter(#""architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],"#)
            #expect(both.run(0) == allow)
            #expect(both.run(3, architecture: FilterMachine.x86) == allow)
            #expect(both.run(0, architecture: FilterMachine.x86) == errno | 1)
            #expect(both.run(0x4000_0000) == allow)
            let one = try filter("")
            #expect(one.run(0) == allow)
            #expect(one.run(3, architecture: FilterMachine.x86) == 0)
            #expect(one.run(0x4000_0000) == 0)
        }
    #endif

    @Test func `flags become the numbers of seccomp(2)`() throws {
        let text =
            #"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}"#
        #expect(try SeccompProgram(try spec(text)).flags == 6)
        #expect(try SeccompProgram(try spec(#"{"defaultAction":"SCMP_ACT_ALLOW"}"#)).flags == 0)
        let tsync = #"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_TSYNC"]}"#
        #expect(try SeccompProgram(try spec(tsync)).flags == 1)
    }

    @Test(arguments: [
        (#""defaultAction":"SCMP_ACT_NONE""#, "/linux/seccomp/defaultAction: \"SCMP_ACT_NONE\" is no action"),
        (
            #""defaultAction":"SCMP_ACT_NOTIFY""#,
            "/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1"#,
            "/linux/seccomp/defaultErrnoRet: \"SCMP_ACT_ALLOW\" returns no errno"
        ),
        (
            #""defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096"#,
            "/linux/seccomp/defaultErrnoRet: 4096 is above 4095"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","X"]"#,
            "/linux/seccomp/flags/1: \"X\" is no flag that mrun supports"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_VAX"]"#,
            "/linux/seccomp/architectures/1: \"SCMP_ARCH_VAX\" is no architecture that libseccomp knows"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","architectures":["x86"]"#,
            "/linux/seccomp/architectures/0: \"x86\" is no architecture that libseccomp knows"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"kill"}]"#,
            "/linux/seccomp/syscalls/0/action: \"kill\" is no action"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","errnoRet":1}]"#,
            "/linux/seccomp/syscalls/0/errnoRet: \"SCMP_ACT_KILL\" returns no errno"
        ),
        (
            #""defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":"#
                + #"[{"index":0,"value":0,"op":"SCMP_CMP_EQ"},{"index":1,"value":0,"op":"EQ"}]}]"#,
            "/linux/seccomp/syscalls/0/args/1/op: \"EQ\" is no operator"
        ),
    ])
    func `a word that is not understood is refused with its place`(members: String, want: String) throws {
        #expect(try message("{\(members)}") == want)
    }

    @Test
    func `two rules with the same conditions and different actions are refused with the later one's place`()
        throws
    {
        func rule(_ errno: Int) -> String {
            """
            {"names":["read","clone"],"action":"SCMP_ACT_ERRNO","errnoRet":\(errno),
             "args":[{"index":0,"value":5,"op":"SCMP_CMP_EQ"}]}
            """
        }
        let text = #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":["# + rule(1) + "," + rule(2) + "]}"
        #expect(
            try message(text) == "/linux/seccomp/syscalls/1/names/0: \"read\": an earlier rule says otherwise"
        )
    }

    #if arch(x86_64)
        @Test func `an architecture of the other byte order is refused with its place`() throws {
            let text = #"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_S390X"]}"#
            #expect(
                try message(text)?.hasPrefix(
                    "/linux/seccomp/architectures/0: \"SCMP_ARCH_S390X\" does not fit") == true)
        }
    #endif

    @Test func `the version of libseccomp has three numbers`() {
        #expect(Libraries.seccomp.split(separator: ".").count == 3)
        #expect(Libraries.seccomp.hasPrefix("2."))
    }
}
