/// Attributes of a mount, as the bits of mount_setattr(2).
package struct MountAttributes: Hashable, Sendable {
    package var set: UInt64 = 0
    package var clear: UInt64 = 0
    /// The same, for the whole tree below (`rro` and its like).
    package var setRecursive: UInt64 = 0
    package var clearRecursive: UInt64 = 0

    package init() {}

    package init(set: UInt64) { self.set = set }

    package static let readOnly: UInt64 = 0x01
    package static let noSUID: UInt64 = 0x02
    package static let noDevices: UInt64 = 0x04
    package static let noExec: UInt64 = 0x08
    static let accessTime: UInt64 = 0x70
    static let noAccessTime: UInt64 = 0x10
    static let strictAccessTime: UInt64 = 0x20
    static let noDirectoryAccessTime: UInt64 = 0x80
    static let noSymbolicLinks: UInt64 = 0x20_0000

    /// For a mount that has nothing below it: what holds for the whole tree holds for it.
    var ofOneMount: MountAttributes {
        var one = MountAttributes()
        one.set = set & ~clearRecursive | setRecursive
        one.clear = clear & ~setRecursive | clearRecursive
        return one
    }
}

/// How a mount shares what is mounted on it, as the bits of mount(2).
package struct MountPropagation: Hashable, Sendable {
    package let flags: UInt64

    static let recursive: UInt64 = 16384

    /// By the word of the specification; `nil` when it is none.
    package init?(word: String) {
        guard let entry = MountPropagation.words.first(where: { $0.0 == word }) else { return nil }
        flags = entry.1
    }

    var isShared: Bool { flags & 1 << 20 != 0 }
    var isPrivate: Bool { flags & 1 << 18 != 0 }

    private static let words: KeyValuePairs<String, UInt64> = [
        "private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20, "unbindable": 1 << 17,
        "rprivate": 1 << 18 | recursive, "rslave": 1 << 19 | recursive, "rshared": 1 << 20 | recursive,
        "runbindable": 1 << 17 | recursive,
    ]
}
