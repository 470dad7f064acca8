import Foundation
import Glibc
import Testing

@testable import Kernel

struct ReadRegularTests {
    let here = TemporaryFolder()

    private func refusal(_ path: String, limit: Int = 1 << 20) -> String {
        let failure = #expect(throws: Failure.self) { try Files.readRegular(path, limit: limit) }
        return failure?.message ?? ""
    }

    @Test(arguments: [0, 1, 8192, 8193, 100_000])
    func `a regular file is read whole`(size: Int) throws {
        let text = String(repeating: "x", count: size)
        #expect(try Files.readRegular(here.file("a", text)) == Array(text.utf8))
    }

    @Test func `a link to a regular file is followed`() throws {
        _ = try here.file("a", "text")
        try here.link("b", to: "a")
        #expect(try Files.readRegular(here.path + "/b") == Array("text".utf8))
    }

    @Test func `a FIFO is refused, and not waited for`() throws {
        let path = here.path + "/fifo"
        #expect(mkfifo(path, 0o600) == 0)
        #expect(refusal(path) == "\"\(path)\": not a regular file")
    }

    @Test(arguments: ["/", "/dev/zero", "/dev/null", "/dev/tty0"])
    func `a folder and a device are refused`(path: String) {
        guard access(path, F_OK) == 0 else { return }
        #expect(refusal(path).hasSuffix("\"\(path)\": not a regular file"))
    }

    @Test func `more bytes than the limit are refused, as many are read`() throws {
        let path = try here.file("a", String(repeating: "x", count: 10_000))
        #expect(try Files.readRegular(path, limit: 10_000).count == 10_000)
        #expect(refusal(path, limit: 9_999) == "\"\(path)\": more than 9999 bytes")
    }

    @Test func `a file of procfs that hides its size is read, up to the limit`() throws {
        #expect(try !Files.readRegular("/proc/self/status").isEmpty)
        #expect(refusal("/proc/self/status", limit: 10).hasSuffix("more than 10 bytes"))
    }

    @Test func `a missing file is the kernel's failure`() {
        let failure = #expect(throws: Failure.self) { try Files.readRegular(here.path + "/none") }
        #expect(failure?.errno == ENOENT)
    }
}

struct ReplaceTests {
    let here = TemporaryFolder()

    private func replace(_ name: String, with text: String, mode: UInt32 = 0o600) throws {
        let folder = try here.open()
        try Files.replace(name, in: folder.raw, with: text, mode: mode, sync: true)
    }

    @Test func `a file is made with its mode, and nothing else is left`() throws {
        try replace("a", with: "1", mode: 0o640)
        #expect(here.text("a") == "1")
        #expect(here.contents == ["a"])
        #expect(try #require(try FileStatus.of(here.path + "/a")).mode & 0o7777 == 0o640)
    }

    @Test func `who has the old file open keeps it`() throws {
        let old = try FileDescriptor.open(here.file("a", "old"))
        try replace("a", with: "new")
        #expect(try old.readAll() == Array("old".utf8))
        #expect(here.text("a") == "new")
    }

    @Test func `a symbolic link is replaced, its target untouched`() throws {
        _ = try here.file("target", "precious")
        try here.link("a", to: "target")
        try replace("a", with: "new")
        #expect(here.text("target") == "precious")
        #expect(here.text("a") == "new")
        #expect(try #require(try FileStatus.of(here.path + "/a")).isRegular)
    }

    @Test func `a link planted at the temporary name is not followed`() throws {
        _ = try here.file("target", "precious")
        try here.link(".a.\(getpid())", to: "target")
        #expect(throws: Failure.self) { try replace("a", with: "new") }
        #expect(here.text("target") == "precious")
        #expect(here.text("a") == nil)
    }

    @Test func `where it fails nothing is left behind`() throws {
        _ = try here.folder("a/b")
        let failure = #expect(throws: Failure.self) { try replace("a", with: "new") }
        #expect(failure?.message.hasPrefix("rename \"a\": ") == true)
        #expect(here.contents == ["a", "a/b"])
    }

    @Test func `a reader sees the old text or the new, never a part`() async throws {
        let long = [String(repeating: "a", count: 50_000), String(repeating: "b", count: 70_000)]
        try replace("a", with: long[0])
        let path = here.path
        async let torn = Task.detached {
            var torn = 0
            for _ in 0..<300 {
                let text = try Files.read(path + "/a")
                if !long.contains(text) { torn += 1 }
            }
            return torn
        }.value
        let folder = try here.open()
        for turn in 0..<300 { try Files.replace("a", in: folder.raw, with: long[turn % 2], sync: false) }
        #expect(try await torn == 0)
    }
}

struct FolderTests {
    let here = TemporaryFolder()

    @Test func `names are all names but the two that every folder has`() throws {
        let want = [".hidden", "a", "b c", "ü", "...", "line\nbreak"]
        for name in want { _ = try here.file(name) }
        let folder = try here.open()
        #expect(Set(try Files.names(in: folder.raw)) == Set(want))
        #expect(Set(try Files.names(inFolder: here.path)) == Set(want))
    }

