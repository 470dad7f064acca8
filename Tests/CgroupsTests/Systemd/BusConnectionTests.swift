import CKernel
import Glibc
import Kernel
import Testing

@testable import Cgroups

/// The other end of a connection; what it has to say, it says before it is asked.
private struct Peer: ~Copyable {
    private let end: FileDescriptor
    private var mine: Int32

    init() throws(Failure) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let pair = try FileDescriptor.socketPair(type: type)
        end = FileDescriptor(adopting: pair.0)
        mine = pair.1
    }

    func connection(milliseconds: Int64 = 2000) -> BusConnection {
        BusConnection(
            socket: FileDescriptor(adopting: mine), path: "/peer",
            deadline: Deadline(milliseconds: milliseconds))
    }

    func says(_ text: String) throws(Failure) { try end.write(text) }

    func says(_ bytes: [UInt8]) throws(Failure) {
        var failure: Failure?
        bytes.withUnsafeBytes { bytes in
            do throws(Failure) { try end.write(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    func heard() throws(Failure) -> [UInt8] { try end.readSome(65536) }
}

struct `A conversation with systemd` {
    private static let job = "/org/freedesktop/systemd1/job/4"

    /// A message of systemd's.
    private func message(
        _ kind: BusMessage.Kind, answers: UInt32 = 0, error: String = "", sender: String = ":1.0",
        member: String = "", signature: String = "", _ body: (inout BusWriter) -> Void = { _ in }
    ) -> [UInt8] {
        var writer = BusWriter()
        writer.byte(UInt8(ascii: "l"))
        writer.byte(kind.rawValue)
        writer.byte(1)
        writer.byte(1)
        var content = BusWriter()
        body(&content)
        writer.uint32(UInt32(content.bytes.count))
        writer.uint32(7)
        writer.array(alignment: 8) { writer in
            func field(_ code: UInt8, _ value: BusValue) {
                writer.align(8)
                writer.byte(code)
                writer.signature(value.type)
                writer.value(value)
            }
            field(7, .string(sender))
            if answers != 0 { field(5, .uint32(answers)) }
            if !error.isEmpty { field(4, .string(error)) }
            if !member.isEmpty {
                field(3, .string(member))
                field(2, .string(BusConnection.manager))
            }
            field(8, .signature(signature))
        }
        writer.align(8)
        return writer.bytes + content.bytes
    }

    private func removed(_ result: String, job: String = job, sender: String = ":1.0") -> [UInt8] {
        message(.signal, sender: sender, member: "JobRemoved", signature: "uoss") { writer in
            writer.uint32(4)
            writer.string(job)
            writer.string("foo.scope")
            writer.string(result)
        }
    }

    @Test func `who is there is left to the kernel to say`() throws {
        let peer = try Peer()
        try peer.says("DATA\r\nOK 0123456789abcdef\r\n")
        var bus = peer.connection()
        try bus.authenticate()
        #expect(try peer.heard() == Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
    }

    @Test(arguments: [
        "REJECTED EXTERNAL\r\n", "ERROR\r\n", "SSH-2.0-OpenSSH\r\n", "\n",
        String(repeating: "x", count: 5000),
    ])
    func `whoever does not let us in is told of`(_ text: String) throws {
        let peer = try Peer()
        try peer.says(text)
        var bus = peer.connection()
        var failure: Failure?
        do throws(Failure) { try bus.authenticate() } catch { failure = error }
        #expect(failure != nil)
    }

    @Test func `signals between are no answers, and the end of a job may come before them`() throws {
        let peer = try Peer()
        try peer.says(removed("done"))
        try peer.says(message(.signal, member: "UnitNew", signature: "so"))
        try peer.says(message(.answer, answers: 9, signature: "o") { $0.string("/another") })
        try peer.says(message(.answer, answers: 1, signature: "o") { $0.string(Self.job) })
        var bus = peer.connection()
        guard case .success(let answer) = try bus.call("StopUnit", "ss", { $0.string("foo.scope") }) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.body.count > 4)
        #expect(try bus.waitForEnd(ofJob: Self.job, sender: answer.sender) == "done")
    }

    @Test func `another job's end is not ours, nor one that somebody else tells`() throws {
        let peer = try Peer()
        try peer.says(removed("failed", job: "/org/freedesktop/systemd1/job/5"))
        try peer.says(removed("failed", sender: ":1.99"))
        try peer.says(removed("timeout"))
        var bus = peer.connection()
        #expect(try bus.waitForEnd(ofJob: Self.job, sender: ":1.0") == "timeout")
    }

    @Test func `an error comes with systemd's words`() throws {
        let peer = try Peer()
        try peer.says(
            message(.error, answers: 1, error: "org.freedesktop.systemd1.NoSuchUnit", signature: "s") {
                $0.string("Unit foo.scope not loaded.")
            })
        var bus = peer.connection()
        guard case .failure(let error) = try bus.call("StopUnit", "ss", { _ in }) else {
            Issue.record("no error")
            return
        }
        #expect(error.isNoSuchUnit)
        #expect(
            error.failure("StopUnit").message
                == "StopUnit: Unit foo.scope not loaded. (org.freedesktop.systemd1.NoSuchUnit)")
    }

    private func failure(_ peer: consuming Peer, milliseconds: Int64) -> String {
        var bus = peer.connection(milliseconds: milliseconds)
        do throws(Failure) {
            _ = try bus.call("StopUnit", "ss") { _ in }
        } catch { return error.message }
        return ""
    }

    @Test func `silence ends at the deadline`() throws {
        #expect(failure(try Peer(), milliseconds: 50) == "systemd does not answer at \"/peer\"")
    }

    @Test func `a closed connection is told of`() throws {
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_STREAM.rawValue))
        close(pair.0)
        signal(SIGPIPE, SIG_IGN)
        var bus = BusConnection(
            socket: FileDescriptor(adopting: pair.1), path: "/peer", deadline: Deadline(milliseconds: 1000))
        var message = ""
        do throws(Failure) { try bus.authenticate() } catch { message = error.message }
        #expect(!message.isEmpty)
    }

    @Test func `a giant or a broken message ends the conversation`() throws {
        let giant = try Peer()
        try giant.says(
            [0x6c, 2, 1, 1, 0, 0, 0, 0x40, 1, 0, 0, 0, 8, 0, 0, 0] + [UInt8](repeating: 0, count: 100))
        #expect(failure(giant, milliseconds: 2000).contains("no D-Bus message"))
        let broken = try Peer()
        try broken.says([0x6c, 2, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 5, 0xff, 0x75, 0, 0, 0, 0, 0])
        #expect(failure(broken, milliseconds: 2000).contains("no D-Bus message"))
    }
}
