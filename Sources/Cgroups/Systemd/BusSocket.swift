internal import CKernel
internal import Glibc
internal import Kernel

extension BusSocket {
    /// Where the system's systemd is: at its private socket, which root alone may use and which needs no bus; on the
    /// system's bus.
    static func ofSystem() throws(Failure) -> [BusSocket] {
        var sockets = [BusSocket(path: "/run/systemd/private", isBus: false)]
        if let address = environment("DBUS_SYSTEM_BUS_ADDRESS") { sockets += try paths(in: address) }
        sockets.append(BusSocket(path: "/run/dbus/system_bus_socket", isBus: true))
        return sockets
    }

    /// Where the systemd of the calling user is.
    static func ofUser() throws(Failure) -> [BusSocket] {
        let given = environment("XDG_RUNTIME_DIR")
        let folder = if let given { given } else { "/run/user/\(try outerUser())" }
        var sockets = [BusSocket(path: folder + "/systemd/private", isBus: false)]
        if let address = environment("DBUS_SESSION_BUS_ADDRESS") { sockets += try paths(in: address) }
        sockets.append(BusSocket(path: folder + "/bus", isBus: true))
        return sockets
    }

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value[0] != 0 else { return nil }
        return String(cString: value)
    }

    /// The paths in an address like `unix:path=/run/user/0/bus,guid=…;unix:path=…`; other transports are left out.
    static func paths(in address: String) throws(Failure) -> [BusSocket] {
        var sockets: [BusSocket] = []
        for entry in address.utf8.split(separator: UInt8(ascii: ";")) {
            guard entry.starts(with: "unix:".utf8) else { continue }
            for pair in entry.dropFirst(5).split(separator: UInt8(ascii: ","))
            where pair.starts(with: "path=".utf8) {
                guard let path = unescaped(pair.dropFirst(5)) else {
                    throw .refused("\"\(address)\" is no address of a D-Bus")
                }
                sockets.append(BusSocket(path: path, isBus: true))
            }
        }
        return sockets
    }

    /// `%2d` is the byte 0x2d.
    private static func unescaped(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let digits = String(rest.prefix(2)), digits.utf8.count == 2,
                let number = UInt8(digits, radix: 16),
                number != 0
            else { return nil }
            bytes.append(number)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The calling user as the host knows them, also for root of a user namespace.
    private static func outerUser() throws(Failure) -> UInt64 {
        let own = UInt64(clamping: sys_geteuid())
        return UserMap.outer(own, in: try Files.read("/proc/self/uid_map")) ?? own
    }
}

/// The text of `/proc/PID/uid_map`.
enum UserMap {
    /// What `inner` is outside; `nil` where it is nobody.
    static func outer(_ inner: UInt64, in map: String) -> UInt64? {
        for line in map.split(separator: "\n") {
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count == 3, inner >= numbers[0], inner - numbers[0] < numbers[2] else { continue }
            let (sum, overflow) = numbers[1].addingReportingOverflow(inner - numbers[0])
            return overflow ? nil : sum
        }
        return nil
    }

    /// Whether the namespace is the host's: all ids are themselves.
    static func isHosts(_ map: String) -> Bool {
        let numbers = map.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { UInt64($0) }
        return numbers == [0, 0, UInt64(UInt32.max)]
    }
}
