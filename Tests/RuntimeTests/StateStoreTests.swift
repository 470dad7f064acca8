import Dispatch
import Glibc
import JSON
import Kernel
import OCI
import Synchronization
import Testing

@testable import Runtime

struct StateStoreTests {
    let here = TemporaryFolder()
    var store: Store { Store(root: here.path + "/run/mrun") }

    private func isThere(_ id: String) throws -> Bool { try store.find(id) != nil }

    private func message(_ body: () throws -> Void) -> String {
        (#expect(throws: Failure.self) { try body() })?.message ?? ""
    }

    @Test func `before the first container there is nothing`() throws {
        #expect(try store.ids() == [])
        #expect(try !isThere("web"))
        let isLocked = try store.findLocked("web") != nil
        #expect(!isLocked)
        #expect(try FileStatus.of(here.path + "/run") == nil)
    }

    @Test func `a container's folder is made with the root, whose inside is nobody else's business`() throws {
        let folder = try store.make("web")
        #expect(folder.path == store.root + "/web")
        #expect(try #require(try FileStatus.of(store.root)).mode & 0o777 == 0o700)
        #expect(try #require(try FileStatus.of(folder.path)).mode & 0o777 == 0o711)
        #expect(try isThere("web"))
    }

    @Test func `an id is given once`() throws {
        _ = try store.make("web")
        #expect(message { _ = try store.make("web") } == "container with given ID already exists: \"web\"")
        _ = try store.make("web2")
        #expect(try store.ids() == ["web", "web2"])
    }

    @Test func `of many who want one id, one gets it`() async throws {
        let root = store.root
        let made = Atomic(0)
        await withTaskGroup { group in
            for _ in 0..<16 {
                group.addTask {
                    guard (try? Store(root: root).make("web")) != nil else { return 0 }
                    return 1
                }
            }
            for await one in group { made.add(one, ordering: .relaxed) }
        }
        #expect(made.load(ordering: .relaxed) == 1)
    }

    @Test func `ids are sorted, and hidden names are none`() throws {
        for id in ["c", "a", "b"] { _ = try store.make(id) }
        _ = mkdir(store.root + "/.hidden", 0o700)
        #expect(try store.ids() == ["a", "b", "c"])
    }

    @Test func `a link in the place of a container is refused, and not followed`() throws {
        _ = try store.make("web")
        let elsewhere = here.folder("elsewhere")
        _ = symlink(elsewhere, store.root + "/link")
        _ = symlink(here.path + "/nowhere", store.root + "/dangling")
        for id in ["link", "dangling"] {
            let want = "\"\(store.root)/\(id)\" is no folder of a container"
            #expect(message { _ = try store.find(id) } == want)
            #expect(message { _ = try store.findLocked(id) } == want)
            #expect(message { _ = try store.make(id) }.hasPrefix("container with given ID already exists"))
        }
        #expect(try Files.names(inFolder: elsewhere) == [])
        #expect(try FileStatus.of(here.path + "/nowhere") == nil)
    }

    @Test func `a file in the place of a container is refused`() throws {
        _ = try store.make("web")
        close(creat(store.root + "/file", 0o600))
        #expect(
            message { _ = try store.find("file") } == "\"\(store.root)/file\" is no folder of a container")
    }

    @Test func `removing takes everything, also what was left half-made`() throws {
        let folder = try store.make("web")
        try folder.write(try someRecord())
        try folder.write("config.json", "{}")
        _ = symlink("[]", folder.path + "/cgroups")
        _ = mkfifo(folder.path + "/start.sock", 0o600)
        try folder.remove()
        #expect(try store.ids() == [])
        try folder.remove()
    }

    @Test func `removing a link takes the link alone`() throws {
        let precious = try here.file("precious", "text")
        let folder = try store.make("web")
        _ = symlink(precious, folder.path + "/exit")
        _ = symlink(precious, folder.path + "/state.json")
        try folder.remove()
        #expect(try here.text("precious") == "text")
        #expect(try !isThere("web"))
    }

    @Test func `who may not remove everything leaves the record`() throws {
        let folder = try store.make("web")
        try folder.write(try someRecord())
        _ = mkdir(folder.path + "/stubborn", 0o700)
        #expect(throws: Failure.self) { try folder.remove() }
        #expect(try folder.record() != nil)
        rmdir(folder.path + "/stubborn")
        try folder.remove()
        #expect(try !isThere("web"))
    }

