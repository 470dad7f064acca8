internal import JSON
internal import Kernel

/// `process.consoleSize`: the terminal's size to begin with, in characters.
package struct ConsoleSize: Sendable, Hashable {
    package var height: UInt32
    package var width: UInt32

    package init(height: UInt32, width: UInt32) {
        self.height = height
        self.width = width
    }

    init(_ c: Cursor) throws(Failure) {
        height = try c.required("height") { (c) throws(Failure) in try c.integer() }
        width = try c.required("width") { (c) throws(Failure) in try c.integer() }
    }

    var json: JSON { .object(["height": .integer(Int64(height)), "width": .integer(Int64(width))]) }
}

extension ProcessSpec {
    /// What no terminal can be; without one the size means nothing.
    func terminalProblems(at pointer: String) -> [Failure] {
        guard terminal, let size = consoleSize else { return [] }
        var found: [Failure] = []
        for (name, value) in [("height", size.height), ("width", size.width)] where value > UInt16.max {
            let reason = "a terminal has at most 65535 rows and columns, not \(value)"
            found.append(Failure(.document(at: pointer + "/consoleSize/\(name)", reason)))
        }
        return found
    }
}
