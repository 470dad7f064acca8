package import Kernel

/// The value of `exec --user`: `UID` or `UID:GID`, in numbers and nothing else.
///
/// A text that is not understood in full must never become root: CVE-2026-30892.
package struct UserArgument: Sendable, Hashable {
    package let uid: UInt32
    /// `nil`: not given.
    package let gid: UInt32?

    package init(_ text: String) throws(Failure) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        func id(_ part: Substring) throws(Failure) -> UInt32 {
            // UInt32.max means "leave as it is" to the kernel; a leading zero means octal to some.
            guard part.utf8.allSatisfy(isDigit), !part.hasPrefix("0") || part == "0", let id = UInt32(part),
                id != UInt32.max
            else { throw .refused("invalid user \"\(text)\": it must be UID or UID:GID, in numbers") }
            return id
        }
        uid = try id(parts[0])
        gid = parts.count > 1 ? try id(parts[1]) : nil
    }
}

/// The id of a container, checked: safe as the name of one folder.
package struct ContainerID: Sendable, Hashable {
    /// In bytes.
    package static let maximumLength = 1024

    package let text: String

    /// Checks `text`: letters, digits and `_+.-`, neither `.` nor `..`, no `-` in front.
    package init(_ text: String) throws(Failure) {
        guard !text.isEmpty else { throw .refused("container id cannot be empty") }
        guard text.utf8.allSatisfy(ContainerID.isAllowed), text != ".", text != "..", !text.hasPrefix("-")
        else {
            throw .refused("invalid container ID format: \"\(text)\"")
        }
        guard text.utf8.count <= ContainerID.maximumLength else {
            throw .refused("invalid container ID format: more than \(ContainerID.maximumLength) bytes")
        }
        self.text = text
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: isDigit(byte)
        }
    }
}

/// The value of `events --interval`: Go's way to write a duration.
package struct Interval: Sendable, Hashable {
    package let nanoseconds: Int64

    /// Reads texts like `5s`, `1m30s`, `0.5s` or `100ms`.
    package init(_ text: String) throws(Failure) {
        guard let total = Interval.read(text) else { throw .refused("invalid duration \"\(text)\"") }
        guard total > 0 else { throw .refused("duration interval must be greater than 0") }
        nanoseconds = total
    }

    private static func read(_ text: String) -> Int64? {
        var rest = text[...]
        if rest == "0" { return 0 }
        if rest.isEmpty { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(unit.count)
            guard let count = Double(number), let size = size(of: unit) else { return nil }
            total += count * size
        }
        return Int64(exactly: total.rounded())
    }

    private static func size(of unit: Substring) -> Double? {
        switch unit {
        case "ns": 1
        case "us", "µs", "μs": 1e3
        case "ms": 1e6
        case "s": 1e9
        case "m": 60e9
        case "h": 3600e9
        default: nil
        }
    }
}
