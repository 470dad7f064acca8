import Glibc
import Kernel
import Testing

private let rest = " S 41 100 100 0 -1 4194560 5 6 7 8 11 12 13 14 20 0 3 0 987654 1000 77 0 0 0 0"

struct ProcessStatTests {
    @Test(arguments: [
        "sh", "Web Content", "a) S 1 (b", ")", "(", "", " ", "((()))", ") R 1 2 3", "tab\tbed", "line\nbreak",
    ])
    func `a command name may hold anything, blanks and parentheses too`(name: String) throws {
        let stat = try #require(ProcessStat("4711 (\(name))" + rest + "\n"))
        #expect(stat.state == UInt8(ascii: "S"))
        #expect(stat.parent == 41)
        #expect(stat.userTicks == 11)
        #expect(stat.systemTicks == 12)
        #expect(stat.threads == 3)
        #expect(stat.startTime == 987_654)
        #expect(stat.residentPages == 77)
    }

    @Test(arguments: [("Z", true), ("X", true), ("S", false), ("R", false), ("D", false), ("T", false)])
    func `zombies are dead`(state: String, want: Bool) throws {
        let line = "1 (a) \(state)" + rest.dropFirst(2)
        #expect(try #require(ProcessStat(line)).isDead == want)
    }

    @Test func `a start time may use all bits`() throws {
        let line = "1 (a)" + rest.replacing("987654", with: "18446744073709551615")
        #expect(try #require(ProcessStat(line)).startTime == UInt64.max)
    }

    @Test(arguments: [
        "", "1 (a", "1 a S 1", "1 (a)", "1 (a) S", "1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19",
        "1 (a)" + rest.replacing("987654", with: "-1"), "1 (a)" + rest.replacing("987654", with: "x"),
    ])
    func `a line that is none gives nothing`(line: String) {
        #expect(ProcessStat(line) == nil)
    }
}

struct ProcessIdentityTests {
    /// Starts `sleep`, which nobody else waits for.
    private func start(_ words: String...) throws -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: Int32 = 0
        #expect(posix_spawnp(&pid, words[0], nil, nil, &arguments, environ) == 0)
        return pid
    }

    @Test func `this process lives, and is the same when asked again`() throws {
        let me = try #require(try ProcessIdentity.of(pid: getpid()))
        #expect(try me.isAlive())
        #expect(try ProcessIdentity.of(pid: getpid()) == me)
        #expect(try ProcessStat.of(pid: getpid())?.parent == getppid())
    }

    @Test func `a pid that was given to another process is neither alive nor held`() throws {
        let me = try #require(try ProcessIdentity.of(pid: getpid()))
        let earlier = ProcessIdentity(pid: me.pid, startTime: me.startTime - 1)
        #expect(try !earlier.isAlive())
        let isHeld = try earlier.open() != nil
        #expect(!isHeld)
    }

    @Test(arguments: [Int32(0), -1, 4_194_304, Int32.max])
    func `where there is no process there is nothing`(pid: Int32) throws {
        #expect(try ProcessIdentity.of(pid: pid) == nil)
        let identity = ProcessIdentity(pid: pid, startTime: 1)
        #expect(try !identity.isAlive())
        let isHeld = try identity.open() != nil
        #expect(!isHeld)
    }

    @Test func `an ended child is dead before it is reaped, and its status comes with reaping`() throws {
        let identity = try #require(try ProcessIdentity.of(pid: start("sh", "-c", "sleep 0.1; exit 7")))
        guard let handle = try identity.open() else {
            Issue.record("the child is not held")
            return
        }
        #expect(try !handle.waitForEnd(milliseconds: 0))
        #expect(try handle.waitForEnd(milliseconds: 10_000))
        #expect(try !identity.isAlive())
        #expect(try ProcessStat.of(pid: identity.pid)?.isDead == true)
        #expect(try handle.reap().exitCode == 7)
        #expect(try ProcessStat.of(pid: identity.pid) == nil)
    }

    @Test func `a signal goes to the held process, and is no error once it has ended`() throws {
        let identity = try #require(try ProcessIdentity.of(pid: start("sleep", "100")))
        guard let handle = try identity.open() else {
            Issue.record("the child is not held")
            return
        }
        #expect(try handle.signal(SIGKILL))
        #expect(try handle.waitForEnd(milliseconds: 10_000))
        #expect(try handle.reap().signal == SIGKILL)
        #expect(try !handle.signal(SIGKILL))
    }
}

struct WaitStatusTests {
    @Test(
        arguments: [
            (Int32(0), Int32(0), nil, Int32(0)), (1 << 8, 1, nil, 1), (255 << 8, 255, nil, 255),
            (9, nil, 9, 137), (15, nil, 15, 143), (11 | 0x80, nil, 11, 139), (34, nil, 34, 162),
            (127 << 8, 127, nil, 127),
        ] as [(Int32, Int32?, Int32?, Int32)])
    func `a status is an exit code or a signal, also with a core dump`(
        raw: Int32, code: Int32?, signal: Int32?, shell: Int32
    ) {
        let status = WaitStatus(raw: raw)
        #expect(status.exitCode == code)
        #expect(status.signal == signal)
        #expect(status.shellStatus == shell)
    }
}
