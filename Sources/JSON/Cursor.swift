package import Kernel

/// A place in a JSON document: a value and the JSON pointer (RFC 6901) that leads to it.
///
/// Decoding through cursors makes every message name its place.
package struct Cursor: Sendable {
    package let value: JSON
    private let path: Path

    /// How the place was reached; written out only where somebody asks.
    private indirect enum Path: Sendable {
        case start(String)
        case member(Path, String)
        case element(Path, Int)

        var pointer: String {
            switch self {
            case .start(let pointer): pointer
            case .member(let parent, let name): parent.pointer + "/" + Cursor.escaped(name)
            case .element(let parent, let index): parent.pointer + "/" + String(index)
            }
        }
    }

    package init(_ value: JSON, at pointer: String = "") {
        self.value = value
        path = .start(pointer)
    }

    private init(_ value: JSON, _ path: Path) {
        self.value = value
        self.path = path
    }

    /// The JSON pointer of this place.
    package var pointer: String { path.pointer }

    /// A reference token, escaped as RFC 6901 asks.
    package static func escaped(_ token: String) -> String {
        guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
            return token
        }
        return token.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined()
    }

    /// A failure that names this place.
    package func failure(_ reason: String) -> Failure { Failure(.document(at: pointer, reason)) }

    private func mismatch(_ wanted: String) -> Failure { failure("expected \(wanted), found \(value.kind)") }

    /// The member `name`, or `nil` where it is missing or null.
    package func member(_ name: String) throws(Failure) -> Cursor? {
        guard case .object(let members) = value else { throw mismatch("an object") }
        guard let member = members.first(where: { $0.name == name }), member.value != .null else {
            return nil
        }
        return Cursor(member.value, .member(path, name))
    }

    /// Decodes the member `name`; `nil` where it is missing or null.
    package func optional<T>(_ name: String, _ decode: (Cursor) throws(Failure) -> T) throws(Failure) -> T? {
        guard let member = try member(name) else { return nil }
        return try decode(member)
    }

    /// Decodes the member `name`, which must be there.
    package func required<T>(_ name: String, _ decode: (Cursor) throws(Failure) -> T) throws(Failure) -> T {
        guard let member = try member(name) else { throw failure("\"\(name)\" is missing") }
        return try decode(member)
    }

    /// Decodes every element of the array `name`; empty where it is missing or null.
    package func list<T>(_ name: String, _ decode: (Cursor) throws(Failure) -> T) throws(Failure) -> [T] {
        try optional(name) { (list) throws(Failure) in try list.elements(decode) } ?? []
    }

    /// Decodes every element of this array.
    package func elements<T>(_ decode: (Cursor) throws(Failure) -> T) throws(Failure) -> [T] {
        guard case .array(let elements) = value else { throw mismatch("an array") }
        var decoded: [T] = []
        decoded.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            decoded.append(try decode(Cursor(element, .element(path, index))))
        }
        return decoded
    }

    /// The members of this object, in their order.
    package func members() throws(Failure) -> [(name: String, value: Cursor)] {
        guard case .object(let members) = value else { throw mismatch("an object") }
        return members.map { ($0.name, Cursor($0.value, .member(path, $0.name))) }
    }

    /// Text.
    package func string() throws(Failure) -> String {
        guard case .string(let text) = value else { throw mismatch("a string") }
        return text
    }

    /// `true` or `false`.
    package func bool() throws(Failure) -> Bool {
        guard case .bool(let flag) = value else { throw mismatch("a boolean") }
        return flag
    }

    /// A whole number that fits `T`.
    package func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(Failure) -> T {
        let exact: T? =
            switch value {
            case .integer(let number): T(exactly: number)
            case .unsigned(let number): T(exactly: number)
            // Some writers print whole numbers as 1024.0.
            case .double(let number): T(exactly: number)
            default: throw mismatch("a whole number")
            }
        guard let exact else { throw failure("the number is out of range (\(T.min) to \(T.max))") }
        return exact
    }

    /// Any number.
    package func double() throws(Failure) -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .double(let number): return number
        default: throw mismatch("a number")
        }
    }

    /// One of the words of an enumeration.
    package func word<T: RawRepresentable>(_ type: T.Type = T.self) throws(Failure) -> T
    where T.RawValue == String {
        let text = try string()
        guard let word = T(rawValue: text) else { throw failure("\"\(text)\" is unknown") }
        return word
    }

    /// An object whose values are all text.
    package func stringMap() throws(Failure) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for member in try members() { pairs.append((member.name, try member.value.string())) }
        return pairs
    }
}