    @Test func `a folder of many names is read whole, and again`() throws {
        let want = Set((0..<3000).map { "a-name-that-fills-the-buffer-\($0)" })
        for name in want { _ = try here.file(name) }
        let folder = try here.open()
        #expect(Set(try Files.names(in: folder.raw)) == want)
        #expect(Set(try Files.names(in: folder.raw)) == want)
    }

    @Test func `an empty folder and a missing one have no names`() throws {
        #expect(try Files.names(inFolder: here.path) == [])
        #expect(try Files.names(inFolder: here.path + "/none") == [])
    }

    @Test func `a folder that was removed while it was open has no names`() throws {
        let path = try here.folder("gone")
        let folder = try FileDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
        rmdir(path)
        #expect(try Files.names(in: folder.raw) == [])
    }

    @Test func `a file has no names`() throws {
        let path = try here.file("a")
        let failure = #expect(throws: Failure.self) { try Files.names(inFolder: path) }
        #expect(failure?.errno == ENOTDIR)
    }
}

struct TextFileTests {
    let here = TemporaryFolder()

    @Test func `a file that is not there is nil, or a failure for who needs it`() throws {
        #expect(try Files.readIfPresent(here.path + "/none") == nil)
        let failure = #expect(throws: Failure.self) { try Files.read(here.path + "/none") }
        #expect(failure?.errno == ENOENT)
    }

    @Test func `writing makes no file`() throws {
        #expect(throws: Failure.self) { try Files.write("1", to: here.path + "/none") }
        #expect(here.contents == [])
        try Files.write("1", to: here.file("a"))
        #expect(try Files.read(here.path + "/a") == "1")
    }

    @Test func `a failed write tells the text and the file`() {
        let failure = #expect(throws: Failure.self) { try Files.write("1", to: "/dev/full") }
        #expect(failure?.message == "write \"1\" to \"/dev/full\": write: No space left on device")
    }

    @Test func `the target of a link is read, not followed`() throws {
        try here.link("a", to: "/no/where")
        #expect(try Files.link(here.path + "/a") == "/no/where")
        #expect(throws: Failure.self) { try Files.link(here.path) }
    }

    @Test(arguments: [
        ("/", "/"), ("/a", "/a"), ("//a//b/", "/a/b"), ("/./a/.", "/a"), ("/a/../b", "/a/../b"),
    ])
    func `an absolute path loses its empty steps and keeps the ones upwards`(path: String, want: String)
        throws
    {
        #expect(try Files.absolute(path) == want)
    }

    @Test(arguments: ["a", "./a", "a/", ".//a"])
    func `a relative path begins at the working directory`(path: String) throws {
        #expect(try Files.absolute(path) == FileManager.default.currentDirectoryPath + "/a")
    }

    @Test func `a slash before a combining mark is a slash`() throws {
        #expect(try Files.absolute("/a/./\u{301}b") == "/a/\u{301}b")
    }
}

struct FileDescriptorTests {
    @Test func `every descriptor is close-on-exec`() throws {
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_STREAM.rawValue))
        let one = FileDescriptor(adopting: pair.0)
        let two = FileDescriptor(adopting: pair.1)
        let file = try FileDescriptor.open("/dev/null")
        let copy = try file.duplicate()
        let memory = try FileDescriptor.memory(named: "test", executable: false)
        for raw in [one.raw, two.raw, file.raw, copy.raw, memory.raw] {
            #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
        }
        try copy.inherit()
        #expect(fcntl(copy.raw, F_GETFD) == 0)
    }

    @Test func `a descriptor is closed with its value, unless it was given away`() throws {
        let raw: Int32
        do {
            let file = try FileDescriptor.open("/dev/null")
            raw = try file.duplicate().release()
        }
        #expect(fcntl(raw, F_GETFD) == FD_CLOEXEC)
        close(raw)
    }

    @Test(arguments: [true, false])
    func `a sealed memory file takes no more bytes`(executable: Bool) throws {
        let file = try FileDescriptor.memory(named: "test", executable: executable)
        try file.write("sealed")
        try file.seal()
        let failure = #expect(throws: Failure.self) { try file.write("more") }
        #expect(failure?.errno == EPERM)
        #expect(ftruncate(file.raw, 0) == -1)
        #expect(try file.status().size == 6)
    }

    @Test func `the kind of a file is told`() throws {
        #expect(try FileDescriptor.open("/").status().isDirectory)
        let null = try FileDescriptor.open("/dev/null").status()
        #expect(null.isCharacterDevice && null.deviceNumber == DeviceNumber(major: 1, minor: 3))
        #expect(try FileStatus.of("/proc/self")?.isSymbolicLink == true)
        #expect(try FileStatus.of("/no/such/file") == nil)
        #expect(try FileStatus.of("/dev/null/below") == nil)
    }

    @Test func `a missing file may be nil, another failure may not`() throws {
        let isThere = try FileDescriptor.openIfPresent("/no/such/file") != nil
        #expect(!isThere)
        let failure = #expect(throws: Failure.self) { _ = try FileDescriptor.openIfPresent("/dev/null/x") }
        #expect(failure?.errno == ENOTDIR)
    }
}
