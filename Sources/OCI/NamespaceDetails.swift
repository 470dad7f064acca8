internal import JSON
internal import Kernel

/// How far a time namespace's clock is ahead of the host's.
package struct TimeOffset: Sendable, Hashable {
    /// The kernel's name of the clock: `monotonic` or `boottime`.
    package let clock: String
    package let seconds: Int64
    package let nanoseconds: UInt32

    /// Decodes `linux.timeOffsets`.
    static func list(_ c: Cursor) throws(Failure) -> [TimeOffset] {
        var offsets: [TimeOffset] = []
        for (clock, value) in try c.members() {
            guard clock == "monotonic" || clock == "boottime" else {
                throw value.failure(
                    "\"\(clock)\" is no clock of a time namespace: monotonic and boottime are")
            }
            let seconds: Int64 = try value.optional("secs") { (c) throws(Failure) in try c.integer() } ?? 0
            let nanoseconds: UInt32 =
                try value.optional("nanosecs") { (c) throws(Failure) in try c.integer() } ?? 0
            guard nanoseconds < 1_000_000_000 else {
                throw value.failure("nanosecs (\(nanoseconds)) is a second or more")
            }
            offsets.append(TimeOffset(clock: clock, seconds: seconds, nanoseconds: nanoseconds))
        }
        return offsets
    }

    static func json(_ offsets: [TimeOffset]) -> JSON? {
        guard !offsets.isEmpty else { return nil }
        return .object(
            offsets.map { offset in
                JSON.Member(
                    offset.clock,
                    .object([
                        "secs": .integer(offset.seconds), "nanosecs": .integer(Int64(offset.nanoseconds)),
                    ]))
            })
    }

    /// The line as `timens_offsets` takes it.
    package var line: String { "\(clock) \(seconds) \(nanoseconds)\n" }
}

/// A network interface of the host that goes into the container.
package struct NetworkDevice: Sendable, Hashable {
    /// Its name on the host.
    package let name: String
    /// Its name in the container.
    package let inside: String

    /// Decodes `linux.netDevices`.
    static func list(_ c: Cursor) throws(Failure) -> [NetworkDevice] {
        var devices: [NetworkDevice] = []
        for (name, value) in try c.members() {
            let inside = try value.optional("name") { (c) throws(Failure) in try c.string() } ?? ""
            devices.append(NetworkDevice(name: name, inside: inside.isEmpty ? name : inside))
        }
        return devices
    }

    static func json(_ devices: [NetworkDevice]) -> JSON? {
        guard !devices.isEmpty else { return nil }
        return .object(
            devices.map { device in
                JSON.Member(
                    device.name,
                    .object(["name": device.inside == device.name ? nil : .string(device.inside)]))
            })
    }

    /// Whether the kernel takes `name` for an interface.
    package static func isName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard !bytes.isEmpty, bytes.count < 16, name != ".", name != ".." else { return false }
        // '/' and ':' have a meaning in sysfs and in labels, '%' asks the kernel for a number.
        let banned = [UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%"), 0x7f]
        return !bytes.contains { $0 <= UInt8(ascii: " ") || banned.contains($0) }
    }
}
