import JSON
import Kernel
import Testing

@testable import OCI
@testable import Runtime

private let allow: UInt32 = 0x7fff_0000
private let missing: UInt32 = 0x0005_0026
private let x32Bit: Int32 = 0x4000_0000

private func machine(_ text: String) throws -> FilterMachine {
    let spec = try SeccompSpec(Cursor(try JSON.parse(Array(text.utf8)), at: "/linux/seccomp"))
    return FilterMachine(try SeccompProgram(spec).instructions)
}

// x86-64: read 0, openat 257, close_range 436, openat2 437. i386: openat 295. x32 has the numbers of x86-64, and a bit.
#if arch(x86_64)
    struct SeccompStubTests {
        private func filter(_ action: String, _ more: String = "", names: String = #""read","openat""#) throws
            -> FilterMachine
        {
            try machine(
                """
                {"defaultAction":"\(action)"\(more),"syscalls":[{"names":[\(names)],"action":"SCMP_ACT_ALLOW"}]}
                """)
        }

        @Test(
            arguments: [
                ("SCMP_ACT_ERRNO", 0x0005_0001), ("SCMP_ACT_KILL", 0), ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
                ("SCMP_ACT_TRAP", 0x0003_0000),
            ] as [(String, UInt32)])
        func `calls up to the newest that is named are the filter's, greater ones are missing`(
            action: String, want: UInt32
        ) throws {
            let filter = try filter(action)
            for number: Int32 in [0, 257] { #expect(filter.run(number) == allow) }
            for number: Int32 in [1, 83, 256] { #expect(filter.run(number) == want) }
            for number: Int32 in [258, 259, 436, 1000, 0x3fff_ffff] { #expect(filter.run(number) == missing) }
        }

        @Test(
            arguments: [
                ("SCMP_ACT_ALLOW", "", allow), ("SCMP_ACT_LOG", "", 0x7ffc_0000),
                ("SCMP_ACT_TRACE", "", 0x7ff0_0001),
                ("SCMP_ACT_TRACE", #","defaultErrnoRet":5"#, 0x7ff0_0005),
            ] as [(String, String, UInt32)])
        func `where calls pass that are not named, or a tracer decides, nothing is missing`(
            action: String, more: String, want: UInt32
        ) throws {
            let filter = try filter(action, more)
            for number: Int32 in [1, 258, 1000] { #expect(filter.run(number) == want) }
        }

        @Test func `a profile that says ENOSYS itself gets nothing in front of it`() throws {
            let filter = try filter("SCMP_ACT_ERRNO", #","defaultErrnoRet":38"#)
            for number: Int32 in [1, 258, 1000] { #expect(filter.run(number) == missing) }
            let other = try self.filter("SCMP_ACT_ERRNO")
            #expect(filter.program.count < other.program.count)
        }

        @Test func `every architecture has a newest call of its own`() throws {
            let all = #","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"]"#
            let filter = try filter("SCMP_ACT_ERRNO", all)
            #expect(filter.run(257) == allow && filter.run(256) == 0x0005_0001 && filter.run(258) == missing)
            #expect(filter.run(295, architecture: FilterMachine.x86) == allow)
            #expect(filter.run(258, architecture: FilterMachine.x86) == 0x0005_0001)
            #expect(filter.run(296, architecture: FilterMachine.x86) == missing)
            #expect(filter.run(x32Bit | 257) == allow)
            #expect(filter.run(x32Bit | 256) == 0x0005_0001)
            #expect(filter.run(x32Bit | 258) == missing)
            // What is not listed is killed, whatever its number.
            #expect(filter.run(1000, architecture: 0x4000_0028) == 0)
        }

        @Test(
            arguments: [
                ("", 0), (#","architectures":["SCMP_ARCH_X86"]"#, 0),
                (#","architectures":["SCMP_ARCH_X32"]"#, missing),
                (#","architectures":["SCMP_ARCH_X32","SCMP_ARCH_X86_64","SCMP_ARCH_X32"]"#, missing),
            ] as [(String, UInt32)])
        func `calls of x32 are the filter's to refuse where it is not listed`(more: String, want: UInt32)
            throws
        {
            let filter = try filter("SCMP_ACT_ERRNO", more)
            #expect(filter.run(x32Bit | 1000) == want)
            #expect(filter.run(1000) == missing)
            #expect(filter.run(1) == 0x0005_0001)
        }

        @Test func `a call that is named to be refused counts too, and one that has no number does not`()
            throws
        {
            let text = """
                {"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","no_such_call"],"action":"SCMP_ACT_ALLOW"},
                 {"names":["openat2"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}
                """
            let filter = try machine(text)
            #expect(filter.run(437) == 0x0005_000d)
            #expect(filter.run(436) == 0x0005_0001)
            #expect(filter.run(438) == missing)
        }

        @Test func `where no call is named nothing is newer`() throws {
            for names in [#""no_such_call""#, #""socketcall""#] {
                let filter = try filter("SCMP_ACT_ERRNO", names: names)
                for number: Int32 in [0, 1, 1000] { #expect(filter.run(number) == 0x0005_0001) }
            }
            let none = try machine(#"{"defaultAction":"SCMP_ACT_KILL_PROCESS"}"#)
            for number: Int32 in [0, 1, 1000] { #expect(none.run(number) == 0x8000_0000) }
        }
    }
#endif

/// By rules of one name each: the tree of comparisons and the list must say the same.
struct SeccompTreeTests {
    @Test(arguments: [0, 1, 8, 9, 30])
    func `few rules and many filter alike`(count: Int) throws {
        let names = ["read", "write", "open", "close", "stat", "fstat", "lstat", "poll", "lseek", "mmap"]
        let rules = (0..<count).map {
            #"{"names":["\#(names[$0 % 10])"],"action":"SCMP_ACT_ERRNO","errnoRet":\#($0 % 10 + 1)}"#
        }
        let filter = try machine(
            #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[\#(rules.joined(separator: ","))]}"#)
        #if arch(x86_64)
            for number in 0..<20 {
                let isRefused = number < min(count, 10)
                #expect(filter.run(Int32(number)) == (isRefused ? 0x0005_0000 + UInt32(number) + 1 : allow))
            }
        #endif
    }
}
