package import Kernel

extension JSON {
    /// Where the object `inner` of the document's object `outer` stands, from its brace to the last one.
    ///
    /// It is found by brackets and quotation marks alone, so the answer is right where the document is well-formed;
    /// `parse(_:without:)` and a reading of the extent by itself tell whether it is. A name with an escape in it is
    /// not recognised: then, as where there is no such object, the answer is `nil`.
    package static func extent(of inner: StaticString, in outer: StaticString, _ bytes: [UInt8]) -> Range<
        Int
    >? {
        bytes.withUnsafeBufferPointer { buffer in
            var scanner = ExtentScanner(bytes: buffer)
            guard scanner.enter(outer) else { return nil }
            guard scanner.enter(inner) else { return nil }
            let start = scanner.at
            return scanner.skipValue() ? start..<scanner.at : nil
        }
    }

    /// Reads a document with `null` in the place of `extent`.
    ///
    /// With an extent that is a value of its own the answer is that for the whole document, but for the one value.
    package static func parse(_ bytes: [UInt8], without extent: Range<Int>) throws(Failure) -> JSON {
        do {
            return try parse(bytes[..<extent.lowerBound] + Array("null".utf8) + bytes[extent.upperBound...])
        } catch {
            // The whole has the same fault, and tells its place right.
            _ = try parse(bytes)
            throw error
        }
    }
}

private struct ExtentScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    /// Looks through the object that begins here for a member that is an object, and stops at that one's brace.
    mutating func enter(_ name: StaticString) -> Bool {
        skipBlanks()
        guard take(UInt8(ascii: "{")) else { return false }
        while true {
            skipBlanks()
            let start = at
            guard skipString() else { return false }
            let isWanted = isName(name, start)
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { return false }
            skipBlanks()
            if isWanted { return at < bytes.count && bytes[at] == UInt8(ascii: "{") }
            guard skipValue() else { return false }
            skipBlanks()
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    /// Goes behind the value that begins here.
    mutating func skipValue() -> Bool {
        var depth = 0
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                if depth == 0 { return true }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // The end of what surrounds a number or a word.
                if depth == 0 { return true }
                depth -= 1
                if depth == 0 {
                    at += 1
                    return true
                }
            case UInt8(ascii: ","): if depth == 0 { return true }
            default: break
            }
            at += 1
        }
        return false
    }

    private mutating func skipString() -> Bool {
        guard take(UInt8(ascii: "\"")) else { return false }
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\"") {
                at += 1
                return true
            }
            at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return false
    }

    /// Whether the string from `start` to here is `name`, in quotation marks.
    private func isName(_ name: StaticString, _ start: Int) -> Bool {
        guard at - start == name.utf8CodeUnitCount + 2 else { return false }
        for offset in 0..<name.utf8CodeUnitCount where bytes[start + 1 + offset] != name.utf8Start[offset] {
            return false
        }
        return true
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func skipBlanks() {
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
    }
}