    @Test func `a folder that holds other things is no container's, and loses nothing`() throws {
        let folder = try store.make("web")
        try folder.write(try someRecord())
        try folder.write("letter", "dear")
        let want = "\"\(folder.path)\" holds \"letter\": it is no folder of a container"
        #expect(message { try folder.remove() } == want)
        #expect(Set(try Files.names(in: folder.directory.raw)) == ["letter", "state.json"])
    }

    @Test func `unlinking what is not there is fine`() throws {
        try store.make("web").unlink("nothing")
    }
}

struct StateLockTests {
    let here = TemporaryFolder()
    var store: Store { Store(root: here.path + "/run") }

    @Test func `who makes a container holds its lock, and it goes with the folder`() throws {
        do {
            let folder = try store.make("web")
            let other = open(folder.path, O_RDONLY | O_DIRECTORY)
            #expect(flock(other, LOCK_EX | LOCK_NB) == -1)
            close(other)
        }
        let path = store.root + "/web"
        let other = open(path, O_RDONLY | O_DIRECTORY)
        #expect(flock(other, LOCK_EX | LOCK_NB) == 0)
        close(other)
    }

    /// What a second command finds, at work in a thread of its own.
    private final class Second: Sendable {
        private let answer: Mutex<String?> = Mutex(nil)

        init(_ root: String) {
            DispatchQueue(label: "second").async {
                let found = Second.find(root)
                self.answer.withLock { $0 = found }
            }
        }

        private static func find(_ root: String) -> String {
            do {
                guard let folder = try Store(root: root).findLocked("web") else { return "none" }
                return try Files.readIfPresent("mark", at: folder.directory.raw) ?? "unmarked"
            } catch { return "\(error)" }
        }

        var now: String? { answer.withLock { $0 } }

        func found() async throws -> String {
            while true {
                if let now { return now }
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// Waits until the folder is open twice: by its maker, and by the second command, which is then at the lock.
    private func waitForSecond(at path: String) async throws {
        func isWaiting() throws -> Bool {
            let open = try Files.names(inFolder: "/proc/self/fd").filter {
                (try? Files.link("/proc/self/fd/" + $0)) == path
            }
            return open.count == 2
        }
        while try !isWaiting() { try await Task.sleep(for: .milliseconds(1)) }
    }

    private static func drop(_ folder: consuming ContainerFolder) {}

    @Test(.timeLimit(.minutes(1))) func `a second command waits for the first`() async throws {
        let folder = try store.make("web")
        let second = Second(store.root)
        try await waitForSecond(at: folder.path)
        try await Task.sleep(for: .milliseconds(20))
        #expect(second.now == nil)
        StateLockTests.drop(folder)
        #expect(try await second.found() == "unmarked")
    }

    @Test(.timeLimit(.minutes(1))) func `who waited for a container that was deleted finds none`()
        async throws
    {
        let folder = try store.make("web")
        let second = Second(store.root)
        try await waitForSecond(at: folder.path)
        try folder.remove()
        StateLockTests.drop(folder)
        #expect(try await second.found() == "none")
    }

    @Test(.timeLimit(.minutes(1)))
    func `who waited for a container that was deleted finds the next one of that name`() async throws {
        let folder = try store.make("web")
        let second = Second(store.root)
        try await waitForSecond(at: folder.path)
        try folder.remove()
        _ = mkdir(store.root + "/web", 0o711)
        let next = try FileDescriptor.open(store.root + "/web")
        try Files.replace("mark", in: next.raw, with: "new", sync: false)
        #expect(try !folder.isInPlace(below: store.root))
        StateLockTests.drop(folder)
        #expect(try await second.found() == "new")
    }
}

struct StateFolderTests {
    let here = TemporaryFolder()

    private func make() throws -> ContainerFolder { try Store(root: here.path + "/run").make("web") }

    @Test func `a record is written and read`() throws {
        let folder = try make()
        #expect(try folder.record() == nil)
        var record = try someRecord()
        try folder.write(record)
        #expect(try folder.record() == record)
        record.phase = .created
        try folder.write(record)
        #expect(try folder.record() == record)
        #expect(try Files.names(in: folder.directory.raw) == ["state.json"])
        #expect(try #require(try FileStatus.of(folder.path + "/state.json")).mode & 0o777 == 0o600)
    }

    @Test(arguments: [
        "", "{", "null ", "[]", "{}", "{\"version\":1}", "{\"version\":1,\"version\":1}", "\u{0}",
    ])
    func `a damaged record is a failure that names the container`(text: String) throws {
        let folder = try make()
        try folder.write("state.json", text)
        let failure = #expect(throws: Failure.self) { _ = try folder.record() }
        #expect(failure?.message.hasPrefix("state of container \"web\": ") == true)
    }

    @Test(arguments: ["state.json", "exit"])
    func `a link that was planted for a file is not read`(name: String) throws {
        let folder = try make()
        _ = symlink(try here.file("planted", try someRecord().json.text()), folder.path + "/" + name)
        let failure = #expect(throws: Failure.self) {
            _ = name == "exit" ? try folder.exitRecord() == nil : try folder.record() == nil
        }
        #expect(failure?.errno == ELOOP)
    }

    @Test func `a link that was planted for the record is replaced`() throws {
        let folder = try make()
        let planted = try here.file("planted", "precious")
        _ = symlink(planted, folder.path + "/state.json")
        try folder.write(try someRecord())
        #expect(try here.text("planted") == "precious")
        #expect(try folder.record() != nil)
    }

    @Test func `the exit record is appended to, and made once`() throws {
        let folder = try make()
        #expect(try folder.exitRecord() == nil)
        let file = try folder.makeAppendable("exit")
        try file.write("started 5\n")
        lseek(file.raw, 0, SEEK_SET)
        try file.write("finished 9 0\n")
        #expect(try folder.exitRecord() == ExitRecord("started 5\nfinished 9 0\n"))
        #expect(throws: Failure.self) { _ = try folder.makeAppendable("exit") }
    }

    @Test func `of an exit record that has grown beyond reason the beginning is read`() throws {
        let folder = try make()
        let noise = String(repeating: "noise\n", count: 1000)
        try folder.write("exit", "started 5\n" + noise + "finished 9 0\n")
        #expect(try folder.exitRecord() == ExitRecord("started 5\n"))
    }

    @Test func `a path over procfs leads into the folder, and is short`() throws {
        let folder = try make()
        try folder.write("mark", "x")
        #expect(try Files.read(folder.procPath("mark")) == "x")
        #expect(folder.procPath("start.sock").utf8.count < 108)
    }
}

struct StatePidFileTests {
    let here = TemporaryFolder()

