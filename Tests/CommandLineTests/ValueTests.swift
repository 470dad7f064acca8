import Kernel
import Testing

@testable import CommandLine

struct ValueTests {
    @Test(arguments: [
        ("KILL", 9), ("SIGKILL", 9), ("kill", 9), ("sigterm", 15), ("9", 9), ("0", 0), ("64", 64),
        ("RTMIN", 34),
        ("RTMIN+3", 37), ("SIGRTMIN+30", 64), ("RTMAX", 64), ("rtmax-14", 50), ("RTMAX-30", 34), ("IOT", 6),
        ("POLL", 29),
        ("CLD", 17),
    ])
    func `a signal is a number or a name in any case`(text: String, want: Int32) throws {
        #expect(try Signals.number(text) == want)
    }

    @Test(arguments: [
        "FOO", "", "SIG", "65", "-1", "+9", "9 ", "0x9", "RTMIN-1", "RTMIN+", "RTMIN+31", "RTMAX+1",
        "RTMAX-31", "RT",
        "RTMIN+1x", "SIGSIGKILL", "９", "99999999999", "RTMIN+-1",
    ])
    func `anything else is an unknown signal`(text: String) {
        let failure = #expect(throws: Failure.self) { try Signals.number(text) }
        #expect(failure?.message == "unknown signal \"\(text)\"")
    }

    @Test func `a number has the name that the kernel's manual uses`() throws {
        #expect(Signals.name(9) == "SIGKILL")
        #expect(Signals.name(6) == "SIGABRT")
        #expect(Signals.name(40) == "40")
        for number in Int32(1)...31 { #expect(try Signals.number(Signals.name(number)) == number) }
    }

    @Test func `a user is two numbers or one`() throws {
        let both = try UserArgument("1000:100")
        #expect(both.uid == 1000)
        #expect(both.gid == 100)
        let one = try UserArgument("0")
        #expect(one.uid == 0)
        #expect(one.gid == nil)
        #expect(try UserArgument("4294967294").uid == 4_294_967_294)
    }

    @Test(arguments: [
        "", "1:", ":1", ":", "-1", "+1", "4294967295", "4294967296", "1:4294967296", "root", "1:root", "1 ",
        " 1", "1:2:3",
        "1.0", "0x1", "01", "1\n", "１", "1,2",
    ])
    func `any other user is refused, never read in part`(text: String) {
        #expect(throws: Failure.self) { try UserArgument(text) }
    }

    @Test func `a group is one number`() throws {
        #expect(try GroupArgument.id("0") == 0)
        #expect(try GroupArgument.id("4294967294") == 4_294_967_294)
    }

    @Test(arguments: [
        "", "-1", "+1", "4294967295", "4294967296", "wheel", "1,2", "1:2", "01", "1 ", "１", "0x1",
    ])
    func `any other group is refused, never read in part`(text: String) {
        #expect(throws: Failure.self) { try GroupArgument.id(text) }
    }

    @Test(arguments: ["web", "a", "...", "_", "+x", "Web-1.2_3", String(repeating: "x", count: 1024)])
    func `an id of the allowed letters is taken as it is`(text: String) throws {
        #expect(try ContainerID(text).text == text)
    }

    @Test(arguments: [
        "", ".", "..", "a/b", "/abs", "../x", "a b", "a\n", "*", "-x", "--force", "ü", "a\0b",
        String(repeating: "x", count: 1025),
    ])
    func `an id that could name anything but one folder is refused`(text: String) {
        #expect(throws: Failure.self) { try ContainerID(text) }
    }

    @Test(arguments: [
        ("5s", 5_000_000_000), ("100ms", 100_000_000), ("1m30s", 90_000_000_000), ("0.5s", 500_000_000),
        ("1h", 3_600_000_000_000),
        ("3us", 3000), ("3µs", 3000), ("7ns", 7),
    ])
    func `a duration is written as Go writes it`(text: String, want: Int64) throws {
        #expect(try Interval(text).nanoseconds == want)
    }

    @Test(arguments: ["", "5", "s", "0", "0s", "-1s", "5 s", "5x", "1e3s", "999999999h", "infs", "５s"])
    func `no other duration is taken`(text: String) {
        #expect(throws: Failure.self) { try Interval(text) }
    }
}

struct SizeTests {
    @Test(arguments: [
        ("0", Int64(0)), ("67108864", 67_108_864), ("512m", 512 << 20), ("1G", 1 << 30), ("1gb", 1 << 30),
        ("64KiB", 65536), ("1.5g", 3 << 29), ("10b", 10), ("2T", 2 << 40), ("1p", 1 << 50), ("-1", -1),
    ])
    func `a size is a number with a unit`(text: String, want: Int64) {
        #expect(ByteSize(text)?.bytes == want)
    }

    @Test(arguments: [
        "", "m", "-2", "-1m", "1x", "1 m", "1mm", "1bb", "ib", "1ib", "0x10", "1e3", ".5g", "1..5g",
        "9999999999g", "+1", "1.5.5k",
    ])
    func `anything else is none`(text: String) { #expect(ByteSize(text) == nil) }
}
