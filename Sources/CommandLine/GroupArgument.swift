package import Kernel

/// The value of `exec --additional-gids`: one number, and nothing else.
package enum GroupArgument {
    /// The group id that `text` is.
    package static func id(_ text: String) throws(Failure) -> UInt32 {
        // UInt32.max means "leave as it is" to the kernel; a leading zero means octal to some.
        guard text.utf8.allSatisfy(isDigit), text.utf8.first != UInt8(ascii: "0") || text == "0",
            let id = UInt32(text), id != UInt32.max
        else { throw .refused("invalid group \"\(text)\": it must be a number") }
        return id
    }
}
