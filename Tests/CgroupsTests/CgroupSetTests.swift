import JSON
import Kernel
import Testing

@testable import Cgroups

struct `The cgroups of a container` {
    static let hybrid = CgroupLayout.parse(
        "6:freezer:/\n4:memory:/own\n3:cpu,cpuacct:/\n1:name=systemd:/user\n0::/\n", version: .v1
    ) { _, _ in true }
    static let v2 = CgroupLayout.parse("0::/user.slice/session.scope\n", version: .v2) { _, _ in true }

    private func paths(
        _ path: String, _ controllers: [String]? = nil, _ layout: CgroupLayout = hybrid
    ) throws(Failure) -> [String] {
        try CgroupSet.plan(path: path, controllers: controllers, layout: layout).directories.map(\.path)
    }

    @Test
    func `an absolute path lies below the root of every v1 hierarchy, cgroup2 left out on hybrid hosts`()
        throws
    {
        #expect(
            try paths("/mesos/x") == [
                "/sys/fs/cgroup/freezer/mesos/x", "/sys/fs/cgroup/memory/mesos/x",
                "/sys/fs/cgroup/cpu,cpuacct/mesos/x", "/sys/fs/cgroup/systemd/mesos/x",
            ])
    }

    @Test func `cgroup2 of a hybrid host takes the freezer's place where v1 has none`() throws {
        let layout = CgroupLayout.parse("4:memory:/\n0::/\n", version: .v1) { _, _ in true }
        #expect(
            try paths("/x", nil, layout) == ["/sys/fs/cgroup/unified/x", "/sys/fs/cgroup/memory/x"])
    }

    @Test func `cgroup2 of a hybrid host is joined for limits that v1 has no hierarchy for`() throws {
        func hierarchies(_ needs: [String], _ controllers: [String]? = nil) throws -> [String] {
            try CgroupSet.plan(path: "/x", controllers: controllers, needs: needs, layout: Self.hybrid)
                .directories.map(\.hierarchy)
        }
        #expect(try hierarchies(["hugetlb"]).prefix(2) == ["freezer", "unified"])
        #expect(try !hierarchies(["memory"]).contains("unified"))
        // Whoever names hierarchies gets those alone.
        #expect(try hierarchies(["hugetlb"], ["memory"]) == ["memory"])
    }

    @Test func `a relative path lies below the cgroup of this process, on v2 below that one's parent`() throws
    {
        #expect(
            try paths("x", ["memory", "freezer"]) == [
                "/sys/fs/cgroup/freezer/x", "/sys/fs/cgroup/memory/own/x",
            ])
        #expect(try paths("x", nil, Self.v2) == ["/sys/fs/cgroup/user.slice/x"])
    }

    @Test func `only the hierarchies asked for are taken, by controller or by name`() throws {
        #expect(
            try paths("/x", ["cpuacct", "systemd"]) == [
                "/sys/fs/cgroup/cpu,cpuacct/x", "/sys/fs/cgroup/systemd/x",
            ])
        #expect(try paths("/x", []) == [])
        #expect(try paths("/x", [], Self.v2) == ["/sys/fs/cgroup/x"])
    }

    @Test func `doubled and trailing slashes mean nothing`() throws {
        #expect(try paths("//a//b/", ["freezer"]) == ["/sys/fs/cgroup/freezer/a/b"])
    }

    // The mark makes one character of itself and the slash before it, to Swift but not to the kernel.
    @Test(arguments: [
        "", "/", "//", ".", "..", "/..", "/a/../b", "../x", "a/..", "/a/./b", "/../\u{301}x", "/a\u{0}b",
    ])
    func `a path that names no cgroup or leads elsewhere is refused`(path: String) {
        #expect(throws: Failure.self) { try paths(path) }
        #expect(throws: Failure.self) { try paths(path, nil, Self.v2) }
    }

    @Test func `a relative path outside of the cgroup namespace is refused`() {
        let outside = CgroupLayout.parse("4:memory:/../x\n", version: .v1) { _, _ in true }
        #expect(throws: Failure.self) { try paths("y", nil, outside) }
    }

    @Test func `a controller that no hierarchy has is refused by name`() {
        let failure = #expect(throws: Failure.self) { try paths("/x", ["memory", "rdma"]) }
        #expect(failure?.message == "no cgroup hierarchy with \"rdma\" is mounted")
    }

    @Test func `v2 translates the names of v1 controllers, and drops those it has built in`() throws {
        let set = try CgroupSet.plan(
            path: "/x", controllers: ["freezer", "blkio", "cpu", "cpuacct", "memory", "devices"],
            layout: Self.v2)
        #expect(set.controllers == ["io", "cpu", "memory"])
        #expect(throws: Failure.self) { try paths("/x", ["net_cls"], Self.v2) }
    }

    @Test func `what goes into the state record comes back the same`() throws {
        let set = try CgroupSet.plan(path: "/x", layout: Self.hybrid, owner: "/run/mrun/web")
        #expect(try CgroupSet(Cursor(set.json)) == set)
        let unified = try CgroupSet.plan(path: "/x", controllers: ["memory"], layout: Self.v2)
        #expect(try CgroupSet(Cursor(unified.json)) == unified)
    }

    @Test(arguments: ["/etc", "/sys/fs/cgroup", "/sys/fs/cgroup/../../etc", "relative"])
    func `a record that names anything but a cgroup is refused`(path: String) {
        let json = JSON.object(["version": 1, "directories": .object(["memory": .string(path)])])
        #expect(throws: Failure.self) { try CgroupSet(Cursor(json)) }
    }

    @Test func `a directory is found by controller, also on a shared mount`() throws {
        let set = try CgroupSet.plan(path: "/x", layout: Self.hybrid)
        #expect(set.directory(for: "cpuacct")?.hierarchy == "cpu,cpuacct")
        #expect(set.directory(for: "cpu,cpuacct")?.hierarchy == "cpu,cpuacct")
        #expect(set.directory(for: "pids") == nil)
    }
}
