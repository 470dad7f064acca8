import Kernel
import Testing

@testable import Cgroups

private let v1 = CgroupSet(
    version: .v1,
    directories: [
        .init(hierarchy: "freezer", path: "/sys/fs/cgroup/freezer/c"),
        .init(hierarchy: "cpu,cpuacct", path: "/sys/fs/cgroup/cpu,cpuacct/c"),
        .init(hierarchy: "memory", path: "/sys/fs/cgroup/memory/c"),
    ], owner: "o")
private let v2 = CgroupSet(
    version: .v2, directories: [.init(hierarchy: "unified", path: "/sys/fs/cgroup/c")], owner: "o")

struct `Cgroups below a container's` {
    private func paths(_ set: CgroupSet, _ arguments: String...) throws -> [String] {
        let below = try set.below(arguments)
        #expect(below.owner == set.owner && below.version == set.version)
        #expect(below.directories.map(\.hierarchy) == set.directories.map(\.hierarchy))
        return below.directories.map(\.path)
    }

    @Test func `without arguments they are the container's`() throws {
        #expect(try v1.below([]) == v1)
        #expect(try v2.below([]) == v2)
    }

    @Test(arguments: ["a/b", "/a/b", "/a//b/", "./a/./b", "a/b/."])
    func `one path is for all hierarchies`(path: String) throws {
        #expect(try paths(v1, path).allSatisfy { $0.hasSuffix("/c/a/b") })
        #expect(try paths(v2, path) == ["/sys/fs/cgroup/c/a/b"])
    }

    @Test(arguments: ["", "/", "."])
    func `a path that adds nothing is the container's own`(path: String) throws {
        #expect(try v1.below([path]) == v1)
        #expect(try v2.below([path]) == v2)
    }

    @Test func `a controller's path is for its hierarchy alone`() throws {
        #expect(
            try paths(v1, "memory:x", "cpuacct:/y") == [
                "/sys/fs/cgroup/freezer/c", "/sys/fs/cgroup/cpu,cpuacct/c/y", "/sys/fs/cgroup/memory/c/x",
            ])
        #expect(try paths(v1, "memory,freezer:x")[1] == "/sys/fs/cgroup/cpu,cpuacct/c")
        #expect(try paths(v1, "cpu,cpuacct:x")[1] == "/sys/fs/cgroup/cpu,cpuacct/c/x")
        #expect(try paths(v1, "memory:a:b")[2] == "/sys/fs/cgroup/memory/c/a:b")
    }

    @Test(
        arguments: [
            (["nosuch:/"], "unknown controller nosuch in SubCgroupPaths"),
            (["pids:/"], "unknown controller pids in SubCgroupPaths"),
            (["a", "b"], "invalid --cgroup argument: a (missing <controller>: prefix)"),
            (["memory:a", "b"], "invalid --cgroup argument: b (missing <controller>: prefix)"),
            ([":a"], "invalid --cgroup argument: :a (empty <controller> prefix)"),
            (["memory,:a"], "invalid --cgroup argument: memory,:a (empty <controller> prefix)"),
            (
                ["memory:a", "memory:b"],
                "invalid --cgroup argument(s): controller memory specified multiple times"
            ),
            (
                ["cpu:a", "cpuacct:b"],
                "invalid --cgroup argument(s): controller cpuacct specified multiple times"
            ),
            ([".."], "bad sub cgroup path: .."), (["a/../b"], "bad sub cgroup path: a/../b"),
            (["memory:../x"], "bad sub cgroup path: ../x"),
            (["/\u{301}/../.."], "bad sub cgroup path: /\u{301}/../.."),
        ] as [([String], String)])
    func `what leads elsewhere is refused`(arguments: [String], want: String) {
        let failure = #expect(throws: Failure.self) { try v1.below(arguments) }
        #expect(failure?.message == want)
    }

    @Test func `v2 has no controllers to choose from`() {
        let failure = #expect(throws: Failure.self) { try v2.below(["memory:a"]) }
        #expect(failure?.message == "unknown controller memory in SubCgroupPaths")
    }
}
