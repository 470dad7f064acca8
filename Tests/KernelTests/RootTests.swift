import Foundation
import Glibc
import Testing

@testable import Kernel

/// A root next to a folder that nothing may reach.
private struct Scene {
    let here = TemporaryFolder()

    init() throws {
        _ = try here.folder("root/inner")
        _ = try here.folder("outside")
        _ = try here.file("outside/secret", "outside")
        _ = try here.file("root/file", "inside")
    }

    var outside: String { here.path + "/outside" }

    func root() throws -> Root {
        Root(adopting: try FileDescriptor.open(here.path + "/root", flags: O_PATH | O_DIRECTORY))
    }

    func read(_ path: String, links: Root.Links = .inside) throws -> String {
        let file = try root().open(path, flags: O_RDONLY, links: links)
        return String(decoding: try file.readAll(), as: UTF8.self)
    }

    func errno(_ path: String, links: Root.Links = .inside) -> Int32? {
        let failure = #expect(throws: Failure.self) { _ = try root().open(path, links: links) }
        return failure?.errno
    }

    /// What lies outside of the root; nothing may ever change it.
    var beyond: [String] { here.contents.filter { !$0.hasPrefix("root") } }
    static let untouched = ["outside", "outside/secret"]
}

struct RootOpenTests {
    private let scene: Scene

    init() throws { scene = try Scene() }

    @Test(arguments: ["/file", "file", "//file", "/./file", "/inner/../file", "/../file", "/../../../file"])
    func `a path leads to what is inside`(path: String) throws {
        #expect(try scene.read(path) == "inside")
    }

    @Test(arguments: ["/../outside/secret", "/inner/../../outside/secret", "/../root/file"])
    func `steps upwards end at the root`(path: String) {
        #expect(scene.errno(path) == ENOENT)
    }

    @Test func `an absolute link begins at the root`() throws {
        try scene.here.link("root/link", to: "/file")
        try scene.here.link("root/inner/link", to: "/inner")
        #expect(try scene.read("/link") == "inside")
        #expect(try scene.read("/inner/link/link/../file") == "inside")
    }

    @Test func `an absolute link to the outside finds nothing`() throws {
        try scene.here.link("root/link", to: scene.outside + "/secret")
        try scene.here.link("root/folder", to: scene.outside)
        #expect(scene.errno("/link") == ENOENT)
        #expect(scene.errno("/folder/secret") == ENOENT)
    }

    @Test(arguments: ["../outside/secret", "../../../../../../outside/secret", "inner/../../outside/secret"])
    func `a relative link to the outside finds nothing`(target: String) throws {
        try scene.here.link("root/link", to: target)
        #expect(scene.errno("/link") == ENOENT)
    }

    @Test(arguments: ["/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/self/root/etc"])
    func `a magic link is refused`(path: String) throws {
        let root = Root(adopting: try FileDescriptor.open("/", flags: O_PATH | O_DIRECTORY))
        let failure = #expect(throws: Failure.self) { _ = try root.open(path) }
        #expect(failure?.errno == ELOOP)
        _ = try root.open("/proc/self/status")
    }

    @Test(arguments: ["/link", "/folder/file", "/file/../link"])
    func `where no links are allowed, none is followed`(path: String) throws {
        try scene.here.link("root/link", to: "file")
        try scene.here.link("root/folder", to: ".")
        #expect(scene.errno(path, links: .none).map { [ELOOP, ENOTDIR].contains($0) } == true)
        #expect(try scene.read("/file", links: .none) == "inside")
    }

    @Test func `what is not there may be nil, also below a file`() throws {
        for path in ["/none", "/none/x", "/file/x"] {
            let isThere = try scene.root().openIfPresent(path) != nil
            #expect(!isThere)
        }
        let isThere = try scene.root().openIfPresent("/file") != nil
        #expect(isThere)
        try scene.here.link("root/loop", to: "loop")
        #expect(throws: Failure.self) { _ = try scene.root().openIfPresent("/loop") }
    }

    @Test func `a failure names the path and the root`() {
        let failure = #expect(throws: Failure.self) { _ = try scene.root().open("/none") }
        #expect(failure?.message == "open \"/none\" in the root: No such file or directory")
    }
}

struct MountPointTests {
    private let scene: Scene

    init() throws { scene = try Scene() }

    /// Inode of the place, to compare with what a path of the host leads to.
    private func inode(_ path: String, directory: Bool = true, links: Root.Links = .inside) throws -> UInt64 {
        try scene.root().mountPoint(path, directory: directory, links: links).status().inode
    }

    private func inode(ofHost path: String) throws -> UInt64 {
        try #require(try FileStatus.of(scene.here.path + "/root" + path)).inode
    }

    @Test(arguments: ["/a", "/a/b/c", "/inner/x", "/inner", "/"])
    func `a folder is made with all folders on the way, or taken as it is`(path: String) throws {
        #expect(try inode(path) == inode(ofHost: path))
        #expect(try #require(try FileStatus.of(scene.here.path + "/root" + path)).isDirectory)
    }

    @Test(arguments: ["/a", "/a/b/c", "/inner/x"])
    func `a file is made empty`(path: String) throws {
        #expect(try inode(path, directory: false) == inode(ofHost: path))
        #expect(scene.here.text("root" + path) == "")
    }

    @Test func `a file that is there keeps its text`() throws {
        #expect(try inode("/file", directory: false) == inode(ofHost: "/file"))
        #expect(scene.here.text("root/file") == "inside")
    }

    @Test func `a folder through a link is made where the link leads inside`() throws {
        try scene.here.link("root/link", to: "/inner")
        #expect(try inode("/link/a/b") == inode(ofHost: "/inner/a/b"))
    }

