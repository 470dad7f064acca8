internal import JSON
internal import Kernel

/// One field of a message that is set, before its type is known.
///
/// Each reader answers `nil` after it has noted a problem, in the words of Mesos' own parser.
struct Field {
    let name: String
    let place: Cursor
    let findings: Findings

    var pointer: String { place.pointer }

    private func mismatch() {
        let kind =
            switch place.value {
            case .null: "null"
            case .bool: "boolean"
            case .integer, .unsigned, .double: "number"
            case .string: "string"
            case .array: "array"
            case .object: "object"
            }
        findings.problem(pointer, "not expecting a JSON \(kind) for field '\(name)'")
    }

    /// Text.
    func string() -> String? {
        if case .string(let text) = place.value { return text }
        mismatch()
        return nil
    }

    /// `true` or `false`, or a string that says so.
    func bool() -> Bool? {
        switch place.value {
        case .bool(let flag): return flag
        case .string("true"): return true
        case .string("false"): return false
        case .string(let text): findings.problem(pointer, "cannot parse '\(text)' as a JSON boolean")
        default: mismatch()
        }
        return nil
    }

    /// A number, or a string that holds one or names an infinity.
    func double() -> Double? {
        switch place.value {
        case .integer(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .double(let number): return number
        case .string("Infinity"): return .infinity
        case .string("-Infinity"): return -.infinity
        case .string(let text):
            if let number = Field.number(text) { return number }
            findings.problem(pointer, "cannot parse '\(text)' as a JSON number")
        default: mismatch()
        }
        return nil
    }

    /// A finite number in JSON's spelling; `Double` alone would also read hexadecimal, `inf` and `nan`.
    private static func number(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
        guard let number = Double(text), number.isFinite else { return nil }
        return number
    }

    /// A whole number that fits `T`, or a string that holds one.
    func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T? {
        let exact: T?
        switch place.value {
        case .integer(let number): exact = T(exactly: number)
        case .unsigned(let number): exact = T(exactly: number)
        case .double(let number): exact = T(exactly: number)
        case .string(let text):
            if let number = T(text) { return number }
            guard let number = Field.number(text) else {
                findings.problem(pointer, "cannot parse '\(text)' as a JSON number")
                return nil
            }
            exact = T(exactly: number)
        default:
            mismatch()
            return nil
        }
        if exact == nil { findings.problem(pointer, "expected a whole number from \(T.min) to \(T.max)") }
        return exact
    }

    /// The name of an enumeration's value.
    ///
    /// Mesos drops names that it does not know where the field is optional; a wish that is not understood is
    /// refused here.
    func word<T: RawRepresentable & CaseIterable>(_ type: T.Type = T.self) -> T? where T.RawValue == String {
        guard let text = string() else { return nil }
        if let word = T(rawValue: text) { return word }
        let known = T.allCases.map(\.rawValue).joined(separator: ", ")
        findings.problem(pointer, "no enum value is called '\(text)', there are \(known)")
        return nil
    }

    /// Base64, as text: nobody here looks at the bytes.
    func base64() -> String? {
        guard let text = string() else { return nil }
        let digits = text.utf8.prefix { $0 != UInt8(ascii: "=") }
        let padding = text.utf8.dropFirst(digits.count)
        if let wrong = digits.first(where: { !Field.isBase64($0) }) {
            findings.problem(
                pointer, "cannot decode base64: invalid character '\(Character(Unicode.Scalar(wrong)))'")
            return nil
        }
        guard padding.allSatisfy({ $0 == UInt8(ascii: "=") }), padding.count <= 2, text.utf8.count % 4 == 0
        else {
            findings.problem(pointer, "cannot decode base64: its length or its padding is wrong")
            return nil
        }
        return text
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"): true
        default: false
        }
    }

    /// A message, read by `read`.
    func message<T>(_ read: (Message) -> T) -> T? {
        guard case .object(let members) = place.value else {
            mismatch()
            return nil
        }
        let message = Message(members, at: pointer, findings: findings)
        defer { message.finish() }
        return read(message)
    }

    /// The elements of a repeated field; a single value stands for a list of one.
    func list<T>(_ read: (Field) -> T?) -> [T] {
        guard case .array(let elements) = place.value else { return read(self).map { [$0] } ?? [] }
        return elements.enumerated().compactMap { index, element in
            read(Field(name: name, place: Cursor(element, at: "\(pointer)/\(index)"), findings: findings))
        }
    }

    /// The entries of a map field, in their order.
    func map<T>(_ read: (Field) -> T?) -> [(key: String, value: T)] {
        guard case .object(let members) = place.value else {
            mismatch()
            return []
        }
        return members.compactMap { member in
            let pointer = pointer + "/" + Cursor.escaped(member.name)
            let field = Field(name: name, place: Cursor(member.value, at: pointer), findings: findings)
            return read(field).map { (member.name, $0) }
        }
    }
}
