internal import CKernel
internal import Glibc

/// A route netlink socket: it works on the network namespace in which it was made.
package struct Netlink: ~Copyable {
    private let socket: FileDescriptor

    /// A socket in the network namespace of this process.
    package init() throws(Failure) {
        socket = FileDescriptor(adopting: try checked("netlink socket", sys_netlink_socket()))
    }

    /// A socket in another network namespace; this process, which must have one thread only, is there for a moment.
    package init(in namespace: borrowing FileDescriptor) throws(Failure) {
        let own = try FileDescriptor.open("/proc/self/ns/net")
        try checked("enter the network namespace", sys_setns(namespace.raw, Int32(K_CLONE_NEWNET)))
        let answer = sys_netlink_socket()
        try checked("come back to the network namespace", sys_setns(own.raw, Int32(K_CLONE_NEWNET)))
        socket = FileDescriptor(adopting: try checked("netlink socket", answer))
    }

    /// A network interface.
    package struct Link: Sendable {
        package let index: UInt32
        package let isUp: Bool
    }

    /// An address as the kernel tells it: to be told back to it elsewhere.
    package struct Address: Sendable {
        fileprivate let family: UInt8
        fileprivate let prefix: UInt8
        fileprivate let attributes: [(type: UInt16, value: [UInt8])]
    }

    /// The interface called `name`.
    package borrowing func link(_ name: String) throws(Failure) -> Link {
        var message = Message(type: 18, flags: 0)  // RTM_GETLINK
        message.appendLink(index: 0)
        message.append(attribute: 3, name.utf8 + [0])  // IFLA_IFNAME
        guard let answer = try exchange(message).first, answer.count >= 16 else {
            throw Failure(.kernel(call: "find the interface", errno: ENODEV))
        }
        return Link(index: word(answer, 4), isUp: word(answer, 8) & 1 != 0)
    }

    /// The addresses of the interface that somebody gave it for good, and that mean the same everywhere.
    package borrowing func addresses(of link: Link) throws(Failure) -> [Address] {
        var message = Message(type: 22, flags: 0x300)  // RTM_GETADDR, NLM_F_DUMP
        message.bytes += [0, 0, 0, 0, 0, 0, 0, 0]
        var found: [Address] = []
        for answer in try exchange(message) where answer.count >= 8 && word(answer, 4) == link.index {
            // struct ifaddrmsg: family, prefix length, flags, scope.
            let isPermanent = answer[2] & 0x80 != 0
            guard isPermanent, answer[3] == 0 else { continue }
            // Address, local one, broadcast: labels hold the old name.
            let attributes = Netlink.attributes(answer[8...]).filter { [1, 2, 4].contains($0.type) }
            found.append(Address(family: answer[0], prefix: answer[1], attributes: attributes))
        }
        return found
    }

    /// Takes an interface down.
    package borrowing func takeDown(_ link: Link) throws(Failure) {
        var message = Message(type: 16, flags: 0)  // RTM_NEWLINK
        message.appendLink(index: link.index, change: 1)
        _ = try exchange(message)
    }

    /// Brings an interface up.
    package borrowing func bringUp(_ link: Link) throws(Failure) {
        var message = Message(type: 16, flags: 0)
        message.appendLink(index: link.index, flags: 1, change: 1)
        _ = try exchange(message)
    }

    /// Moves an interface into another network namespace, where it is called `name`.
    package borrowing func move(
        _ link: Link, to namespace: borrowing FileDescriptor, as name: String
    ) throws(Failure) {
        var message = Message(type: 16, flags: 0)
        message.appendLink(index: link.index)
        message.append(attribute: 28, Message.bytes(of: UInt32(namespace.raw)))  // IFLA_NET_NS_FD
        message.append(attribute: 3, name.utf8 + [0])
        _ = try exchange(message)
    }

    /// Gives an interface an address.
    package borrowing func add(_ address: Address, to link: Link) throws(Failure) {
        var message = Message(type: 20, flags: 0x600)  // RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL
        message.bytes += [address.family, address.prefix, 0, 0] + Message.bytes(of: link.index)
        for attribute in address.attributes {
            message.append(attribute: attribute.type, attribute.value)
        }
        _ = try exchange(message)
    }

    /// Sends a message, and takes the answers up to the last one.
    ///
    /// - Returns: their bodies, behind the headers.
    private borrowing func exchange(_ message: Message) throws(Failure) -> [[UInt8]] {
        let bytes = message.finished
        try checked(
            "netlink",
            bytes.withUnsafeBytes { buffer in
                buffer.baseAddress.map { sys_write(socket.raw, $0, buffer.count) } ?? 0
            })
        var bodies: [[UInt8]] = []
        while true {
            let batch = try socket.readSome(65536)
            if batch.isEmpty { throw .refused("the kernel's answer ends too early") }
            var at = 0
            while at + 16 <= batch.count {
                let length = Int(word(batch, at))
                guard length >= 16, at + length <= batch.count else { break }
                let body = Array(batch[(at + 16)..<(at + length)])
                switch UInt16(truncatingIfNeeded: word(batch, at + 4)) {
                case 2 where body.count >= 4:  // NLMSG_ERROR, also the acknowledgement
                    try checked("netlink", Int(Int32(bitPattern: word(body, 0))))
                    return bodies
                case 3: return bodies  // NLMSG_DONE
                default: bodies.append(body)
                }
                at += (length + 3) & ~3
            }
        }
    }

    private static func attributes(_ bytes: ArraySlice<UInt8>) -> [(type: UInt16, value: [UInt8])] {
        var found: [(type: UInt16, value: [UInt8])] = []
        var at = bytes.startIndex
        while at + 4 <= bytes.endIndex {
            let length = Int(bytes[at]) | Int(bytes[at + 1]) << 8
            guard length >= 4, at + length <= bytes.endIndex else { break }
            let type = UInt16(bytes[at + 2]) | UInt16(bytes[at + 3]) << 8
            found.append((type, Array(bytes[(at + 4)..<(at + length)])))
            at += (length + 3) & ~3
        }
        return found
    }
}

/// Four bytes of a message as a number; both sides are this machine.
private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    guard at + 4 <= bytes.count else { return 0 }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: UInt32.self) }
}

/// A netlink message that is being put together.
private struct Message {
    var bytes: [UInt8]

    init(type: UInt16, flags: UInt16) {
        let request: UInt16 = 1
        let acknowledge: UInt16 = 4
        bytes = Message.bytes(of: UInt32(0)) + Message.bytes(of: type)
        // A dump ends by itself.
        bytes += Message.bytes(of: flags | request | (flags & 0x300 == 0x300 ? 0 : acknowledge))
        bytes += [UInt8](repeating: 0, count: 8)
    }

    static func bytes<T: FixedWidthInteger>(of value: T) -> [UInt8] {
        withUnsafeBytes(of: value) { [UInt8]($0) }
    }

    /// struct ifinfomsg.
    mutating func appendLink(index: UInt32, flags: UInt32 = 0, change: UInt32 = 0) {
        bytes +=
            [0, 0, 0, 0] + Message.bytes(of: index) + Message.bytes(of: flags) + Message.bytes(of: change)
    }

    mutating func append(attribute type: UInt16, _ value: [UInt8]) {
        bytes += Message.bytes(of: UInt16(value.count + 4)) + Message.bytes(of: type) + value
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// The bytes with their length in front.
    var finished: [UInt8] { Message.bytes(of: UInt32(bytes.count)) + bytes.dropFirst(4) }
}
