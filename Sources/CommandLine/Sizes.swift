/// The value of an option that takes bytes: a number with an optional unit, as Docker's tools write it.
package struct ByteSize: Sendable, Hashable {
    /// −1: no limit.
    package let bytes: Int64

    /// Reads texts like `67108864`, `512m`, `1.5g`, `64KiB`; `-1` means no limit.
    package init?(_ text: String) {
        if text == "-1" {
            bytes = -1
            return
        }
        guard let bytes = ByteSize.read(Array(text.utf8)) else { return nil }
        self.bytes = bytes
    }

    private static func read(_ text: [UInt8]) -> Int64? {
        var end = 0
        while end < text.count, isDigit(text[end]) || text[end] == UInt8(ascii: ".") { end += 1 }
        let number = String(decoding: text[..<end], as: UTF8.self)
        let unit = String(decoding: text[end...], as: UTF8.self).lowercased()
        guard let shift = shift(of: unit) else { return nil }
        if let whole = Int64(number) {
            let (bytes, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
            return overflow ? nil : bytes
        }
        guard text.first.map(isDigit) == true, let parts = Double(number) else { return nil }
        return Int64(exactly: (parts * Double(Int64(1) << shift)).rounded(.down))
    }

    /// Units are powers of 1024, with or without `i` and `b`.
    private static func shift(of unit: String) -> Int64? {
        var name = unit[...]
        if name == "b" { return 0 }
        if name.hasSuffix("ib") {
            name = name.dropLast(2)
        } else if name.hasSuffix("b") {
            name = name.dropLast()
        }
        switch name {
        case "": return unit.isEmpty ? 0 : nil
        case "k": return 10
        case "m": return 20
        case "g": return 30
        case "t": return 40
        case "p": return 50
        default: return nil
        }
    }
}
