/// What json-c lets pass, and RFC 8259 does not.
///
/// json-c silently takes the last of two members with one name, cuts a name at an escaped NUL, bends a number
/// that does not fit to the nearest that does, and reads malformed UTF-8, names in apostrophes and raw control
/// characters. Each is a way to show one config to who checks it and another to who runs it.
///
/// The scan runs after json-c has found the document well-formed, so it looks at strings and numbers only.
enum Strictness {
    /// Something that is no JSON: the offset of its first byte, and what is wrong.
    struct Fault: Error {
        let offset: Int
        let words: String
    }

    /// Counts the names of members in a document that json-c has read.
    static func names(in bytes: [UInt8]) throws(Fault) -> Int {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw Fault(offset: 0, words: "invalid utf-8 string")
        }
        let bytes = bytes.span
        var (at, names) = (0, 0)
        while at < bytes.count {
            switch bytes[at] {
            case quote:
                at = try end(ofString: at, in: bytes)
                if isName(before: at, in: bytes) { names += 1 }
            case UInt8(ascii: "'"): throw Fault(offset: at, words: "a string begins with a quotation mark")
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                at = try end(ofNumber: at, in: bytes)
            default: at += 1
            }
        }
        return names
    }

    /// The first member that its object has already; called only when there is one.
    static func repeatedMember(in bytes: [UInt8]) throws(Fault) {
        var objects: [Set<[UInt8]>] = []
        var at = 0
        while at < bytes.count {
            let start = at
            switch bytes[at] {
            case quote:
                at = try end(ofString: at, in: bytes.span)
                guard isName(before: at, in: bytes.span) else { continue }
                let name = plain(bytes[start..<at])
                guard !objects.isEmpty, !objects[objects.count - 1].insert(name).inserted else { continue }
                let text = String(decoding: name, as: UTF8.self)
                throw Fault(offset: start, words: "\"\(text)\" is given twice")
            case UInt8(ascii: "{"): objects.append([])
            case UInt8(ascii: "}"): _ = objects.popLast()
            default: break
            }
            at += 1
        }
    }

    private static let quote = UInt8(ascii: "\"")

    private static func end(ofString start: Int, in bytes: borrowing Span<UInt8>) throws(Fault) -> Int {
        var at = start + 1
        while at < bytes.count, bytes[at] != quote {
            if bytes[at] < 0x20 {
                throw Fault(offset: at, words: "a control character in a string must be escaped")
            }
            if bytes[at] == UInt8(ascii: "\\") {
                if isNUL(at, in: bytes) { throw Fault(offset: start, words: "the string holds a NUL") }
                at += 1
            }
            at += 1
        }
        return min(at + 1, bytes.count)
    }

    private static func isNUL(_ at: Int, in bytes: borrowing Span<UInt8>) -> Bool {
        guard at + 5 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") else { return false }
        return (2...5).allSatisfy { bytes[at + $0] == UInt8(ascii: "0") }
    }

    private static func isName(before end: Int, in bytes: borrowing Span<UInt8>) -> Bool {
        var at = end
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
        return at < bytes.count && bytes[at] == UInt8(ascii: ":")
    }

    private static func end(ofNumber start: Int, in bytes: borrowing Span<UInt8>) throws(Fault) -> Int {
        var at = start
        var isWhole = true
        numeral: while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): at += 1
            case UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "e"), UInt8(ascii: "E"):
                isWhole = false
                at += 1
            default: break numeral
            }
        }
        let isNegative = bytes[start] == UInt8(ascii: "-")
        let first = start + (isNegative ? 1 : 0)
        // json-c takes -01.
        if isWhole, at - first > 1, bytes[first] == UInt8(ascii: "0") {
            throw Fault(offset: start, words: "a number begins with a superfluous zero")
        }
        guard isWhole, at - first > 18 else { return at }
        let text = (start..<at).map { String(UnicodeScalar(bytes[$0])) }.joined()
        guard isNegative ? Int64(text) != nil : UInt64(text) != nil else {
            throw Fault(offset: start, words: "the number does not fit 64 bits")
        }
        return at
    }

    /// The bytes that a quoted name stands for.
    private static func plain(_ quoted: ArraySlice<UInt8>) -> [UInt8] {
        let inner = Array(quoted.dropFirst().dropLast())
        guard inner.contains(UInt8(ascii: "\\")) else { return inner }
        do {
            guard case .array(let elements) = try JSON.parse([0x5b] + quoted + [0x5d]),
                case .string(let text)? = elements.first
            else { return inner }
            return Array(text.utf8)
        } catch {
            // Not to be read by itself: then it is compared as it is written.
            return inner
        }
    }
}

extension JSON {
    /// How many members all objects of this document have together.
    var memberCount: Int {
        switch self {
        case .array(let elements): elements.reduce(0) { $0 + $1.memberCount }
        case .object(let members): members.reduce(members.count) { $0 + $1.value.memberCount }
        default: 0
        }
    }
}
