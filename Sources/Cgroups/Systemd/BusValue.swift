/// A value as D-Bus types it: those types that properties of units have.
package indirect enum BusValue: Sendable, Equatable {
    case byte(UInt8)
    case bool(Bool)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case objectPath(String)
    case signature(String)
    /// All elements have the type that `of` names.
    case array(of: String, [BusValue])
    case structure([BusValue])

    /// The signature of its type.
    package var type: String {
        switch self {
        case .byte: "y"
        case .bool: "b"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .signature: "g"
        case .array(let element, _): "a" + element
        case .structure(let fields): "(" + fields.map(\.type).joined() + ")"
        }
    }

    /// An array of bytes.
    static func bytes(_ bytes: [UInt8]) -> BusValue { .array(of: "y", bytes.map { .byte($0) }) }
}

/// A property of a unit, by the name that it has on D-Bus.
package struct BusProperty: Sendable, Equatable {
    package let name: String
    package let value: BusValue

    package init(_ name: String, _ value: BusValue) {
        self.name = name
        self.value = value
    }
}

/// Lays values out as D-Bus has them on the wire: little-endian, each at a multiple of its own size.
struct BusWriter {
    private(set) var bytes: [UInt8] = []

    mutating func align(_ to: Int) { while bytes.count % to != 0 { bytes.append(0) } }

    private mutating func integer<T: FixedWidthInteger>(_ number: T) {
        let size = T.bitWidth / 8
        align(size)
        for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> T(index * 8))) }
    }

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }
    mutating func uint32(_ number: UInt32) { integer(number) }

    mutating func string(_ text: String) {
        uint32(UInt32(clamping: text.utf8.count))
        bytes += text.utf8
        bytes.append(0)
    }

    /// At most 255 bytes; the callers' are short.
    mutating func signature(_ text: String) {
        bytes.append(UInt8(clamping: text.utf8.count))
        bytes += text.utf8.prefix(255)
        bytes.append(0)
    }

    /// An array whose elements begin at multiples of `alignment`.
    mutating func array(alignment: Int, _ body: (inout BusWriter) -> Void) {
        uint32(0)
        let length = bytes.count - 4
        align(alignment)
        let start = bytes.count
        body(&self)
        let count = UInt32(clamping: bytes.count - start)
        for index in 0..<4 { bytes[length + index] = UInt8(truncatingIfNeeded: count >> UInt32(index * 8)) }
    }

    mutating func value(_ value: BusValue) {
        switch value {
        case .byte(let byte): bytes.append(byte)
        case .bool(let bool): uint32(bool ? 1 : 0)
        case .int16(let number): integer(number)
        case .uint16(let number): integer(number)
        case .int32(let number): integer(number)
        case .uint32(let number): integer(number)
        case .int64(let number): integer(number)
        case .uint64(let number): integer(number)
        case .double(let number): integer(number.bitPattern)
        case .string(let text), .objectPath(let text): string(text)
        case .signature(let text): signature(text)
        case .array(let element, let values):
            array(alignment: BusWriter.alignment(of: element)) { writer in
                for value in values { writer.value(value) }
            }
        case .structure(let fields):
            align(8)
            for field in fields { self.value(field) }
        }
    }

    mutating func properties(_ properties: [BusProperty]) {
        array(alignment: 8) { writer in
            for property in properties {
                writer.align(8)
                writer.string(property.name)
                writer.signature(property.value.type)
                writer.value(property.value)
            }
        }
    }

    private static func alignment(of type: String) -> Int {
        switch type.utf8.first {
        case UInt8(ascii: "y"), UInt8(ascii: "g"), UInt8(ascii: "v"): 1
        case UInt8(ascii: "n"), UInt8(ascii: "q"): 2
        case UInt8(ascii: "x"), UInt8(ascii: "t"), UInt8(ascii: "d"), UInt8(ascii: "("): 8
        default: 4
        }
    }
}
