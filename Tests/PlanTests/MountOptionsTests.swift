import Kernel
import OCI
import Plan
import Testing

private func options(_ words: String...) throws -> MountOptions {
    try MountOptions(words, at: "/mounts/3/options")
}

/// Word, bits that are set, bits that are cleared: MOUNT_ATTR_* of linux/mount.h.
private let attributes: [(String, UInt64, UInt64)] = [
    ("ro", 0x1, 0), ("rw", 0, 0x1), ("nosuid", 0x2, 0), ("suid", 0, 0x2), ("nodev", 0x4, 0), ("dev", 0, 0x4),
    ("noexec", 0x8, 0), ("exec", 0, 0x8), ("noatime", 0x10, 0x70), ("atime", 0, 0x70),
    ("strictatime", 0x20, 0x70), ("nostrictatime", 0, 0x70), ("relatime", 0, 0x70), ("norelatime", 0, 0x70),
    ("nodiratime", 0x80, 0), ("diratime", 0, 0x80), ("nosymfollow", 0x20_0000, 0),
    ("symfollow", 0, 0x20_0000),
]

struct MountOptionsTests {
    @Test(arguments: attributes)
    func `a word sets and clears its bits`(word: String, set: UInt64, clear: UInt64) throws {
        let options = try options(word)
        #expect(options.attributes.set == set)
        #expect(options.attributes.clear == clear)
        #expect(options.attributes.setRecursive == 0 && options.attributes.clearRecursive == 0)
        #expect(!options.bind && options.propagation == [] && options.parameters == [])
    }

    @Test(arguments: attributes)
    func `the same word with r in front is for everything below`(word: String, set: UInt64, clear: UInt64)
        throws
    {
        let options = try options("r" + word)
        #expect(options.attributes.setRecursive == set)
        #expect(options.attributes.clearRecursive == clear)
        #expect(options.attributes.set == 0 && options.attributes.clear == 0)
        #expect(options.parameters == [])
    }

    @Test(
        arguments: [
            (["ro", "rw"], 0, 1), (["rw", "ro"], 1, 0), (["nosuid", "ro", "suid"], 1, 2),
            (["exec", "noexec"], 8, 0),
            (["noatime", "strictatime"], 0x20, 0x70), (["strictatime", "noatime"], 0x10, 0x70),
            (["noatime", "relatime"], 0, 0x70), (["noatime", "atime"], 0, 0x70),
            (["relatime", "noatime"], 0x10, 0x70),
            (["ro", "nosuid", "nodev", "noexec"], 0xf, 0), (["ro", "ro"], 1, 0),
        ] as [([String], UInt64, UInt64)])
    func `of words that contradict each other the last counts`(words: [String], set: UInt64, clear: UInt64)
        throws
    {
        let options = try MountOptions(words, at: "")
        #expect(options.attributes.set == set)
        // A bit that is set may be cleared before: mount_setattr does it in this order.
        #expect(options.attributes.clear == clear)
    }

    @Test func `a word and its recursive form do not touch each other`() throws {
        let options = try options("rro", "rw", "rnosuid", "rsuid")
        #expect(options.attributes.setRecursive == 1 && options.attributes.clear == 1)
        #expect(options.attributes.clearRecursive == 2)
    }

    @Test(
        arguments: [
            ("private", 0x40000), ("slave", 0x80000), ("shared", 0x100000), ("unbindable", 0x20000),
            ("rprivate", 0x44000), ("rslave", 0x84000), ("rshared", 0x104000), ("runbindable", 0x24000),
        ] as [(String, UInt64)])
    func `a word of propagation has the bits of mount(2)`(word: String, flags: UInt64) throws {
        #expect(try options(word).propagation.map(\.flags) == [flags])
        #expect(MountPropagation(word: word)?.flags == flags)
        // One after the other, as mount(8) does: a slave can be made shared as well.
        #expect(try options("slave", word).propagation.map(\.flags) == [0x80000, flags])
    }

    @Test(arguments: ["", "Private", "rrprivate", "none", "ro"])
    func `any other word is no propagation`(word: String) {
        #expect(MountPropagation(word: word) == nil)
    }

