internal import Kernel

/// A D-Bus message: those parts that a client of systemd needs.
struct BusMessage: Equatable {
    enum Kind: UInt8 {
        case call = 1
        case answer = 2
        case error = 3
        case signal = 4
    }

    /// `nil`: a kind that is not known yet, which the protocol wants to be ignored.
    var kind: Kind?
    var serial: UInt32 = 0
    var path = ""
    var interface = ""
    var member = ""
    var errorName = ""
    /// The serial of the call that this answers; 0: none.
    var answers: UInt32 = 0
    var destination = ""
    var sender = ""
    var signature = ""
    var body: [UInt8] = []

    /// The protocol allows 128 MiB; systemd's answers and signals are some kilobytes.
    static let largest = 1 << 20
    /// What comes before the header's fields have an end.
    static let prefix = 16

    /// The bytes on the wire, of a call.
    var encoded: [UInt8] {
        var writer = BusWriter()
        writer.byte(UInt8(ascii: "l"))
        writer.byte(kind?.rawValue ?? 0)
        writer.byte(0)
        writer.byte(1)
        writer.uint32(UInt32(clamping: body.count))
        writer.uint32(serial)
        writer.array(alignment: 8) { writer in
            func field(_ code: UInt8, _ value: BusValue) {
                writer.align(8)
                writer.byte(code)
                writer.signature(value.type)
                writer.value(value)
            }
            if !path.isEmpty { field(1, .objectPath(path)) }
            if !member.isEmpty { field(3, .string(member)) }
            if !interface.isEmpty { field(2, .string(interface)) }
            if !destination.isEmpty { field(6, .string(destination)) }
            if !signature.isEmpty { field(8, .signature(signature)) }
        }
        writer.align(8)
        return writer.bytes + body
    }

    /// How long the message is of which `bytes` are the beginning; `nil` while that cannot be told.
    ///
    /// - Throws: a refusal of what is no message, or too large a one.
    static func length(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Int? {
        guard bytes.count >= prefix else { return nil }
        var reader = BusReader(bytes)
        guard try reader.byte() == UInt8(ascii: "l") else {
            throw BusReader.malformed("its byte order is not this machine's")
        }
        _ = try reader.byte()
        _ = try reader.byte()
        guard try reader.byte() == 1 else { throw BusReader.malformed("its version is not 1") }
        let body = Int(try reader.uint32())
        _ = try reader.uint32()
        let fields = Int(try reader.uint32())
        // Both are below 2³²: the sum cannot overflow.
        let length = prefix + (fields + 7) / 8 * 8 + body
        guard length <= largest else { throw BusReader.malformed("it has \(length) bytes") }
        return length
    }

    init() {}

    /// Reads one message, all of it, as long as `length` says.
    init(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        var reader = BusReader(bytes)
        _ = try reader.byte()
        kind = Kind(rawValue: try reader.byte())
        _ = try reader.byte()
        _ = try reader.byte()
        let size = Int(try reader.uint32())
        serial = try reader.uint32()
        let end = Int(try reader.uint32()) + BusMessage.prefix
        while reader.offset < end {
            try reader.align(8)
            try field(&reader)
        }
        guard reader.offset == end else { throw BusReader.malformed("its header has no end") }
        try reader.align(8)
        body = try reader.take(size)
    }

    private mutating func field(_ reader: inout BusReader) throws(Failure) {
        let code = try reader.byte()
        let type = try reader.signature()
        switch type {
        case "s", "o":
            let text = try reader.string()
            switch code {
            case 1: path = text
            case 2: interface = text
            case 3: member = text
            case 4: errorName = text
            case 6: destination = text
            case 7: sender = text
            default: break
            }
        case "g":
            let text = try reader.signature()
            if code == 8 { signature = text }
        case "u":
            let number = try reader.uint32()
            if code == 5 { answers = number }
        default: throw BusReader.malformed("a field of its header has the type \"\(type)\"")
        }
    }
}

/// Takes values from a message, as they lie on the wire; never beyond its end.
struct BusReader {
    private let bytes: ArraySlice<UInt8>
    /// From the beginning of the message, or of its body.
    private(set) var offset = 0

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    static func malformed(_ why: String) -> Failure { .refused("what came is no D-Bus message: \(why)") }

    mutating func take(_ count: Int) throws(Failure) -> [UInt8] {
        guard count >= 0, count <= bytes.count - offset else {
            throw BusReader.malformed("it ends too early")
        }
        let start = bytes.startIndex + offset
        offset += count
        return Array(bytes[start..<start + count])
    }

    mutating func align(_ to: Int) throws(Failure) {
        let rest = offset % to
        if rest != 0 { _ = try take(to - rest) }
    }

    mutating func byte() throws(Failure) -> UInt8 { try take(1)[0] }

    mutating func uint32() throws(Failure) -> UInt32 {
        try align(4)
        return try take(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func string() throws(Failure) -> String {
        let length = Int(try uint32())
        return try text(length)
    }

    mutating func signature() throws(Failure) -> String { try text(Int(try byte())) }

    private mutating func text(_ length: Int) throws(Failure) -> String {
        let text = try take(length)
        guard try byte() == 0, !text.contains(0) else {
            throw BusReader.malformed("a text in it has no end")
        }
        return String(decoding: text, as: UTF8.self)
    }
}