    @Test func `a pid file has the pid and no newline`() throws {
        try PidFile.write(4711, to: here.path + "/pid")
        #expect(try here.text("pid") == "4711")
        #expect(try #require(try FileStatus.of(here.path + "/pid")).mode & 0o777 == 0o644)
        try PidFile.write(5, to: here.path + "/pid")
        #expect(try here.text("pid") == "5")
        #expect(try Files.names(inFolder: here.path) == ["pid"])
    }

    @Test func `a link is replaced, its target untouched`() throws {
        _ = try here.file("precious", "text")
        here.link("pid", to: "precious")
        try PidFile.write(4711, to: here.path + "/pid")
        #expect(try here.text("precious") == "text")
        #expect(try #require(try FileStatus.of(here.path + "/pid")).isRegular)
    }

    @Test func `a relative path begins at the working directory`() throws {
        let name = "mrun-test-\(getpid()).pid"
        defer { unlink(name) }
        for path in [
            name, "./" + name,
            "../" + (try Files.workingDirectory().split(separator: "/").last ?? "") + "/" + name,
        ] {
            try PidFile.write(4711, to: path)
            #expect(try Files.read(name) == "4711")
            unlink(name)
        }
    }

    @Test func `a slash before a combining mark is a slash`() throws {
        try PidFile.write(4711, to: here.path + "/\u{301}pid")
        #expect(try Files.names(inFolder: here.path) == ["\u{301}pid"])
    }

    @Test func `a folder that is not there is a failure with its name`() {
        let failure = #expect(throws: Failure.self) { try PidFile.write(1, to: here.path + "/none/pid") }
        #expect(failure?.errno == ENOENT)
        #expect(failure?.message.contains("none") == true)
    }

    @Test func `a folder in the place of the file is a failure that leaves nothing`() throws {
        _ = here.folder("pid")
        let failure = #expect(throws: Failure.self) { try PidFile.write(1, to: here.path + "/pid") }
        #expect(failure?.message.hasPrefix("pid file \"\(here.path)/pid\": ") == true)
        #expect(try Files.names(inFolder: here.path) == ["pid"])
    }
}
