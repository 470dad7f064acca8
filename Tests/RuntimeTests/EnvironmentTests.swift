import Glibc
import JSON
import Kernel
import OCI
import Testing

@testable import Runtime

func decode(_ text: String) throws -> Spec { try Spec(Cursor(JSON.parse(Array(text.utf8)))) }

struct EnvironmentTests {
    private func complete(_ env: [String], uid: UInt32 = 4_000_000_000) throws -> [String] {
        var process = ProcessSpec(args: ["sh"], cwd: "/")
        process.env = env
        process.user.uid = uid
        return try Environment.complete(process)
    }

    @Test(arguments: [
        (["A=1", "B=2", "A=3"], ["A=3", "B=2"]), (["A=1", "A=1"], ["A=1"]), (["A=", "A"], ["A"]),
        (["A=b=c", "A=d=e"], ["A=d=e"]), (["AB=1", "A=2"], ["AB=1", "A=2"]),
        (["a=1", "A=2"], ["a=1", "A=2"]),
        (["\u{e9}=1", "e\u{301}=2"], ["\u{e9}=1", "e\u{301}=2"]), (["A=\u{301}", "A=2"], ["A=2"]),
    ])
    func `of a name given twice the last value counts, at the first place`(env: [String], want: [String])
        throws
    {
        let complete = try complete(["HOME=/h"] + env)
        #expect(complete.map { Array($0.utf8) } == (["HOME=/h"] + want).map { Array($0.utf8) })
    }

    @Test func `a home that is given stays`() throws {
        #expect(try complete(["HOME=/h", "A=1"], uid: 0) == ["HOME=/h", "A=1"])
        #expect(try complete(["HOME=", "HOME=/h"], uid: 0) == ["HOME=/h"])
    }

    @Test func `a missing or empty home is the user's, from the passwd file`() throws {
        let root = try #require(
            try Files.read("/etc/passwd").split(separator: "\n").first { $0.hasPrefix("root:") })
        let want = "HOME=" + root.split(separator: ":", omittingEmptySubsequences: false)[5]
        #expect(try complete(["A=1"], uid: 0) == ["A=1", want])
        #expect(try complete(["HOME=", "A=1"], uid: 0) == [want, "A=1"])
        #expect(try complete([], uid: 0) == [want])
    }

    @Test func `a user who is not in the passwd file is at home in the root`() throws {
        #expect(try complete([]) == ["HOME=/"])
    }

    @Test func `nothing of mrun's own environment gets in`() throws {
        setenv("MRUN_TEST_SECRET", "1", 1)
        #expect(try complete(["HOME=/"]) == ["HOME=/"])
    }
}

struct LookupTests {
    let here = TemporaryFolder()

    init() throws {
        _ = here.folder("one")
        _ = here.folder("two")
        _ = try here.file("one/plain", "")
        _ = try here.file("two/tool", "", mode: 0o755)
        _ = try here.file("two/plain", "", mode: 0o755)
        _ = here.folder("one/folder")
        here.link("one/linked", to: "../two/tool")
        here.link("one/dangling", to: "nowhere")
        _ = try here.file("work", "", mode: 0o755)
    }

    private func find(_ name: String, path: String? = nil, named: String? = nil) throws -> String {
        var process = ProcessSpec(args: [name], cwd: here.path)
        let folders = path ?? "\(here.path)/none:\(here.path)/one:\(here.path)/two"
        process.env = ["PATH=/wrong", "PATH=" + folders]
        return try ExecutableLookup(process: process, named: named).find()
    }

    private func failure(_ name: String, path: String? = nil, named: String? = nil) -> Failure? {
        #expect(throws: Failure.self) { try find(name, path: path, named: named) }
    }

    @Test func `a name is looked for in the folders of the last PATH, and links are followed`() throws {
        #expect(try find("tool") == here.path + "/two/tool")
        #expect(try find("linked") == here.path + "/one/linked")
    }

    @Test func `what may not be executed is passed over`() throws {
        #expect(try find("plain") == here.path + "/two/plain")
    }

    @Test(arguments: ["", ":/x", "/x:", "/x::/y"])
    func `an empty folder in PATH is the working directory`(path: String) throws {
        #expect(try find("work", path: path) == here.path + "/work")
    }

    @Test(arguments: ["none", "dangling", "tool2"])
    func `what is nowhere is not found, with the status of shells`(name: String) {
        #expect(failure(name)?.message == "exec: \"\(name)\": executable file not found in $PATH")
        #expect(failure(name)?.exitStatus == 127)
    }

    @Test func `what is there but may not be executed is denied, with the status of shells`() throws {
        let denied = failure("plain", path: here.path + "/one")
        #expect(denied?.message == "exec: \"plain\": permission denied")
        #expect(denied?.exitStatus == 126)
        #expect(failure("folder")?.exitStatus == 126)
        #expect(try find("work", path: "/x:\u{301}:") == here.path + "/work")
    }

    @Test func `a name with a slash is no search`() throws {
        #expect(try find(here.path + "/two/tool") == here.path + "/two/tool")
        #expect(try find("two/tool") == "two/tool")
        #expect(try find("./work") == "./work")
        #expect(failure("./tool")?.exitStatus == 127)
        #expect(failure("./tool")?.message == "exec: \"./tool\": no such file or directory")
        #expect(failure("one/plain")?.exitStatus == 126)
        #expect(failure("/")?.exitStatus == 126)
        #expect(failure("work/x")?.exitStatus == 127)
    }

    @Test func `a named executable is looked for in the working directory first, then in PATH`() throws {
        #expect(try find("zero", named: "work") == here.path + "/work")
        #expect(try find("zero", named: "tool") == here.path + "/two/tool")
        #expect(try find("zero", named: here.path + "/two/tool") == here.path + "/two/tool")
        #expect(failure("tool", named: "none")?.message.hasPrefix("exec: \"none\": ") == true)
    }
}
