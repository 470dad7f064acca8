import Kernel
import Testing

@testable import Cgroups

struct `Messages of D-Bus` {
    private func call(
        _ member: String, _ interface: String, path: String, destination: String, signature: String = "",
        serial: UInt32, _ body: (inout BusWriter) -> Void = { _ in }
    ) -> [UInt8] {
        var message = BusMessage()
        message.kind = .call
        message.serial = serial
        message.path = path
        message.interface = interface
        message.member = member
        message.destination = destination
        message.signature = signature
        var writer = BusWriter()
        body(&writer)
        message.body = writer.bytes
        return message.encoded
    }

    /// systemd's tools let systemd ask a human for permission; mrun does not.
    private func withoutFlags(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes[2] = 0
        return bytes
    }

    @Test func `a scope is asked for with the very bytes of systemd-run`() {
        let properties = [
            BusProperty("Description", .string("mrun test")),
            BusProperty("MemoryMax", .uint64(64 << 20)),
            BusProperty(
                "DeviceAllow", .array(of: "(ss)", [.structure([.string("/dev/null"), .string("rwm")])])),
            BusProperty("AllowedCPUs", .bytes([3, 0, 0, 0, 0, 0, 0, 0])),
            BusProperty("CPUQuotaPerSecUSec", .uint64(500_000)),
            BusProperty("Delegate", .bool(true)),
            BusProperty("TasksMax", .uint64(32)),
            BusProperty("CPUWeight", .uint64(50)),
            BusProperty("PIDs", .array(of: "u", [.uint32(129)])),
        ]
        let bytes = call(
            "StartTransientUnit", BusConnection.manager, path: "/org/freedesktop/systemd1",
            destination: BusConnection.systemd, signature: "ssa(sv)a(sa(sv))", serial: 1
        ) { writer in
            writer.string("foo.scope")
            writer.string("fail")
            writer.properties(properties)
            writer.array(alignment: 8) { _ in }
        }
        #expect(bytes == withoutFlags(GenuineExchange.startScope))
    }

    @Test func `a bus is greeted, and asked for properties, with the very bytes of busctl`() {
        #expect(
            call(
                "Hello", "org.freedesktop.DBus", path: "/org/freedesktop/DBus",
                destination: "org.freedesktop.DBus",
                serial: 1) == GenuineExchange.hello)
        let get = call(
            "Get", "org.freedesktop.DBus.Properties", path: "/org/freedesktop/systemd1",
            destination: BusConnection.systemd, signature: "ss", serial: 2
        ) { writer in
            writer.string(BusConnection.manager)
            writer.string("ControlGroup")
        }
        #expect(get == withoutFlags(GenuineExchange.get))
    }

    private func read(_ bytes: [UInt8]) throws(Failure) -> BusMessage {
        #expect(try BusMessage.length(bytes[...]) == bytes.count)
        return try BusMessage(bytes[...])
    }

    @Test func `systemd's answers are understood`() throws {
        let started = try read(GenuineExchange.started)
        #expect(started.kind == .answer)
        #expect(started.answers == 1)
        #expect(started.sender == "org.freedesktop.systemd1")
        var reader = BusReader(started.body)
        #expect(try reader.string() == "/org/freedesktop/systemd1/job/4")

        let removed = try read(GenuineExchange.jobRemoved)
        #expect(removed.kind == .signal)
        #expect(removed.member == "JobRemoved")
        #expect(removed.interface == BusConnection.manager)
        #expect(removed.signature == "uoss")

        let got = try read(GenuineExchange.got)
        #expect(got.answers == 2)
        #expect(got.sender == ":1.0")
        #expect(got.signature == "v")
        let welcome = try read(GenuineExchange.welcome)
        #expect(welcome.destination == ":1.1")
    }

    @Test func `a message is only read when all of it is there`() throws {
        let bytes = GenuineExchange.jobRemoved
        for count in 0..<16 { #expect(try BusMessage.length(bytes[..<count]) == nil) }
        for count in 16..<bytes.count {
            #expect(try BusMessage.length(bytes[..<count]) == bytes.count)
            #expect(throws: Failure.self) { try BusMessage(bytes[..<count]) }
        }
    }

    @Test(
        arguments: [
            [0x42, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
            [0x6c, 4, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [0x6c, 4, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0],
            [0x6c, 4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [0x6c, 4, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [0x6c, 4, 0, 1, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            Array("HTTP/1.1 400 Bad".utf8),
        ] as [[UInt8]])
    func `another byte order, version, or size is refused`(_ bytes: [UInt8]) {
        #expect(throws: Failure.self) { try BusMessage.length(bytes[...]) }
    }

    @Test func `whatever byte is changed, reading comes to an end without a trap`() {
        for genuine in GenuineExchange.all {
            for index in genuine.indices {
                for value: UInt8 in [
                    0, 1, 0x7f, 0x80, 0xfe, 0xff, genuine[index] &+ 1, genuine[index] ^ 0x20,
                ] {
                    var bytes = genuine
                    bytes[index] = value
                    digest(bytes)
                }
            }
        }
    }

    /// Reads all that mrun reads of any message.
    private func digest(_ bytes: [UInt8]) {
        do {
            guard let length = try BusMessage.length(bytes[...]), length <= bytes.count else { return }
            let message = try BusMessage(bytes[..<length])
            _ = try BusError(message)
            var reader = BusReader(message.body)
            _ = try reader.uint32()
            while true { _ = try reader.string() }
        } catch {}
    }

    @Test func `no value is taken beyond the end`() {
        for bytes: [UInt8] in [
            [], [1], [0xff, 0xff, 0xff, 0xff], [4, 0, 0, 0, 0x61], [1, 0, 0, 0, 0x61, 0x62],
            [1, 0, 0, 0, 0, 0],
        ] {
            #expect(throws: Failure.self) {
                var reader = BusReader(bytes)
                _ = try reader.string()
            }
        }
        #expect(throws: Failure.self) {
            var reader = BusReader([0xff, 0x61])
            _ = try reader.signature()
        }
        #expect(throws: Failure.self) {
            var reader = BusReader([1, 2])
            _ = try reader.take(-1)
        }
    }

    @Test func `values lie at multiples of their size`() {
        var writer = BusWriter()
        writer.byte(1)
        writer.value(.structure([.byte(2), .uint16(3), .bool(true), .int64(-1), .double(1)]))
        #expect(
            writer.bytes == [
                1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0,
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f,
            ])
        writer = BusWriter()
        // The padding before the first element does not count.
        writer.value(.array(of: "t", [.uint64(5)]))
        #expect(writer.bytes == [8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0])
    }
}