    @Test(arguments: ["defaults", "loud", "iversion", "noiversion", "silent", ""])
    func `a word that changes nothing is dropped`(word: String) throws {
        #expect(try options(word) == options())
    }

    @Test(arguments: ["sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"])
    func `a flag of every file system is told from its parameters`(word: String) throws {
        let options = try options("a=1", word)
        #expect(options.flags == [word] && options.parameters == ["a=1"])
    }

    @Test func `words that stand for themselves`() throws {
        #expect(try options("remount").remount && !options("rro").remount)
        #expect(try options("tmpcopyup").copyUp && !options("rro").copyUp)
        #expect(try options("src-nofollow").links.followsSource == false)
        #expect(try options("dest-nofollow").links.followsTarget == false)
        #expect(try options("copy-symlink").links.copies)
        #expect(try options("ro").links == BindLinks())
    }

    @Test(arguments: [
        "size=64k", "mode=755", "newinstance", "lowerdir=/a:/b", "r", "RO", "rmode=1", "rsync", "idmapx",
    ])
    func `any other word is a parameter of the file system`(word: String) throws {
        #expect(try options("ro", word).parameters == [word])
    }

    @Test func `parameters keep their order, and may repeat`() throws {
        #expect(try options("b=1", "ro", "a=2", "b=1").parameters == ["b=1", "a=2", "b=1"])
    }

    @Test(
        arguments: [
            ("size=64k,mode=755", ["size=64k", "mode=755"]), (",,a,", ["a"]),
            (#"context="u:r:t:s0:c1,c2",size=1"#, ["context=u:r:t:s0:c1,c2", "size=1"]),
            (#"context="u:r:t:s0""#, ["context=u:r:t:s0"]), (#"lowerdir=/a\,b:/c"#, ["lowerdir=/a,b:/c"]),
            (#"context="open,end"#, ["context=open,end"]), (#"a\:b"#, [#"a\:b"#]),
        ] as [(String, [String])])
    func `one word can hold several parameters, as the data of mount(2) does`(word: String, want: [String])
        throws
    {
        #expect(try options(word).parameters == want)
    }
}

struct OwnerOptionTests {
    private func ranges(_ ranges: [OwnerOption.Range]) -> [String] {
        ranges.map {
            "\($0.isRelative ? "@" : "")\($0.mapping.containerID)-\($0.mapping.hostID)-\($0.mapping.size)"
        }
    }

    @Test func `idmap and ridmap ask for the entry's mappings, or the container's`() throws {
        let one = try #require(try options("idmap").owners)
        #expect(one.uids == [] && one.gids == [] && !one.recursive)
        #expect(try options("ridmap").owners?.recursive == true)
        #expect(try options("ridmap", "idmap").owners?.recursive == true)
        #expect(try options("ro").owners == nil)
    }

    @Test func `ranges are given in the option`() throws {
        let owners = try #require(
            try options("idmap=uids=0-1-10#@10-11-10;gids=0-100-4294967194").owners)
        #expect(ranges(owners.uids) == ["0-1-10", "@10-11-10"])
        #expect(ranges(owners.gids) == ["0-100-4294967194"])
    }

    @Test(arguments: [
        "", "uids=0-1-1", "gids=0-1-1", "uids=;gids=", "uids=0-1;gids=0-1-1", "uids=0-1-1-1;gids=0-1-1",
        "uids=0-1-0;gids=0-1-1", "uids=+0-1-1;gids=0-1-1", "uids=0--1-1;gids=0-1-1", "uids=a-1-1;gids=0-1-1",
        "uids=0-4294967295-1;gids=0-1-1", "uids=0-4294967296-1;gids=0-1-1", "pids=0-1-1",
        "uids=0-1-1,gids=0-1-1",
    ])
    func `anything else is refused with its place`(text: String) {
        let failure = #expect(throws: Failure.self) { try options("ro", "idmap=" + text) }
        #expect(failure?.message.hasPrefix("/mounts/3/options/1: ") == true)
    }
}
