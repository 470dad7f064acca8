package import Kernel
package import OCI

/// The option words of one `mounts` entry, sorted by what they mean.
package struct MountOptions: Hashable, Sendable {
    package var attributes = MountAttributes()
    /// In the order of the words: `slave` and then `shared` is both.
    package var propagation: [MountPropagation] = []
    package var bind = false
    package var recursive = false
    /// Change what is mounted there.
    package var remount = false
    /// Begin a tmpfs with what the image has in its place.
    package var copyUp = false
    /// Map the owners; `nil`: as the entry's mappings say, if it has any.
    package var owners: OwnerOption?
    package var links = BindLinks()
    /// Flags that every file system knows, by their words; they mean nothing to a bind mount.
    package var flags: [String] = []
    /// What is left: parameters of the file system, `key` or `key=value`.
    package var parameters: [String] = []

    /// Reads option words; `pointer` is the place of the list.
    package init(_ words: [String], at pointer: String) throws(Failure) {
        for (index, word) in words.enumerated() {
            if let attribute = MountOptions.attributes.first(where: { $0.word == word }) {
                attributes.set = attributes.set & ~attribute.clear | attribute.set
                attributes.clear = attributes.clear & ~attribute.set | attribute.clear
            } else if word.hasPrefix("r"),
                let attribute = MountOptions.attributes.first(where: { $0.word == word.dropFirst() })
            {
                attributes.setRecursive = attributes.setRecursive & ~attribute.clear | attribute.set
                attributes.clearRecursive = attributes.clearRecursive & ~attribute.set | attribute.clear
            } else if let word = MountPropagation(word: word) {
                propagation.append(word)
            } else if word.hasPrefix("idmap=") {
                owners = try OwnerOption(maps: word.dropFirst(6), at: "\(pointer)/\(index)")
            } else if !read(word), !MountOptions.meaningless.contains(word) {
                addParameters(word)
            }
        }
    }

    /// Reads a word that stands for itself; answers whether it is one.
    private mutating func read(_ word: String) -> Bool {
        switch word {
        case "bind": bind = true
        case "rbind": (bind, recursive) = (true, true)
        case "remount": remount = true
        case "tmpcopyup": copyUp = true
        case "idmap": owners = owners ?? OwnerOption()
        case "ridmap":
            owners = owners ?? OwnerOption()
            owners?.recursive = true
        case "src-nofollow": links.followsSource = false
        case "dest-nofollow": links.followsTarget = false
        case "copy-symlink": links.copies = true
        case "sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand": flags.append(word)
        default: return false
        }
        return true
    }

    /// A word can hold several parameters, as the data of mount(2) does: separated by commas, but for those in
    /// quotes (labels) and those behind a backslash (folders of an overlay).
    private mutating func addParameters(_ word: String) {
        let (comma, quote, backslash) = (UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\\"))
        guard word.utf8.contains(where: { $0 == comma || $0 == quote }) else {
            return parameters.append(word)
        }
        var current: [UInt8] = []
        var isQuoted = false
        for byte in word.utf8 {
            if byte == quote {
                isQuoted.toggle()
            } else if byte != comma || isQuoted {
                current.append(byte)
            } else if current.last == backslash {
                current[current.count - 1] = comma
            } else {
                addParameter(current)
                current = []
            }
        }
        addParameter(current)
    }

    private mutating func addParameter(_ bytes: [UInt8]) {
        if !bytes.isEmpty { parameters.append(String(decoding: bytes, as: UTF8.self)) }
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

    /// Words that change nothing.
    ///
    /// Some say what is so anyway. File systems that count versions always do so, and the new mount calls print
    /// nothing. Empty words come from lists that were joined.
    private static let meaningless = [
        "", "defaults", "loud", "silent", "iversion", "noiversion",
    ]
}

/// What a bind mount does where its source or its place is a symbolic link.
package struct BindLinks: Hashable, Sendable {
    /// Whether what the source leads to is bound, or the link itself.
    package var followsSource = true
    /// Whether the mount is put where the place leads to, or over the link.
    package var followsTarget = true
    /// Whether a source that is a link is made again in the container instead of being bound.
    package var copies = false

    package init() {}
}

/// What `idmap`, `ridmap` or `idmap=uids=…;gids=…` asks for.
package struct OwnerOption: Hashable, Sendable {
    /// One range, and whether its second number is an id of the container instead of the host's.
    package struct Range: Hashable, Sendable {
        package let mapping: IDMapping
        package let isRelative: Bool
    }

    /// Both empty: the mappings of the entry, or those of the container's user namespace.
    package var uids: [Range] = []
    package var gids: [Range] = []
    package var recursive = false

    init() {}

    /// Reads `uids=0-1000-10#10-2000-5;gids=@0-0-1`: ranges of three numbers each.
    init(maps: Substring, at pointer: String) throws(Failure) {
        for part in maps.utf8.split(separator: UInt8(ascii: ";")) {
            let text = String(Substring(part))
            if text.hasPrefix("uids=") {
                uids += try OwnerOption.ranges(text.dropFirst(5), at: pointer)
            } else if text.hasPrefix("gids=") {
                gids += try OwnerOption.ranges(text.dropFirst(5), at: pointer)
            } else {
                throw Failure(.document(at: pointer, "\"\(text)\" is neither uids= nor gids="))
            }
        }
        guard !uids.isEmpty, !gids.isEmpty else {
            throw Failure(.document(at: pointer, "\"idmap=\" needs uids= and gids="))
        }
    }

    private static func ranges(_ text: Substring, at pointer: String) throws(Failure) -> [Range] {
        var ranges: [Range] = []
        for part in text.utf8.split(separator: UInt8(ascii: "#")) {
            let isRelative = part.first == UInt8(ascii: "@")
            let numbers = (isRelative ? part.dropFirst() : part)
                .split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
                .map { $0.first == UInt8(ascii: "+") ? nil : UInt32(Substring($0)) }
            guard numbers.count == 3, let inside = numbers[0], let outside = numbers[1],
                let size = numbers[2]
            else {
                throw Failure(
                    .document(at: pointer, "\"\(Substring(part))\" is no range like 0-1000-10"))
            }
            let mapping = IDMapping(containerID: inside, hostID: outside, size: size)
            if let reason = mapping.problem { throw Failure(.document(at: pointer, reason)) }
            ranges.append(Range(mapping: mapping, isRelative: isRelative))
        }
        return ranges
    }
}