    @Test(arguments: [true, false])
    func `links to the outside lead to places inside`(directory: Bool) throws {
        try scene.here.link("root/absolute", to: scene.outside)
        try scene.here.link("root/relative", to: "../../outside")
        try scene.here.link("root/inner/chain", to: "../absolute/x/../y")
        for (path, target) in [
            ("/absolute/x", scene.outside + "/x"), ("/absolute/z/y", scene.outside + "/z/y"),
            ("/relative/x", "/outside/x"), ("/inner/chain", scene.outside + "/y"),
        ] {
            #expect(try inode(path, directory: directory) == inode(ofHost: target))
        }
        #expect(scene.beyond == Scene.untouched)
    }

    @Test(arguments: [true, false])
    func `a dangling link leads to a new place inside, and makes nothing outside`(directory: Bool) throws {
        try scene.here.link("root/absolute", to: scene.outside + "/new")
        try scene.here.link("root/relative", to: "../outside/new2")
        try scene.here.link("root/inner/dangling", to: "nowhere")
        for (path, target) in [
            ("/absolute", scene.outside + "/new"), ("/relative", "/outside/new2"),
            ("/inner/dangling", "/inner/nowhere"),
        ] {
            #expect(try inode(path, directory: directory) == inode(ofHost: target))
        }
        #expect(scene.beyond == Scene.untouched)
    }

    @Test func `a circle of links leads nowhere`() throws {
        try scene.here.link("root/a", to: "b")
        try scene.here.link("root/b", to: "/a")
        for path in ["/a", "/a/x"] {
            let failure = #expect(throws: Failure.self) { _ = try inode(path) }
            #expect(failure?.errno == ELOOP)
        }
    }

    @Test(
        arguments: [
            "/../\u{301}x", "/link/\u{301}x", "/link/\u{301}x/y", "/../\u{301}x/y", "/../outside/\u{301}x",
        ], [true, false])
    func `a slash before a combining mark is a slash, and leads nowhere else`(path: String, directory: Bool)
        throws
    {
        try scene.here.link("root/link", to: scene.outside)
        _ = try? inode(path, directory: directory)
        #expect(scene.beyond == Scene.untouched)
    }

    @Test func `where no links are allowed, nothing is made behind one`() throws {
        try scene.here.link("root/proc", to: "/inner")
        #expect(throws: Failure.self) { _ = try inode("/proc", links: .none) }
        #expect(throws: Failure.self) { _ = try inode("/proc/a", links: .none) }
        #expect(!scene.here.contents.contains("root/inner/a"))
        #expect(try inode("/inner/b", links: .none) == inode(ofHost: "/inner/b"))
    }

    @Test func `a file is no folder`() throws {
        let failure = #expect(throws: Failure.self) { _ = try inode("/file") }
        #expect(failure?.errno == ENOTDIR)
        #expect(throws: Failure.self) { _ = try inode("/file/x") }
    }
}

struct FolderEntryTests {
    private let scene: Scene

    init() throws { scene = try Scene() }

    @Test func `the folder of a path is made, and the last step is a name in it`() throws {
        let entry = try scene.root().folder(of: "/dev/x/null")
        #expect(entry.name == "null")
        #expect(scene.here.contents.contains("root/dev/x"))
        #expect(throws: Failure.self) { _ = try scene.root().folder(of: "/") }
    }

    @Test(arguments: ["/../\u{301}null", "/link/\u{301}null"])
    func `no device is made through a slash that is hidden in a character`(path: String) throws {
        try scene.here.link("root/link", to: scene.outside)
        do { try scene.root().folder(of: path).makeLink(to: "x") } catch {}
        #expect(scene.beyond == Scene.untouched)
    }

    @Test func `a link is made, unless something has the name`() throws {
        let root = try scene.root()
        try root.folder(of: "/dev/fd").makeLink(to: "/proc/self/fd")
        #expect(try Files.link(scene.here.path + "/root/dev/fd") == "/proc/self/fd")
        try root.folder(of: "/dev/fd").makeLink(to: "/elsewhere")
        #expect(try Files.link(scene.here.path + "/root/dev/fd") == "/proc/self/fd")
        try root.folder(of: "/file").makeLink(to: "/elsewhere")
        #expect(scene.here.text("root/file") == "inside")
    }

    @Test(.enabled(if: geteuid() == 0)) func `a device is made once, and must then be the same`() throws {
        let (null, zero) = (DeviceNumber(major: 1, minor: 3), DeviceNumber(major: 1, minor: 5))
        let mode = UInt32(S_IFCHR) | 0o600
        let entry = try scene.root().folder(of: "/dev/null")
        try entry.makeNode(mode: mode, device: null, uid: 7, gid: 8)
        let status = try #require(try FileStatus.of(scene.here.path + "/root/dev/null"))
        #expect(status.mode == mode && status.deviceNumber == null && status.uid == 7 && status.gid == 8)
        try entry.makeNode(mode: mode, device: null, uid: 0, gid: 0)
        #expect(throws: Failure.self) { try entry.makeNode(mode: mode, device: zero, uid: 0, gid: 0) }
        let block = UInt32(S_IFBLK) | 0o600
        #expect(throws: Failure.self) { try entry.makeNode(mode: block, device: null, uid: 0, gid: 0) }
    }

    @Test(.enabled(if: geteuid() == 0)) func `a link that has the name of a device is refused`() throws {
        try scene.here.link("root/null", to: "/dev/null")
        let entry = try scene.root().folder(of: "/null")
        let failure = #expect(throws: Failure.self) {
            try entry.makeNode(
                mode: UInt32(S_IFCHR) | 0o600, device: DeviceNumber(major: 1, minor: 3), uid: 0, gid: 0)
        }
        #expect(failure?.message == "\"null\" is there already, and is another file")
    }
}
