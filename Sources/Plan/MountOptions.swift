package import Kernel

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

    private static let words: KeyValuePairs<String, UInt64> = [
        "private": 1 << 18, "slave": 1 << 19, "shared": 1 << 20, "unbindable": 1 << 17,
        "rprivate": 1 << 18 | recursive, "rslave": 1 << 19 | recursive, "rshared": 1 << 20 | recursive,
        "runbindable": 1 << 17 | recursive,
    ]
}

/// The option words of one `mounts` entry, sorted by what they mean.
package struct MountOptions: Hashable, Sendable {
    package var attributes = MountAttributes()
    package var propagation: MountPropagation?
    package var bind = false
    package var recursive = false
    /// What is left: parameters of the file system.
    package var parameters: [String] = []

    /// Reads option words; `pointer` is the place of the list.
    package init(_ words: [String], at pointer: String) throws(Failure) {
        for (index, word) in words.enumerated() {
            if let attribute = MountOptions.attributes.first(where: { $0.word == word }) {
                attributes.set = attributes.set & ~attribute.clear | attribute.set
                attributes.clear = attributes.clear & ~attribute.set | attribute.clear
            } else if word.hasPrefix("r"), word != "ro",
                let attribute = MountOptions.attributes.first(where: { $0.word == word.dropFirst() })
            {
                attributes.setRecursive = attributes.setRecursive & ~attribute.clear | attribute.set
                attributes.clearRecursive = attributes.clearRecursive & ~attribute.set | attribute.clear
            } else if let propagation = MountPropagation(word: word) {
                self.propagation = propagation
            } else if word == "bind" || word == "rbind" {
                bind = true
                recursive = recursive || word == "rbind"
            } else if let why = MountOptions.later[word]
                ?? (word.hasPrefix("idmap=") ? "idmapped mounts" : nil)
            {
                let reason = "\"\(word)\": \(why): not supported by this version of mrun"
                throw Failure(.document(at: "\(pointer)/\(index)", reason))
            } else if !MountOptions.meaningless.contains(word) {
                parameters.append(word)
            }
        }
    }

    private struct Attribute {
        let word: String
        let set: UInt64
        let clear: UInt64

        init(_ word: String, set: UInt64 = 0, clear: UInt64 = 0) {
            self.word = word
            self.set = set
            self.clear = clear
        }
    }

    private static let attributes: [Attribute] = [
        Attribute("ro", set: MountAttributes.readOnly),
        Attribute("rw", clear: MountAttributes.readOnly),
        Attribute("nosuid", set: MountAttributes.noSUID),
        Attribute("suid", clear: MountAttributes.noSUID),
        Attribute("nodev", set: MountAttributes.noDevices),
        Attribute("dev", clear: MountAttributes.noDevices),
        Attribute("noexec", set: MountAttributes.noExec),
        Attribute("exec", clear: MountAttributes.noExec),
        Attribute("noatime", set: MountAttributes.noAccessTime, clear: MountAttributes.accessTime),
        Attribute("atime", clear: MountAttributes.accessTime),
        Attribute("strictatime", set: MountAttributes.strictAccessTime, clear: MountAttributes.accessTime),
        Attribute("nostrictatime", clear: MountAttributes.accessTime),
        Attribute("relatime", clear: MountAttributes.accessTime),
        Attribute("norelatime", clear: MountAttributes.accessTime),
        Attribute("nodiratime", set: MountAttributes.noDirectoryAccessTime),
        Attribute("diratime", clear: MountAttributes.noDirectoryAccessTime),
        Attribute("nosymfollow", set: MountAttributes.noSymbolicLinks),
        Attribute("symfollow", clear: MountAttributes.noSymbolicLinks),
    ]

    private static let later = [
        "idmap": "idmapped mounts", "ridmap": "idmapped mounts", "tmpcopyup": "copying up into a tmpfs",
        "remount": "changing a mount that is there",
    ]

    /// Words that say what is so anyway.
    private static let meaningless = [
        "defaults", "async", "loud", "norelatime", "nomand", "nolazytime", "noiversion", "silent",
    ]
}
