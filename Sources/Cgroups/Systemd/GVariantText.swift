internal import Kernel

/// Reads values in GVariant's text form, as annotations `org.systemd.property.*` have them: `'word'`, `true`,
/// `uint64 5`, `['a', 'b']`, `@as []`, `[('/dev/null', 'rw')]`.
///
/// Maps, variants and maybes are not read: no property of a scope that may be set has one.
struct GVariantText {
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    private init(_ text: String) { bytes = Array(text.utf8) }

    static func value(_ text: String) throws(Failure) -> BusValue {
        var reader = GVariantText(text)
        let value = try reader.value(of: nil)
        reader.skipBlanks()
        guard reader.at == reader.bytes.count else { throw reader.failure("something follows the value") }
        return value
    }

    private func failure(_ why: String) -> Failure {
        .refused("\"\(String(decoding: bytes, as: UTF8.self))\" is no value in GVariant's text form: \(why)")
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == UInt8(ascii: " ") || (9...13).contains(byte) { at += 1 }
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        skipBlanks()
        guard next == byte else { return false }
        at += 1
        return true
    }

    /// One value; `type` is what is expected, where that is known.
    private mutating func value(of type: String?) throws(Failure) -> BusValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 8 else { throw failure("it is nested too deep") }
        skipBlanks()
        switch next {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return try text(try quoted(), as: type ?? "s")
        case UInt8(ascii: "["): return try array(type)
        case UInt8(ascii: "("): return try structure(type)
        case UInt8(ascii: "@"):
            at += 1
            let named = word()
            guard GVariantText.isSupported(named) else { throw failure("the type \"\(named)\" is unknown") }
            return try value(of: named)
        default: break
        }
        let word = word()
        if word == "true" || word == "false" {
            guard type == nil || type == "b" else { throw failure("\"\(word)\" is no \(type ?? "")") }
            return .bool(word == "true")
        }
        if let named = GVariantText.keywords.first(where: { $0.name == word }) {
            return try value(of: named.type)
        }
        return try number(word, as: type)
    }

    private static let keywords: [(name: String, type: String)] = [
        ("boolean", "b"), ("byte", "y"), ("int16", "n"), ("uint16", "q"), ("int32", "i"), ("uint32", "u"),
        ("int64", "x"), ("uint64", "t"), ("double", "d"), ("string", "s"), ("objectpath", "o"),
        ("signature", "g"),
    ]

    /// Simple types, arrays of them, and arrays of structures of them.
    private static func isSupported(_ type: String) -> Bool {
        let basic = "ybnqiuxtdsog".utf8
        var rest = type.utf8[...]
        while rest.first == UInt8(ascii: "a") { rest = rest.dropFirst() }
        if rest.first == UInt8(ascii: "("), rest.last == UInt8(ascii: ")"), rest.count > 2 {
            return rest.dropFirst().dropLast().allSatisfy { basic.contains($0) }
        }
        return rest.count == 1 && rest.allSatisfy { basic.contains($0) }
    }

    /// Up to what ends a word.
    private mutating func word() -> String {
        let start = at
        var isType = at > 0 && bytes[at - 1] == UInt8(ascii: "@")
        while let byte = next {
            let isBlank = byte == UInt8(ascii: " ") || (9...13).contains(byte)
            let ends = byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: ")")
            if isBlank || ends && !isType { break }
            // Only a type may hold parentheses, and they end it.
            if byte == UInt8(ascii: ")") { isType = false }
            at += 1
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func quoted() throws(Failure) -> String {
        let quote = bytes[at]
        at += 1
        var text: [UInt8] = []
        while let byte = next {
            at += 1
            if byte == quote {
                guard !text.contains(0), let string = String(validating: text, as: UTF8.self) else {
                    throw failure("the text is not UTF-8 without NUL")
                }
                return string
            }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escaped = next else { break }
            at += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "u"), UInt8(ascii: "U"): throw failure("escapes by number are not supported")
            default: text.append(escaped)
            }
        }
        throw failure("a text has no end")
    }

    private func text(_ text: String, as type: String) throws(Failure) -> BusValue {
        switch type {
        case "s": return .string(text)
        case "o":
            guard text.hasPrefix("/") else { throw failure("\"\(text)\" is no object path") }
            return .objectPath(text)
        case "g":
            guard text.utf8.count < 256 else { throw failure("the signature is too long") }
            return .signature(text)
        default: throw failure("a text is no \(type)")
        }
    }

    private mutating func array(_ type: String?) throws(Failure) -> BusValue {
        at += 1
        var element = type.flatMap { $0.hasPrefix("a") ? String($0.dropFirst()) : nil }
        if type != nil && element == nil { throw failure("an array is no \(type ?? "")") }
        var values: [BusValue] = []
        while !skip(UInt8(ascii: "]")) {
            if !values.isEmpty, !skip(UInt8(ascii: ",")) { throw failure("an array has no end") }
            let value = try value(of: element)
            if let element, value.type != element { throw failure("the elements of an array differ in type") }
            element = value.type
            values.append(value)
        }
        guard let element else { throw failure("the type of an empty array is unknown, say @as []") }
        return .array(of: element, values)
    }

    private mutating func structure(_ type: String?) throws(Failure) -> BusValue {
        at += 1
        // The fields of supported structures are simple: one letter each.
        let types = type.map { $0.utf8.dropFirst().dropLast().map { String(UnicodeScalar($0)) } }
        if let type, !type.hasPrefix("(") { throw failure("a structure is no \(type)") }
        var fields: [BusValue] = []
        while !skip(UInt8(ascii: ")")) {
            if !fields.isEmpty, !skip(UInt8(ascii: ",")) { throw failure("a structure has no end") }
            if let types, fields.count >= types.count { throw failure("a structure has too many fields") }
            fields.append(try value(of: types.map { $0[fields.count] }))
        }
        guard !fields.isEmpty, types == nil || types?.count == fields.count else {
            throw failure("a structure has too few fields")
        }
        return .structure(fields)
    }

    private func number(_ word: String, as type: String?) throws(Failure) -> BusValue {
        let isFloat = word.utf8.contains(UInt8(ascii: ".")) && !word.hasPrefix("0x")
        func parsed<T: FixedWidthInteger>(_ make: (T) -> BusValue) -> BusValue? {
            if word.hasPrefix("0x") || word.hasPrefix("0X") {
                return T(word.dropFirst(2), radix: 16).map(make)
            }
            return T(word, radix: 10).map(make)
        }
        let value: BusValue? =
            switch type ?? (isFloat ? "d" : "i") {
            case "y": parsed(BusValue.byte)
            case "n": parsed(BusValue.int16)
            case "q": parsed(BusValue.uint16)
            case "i": parsed(BusValue.int32)
            case "u": parsed(BusValue.uint32)
            case "x": parsed(BusValue.int64)
            case "t": parsed(BusValue.uint64)
            case "d": Double(word).map(BusValue.double)
            default: nil
            }
        guard let value else {
            throw failure(
                word.isEmpty ? "a value is missing" : "\"\(word)\" is no value of the type \(type ?? "i")")
        }
        return value
    }
}
