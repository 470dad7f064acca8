import Testing

@testable import Cgroups

struct `The layout of a host` {
    private func names(_ text: String, _ version: CgroupLayout.Version, missing: Set<String> = []) -> [String]
    {
        CgroupLayout.parse(text, version: version) { mount, _ in !missing.contains(mount) }.hierarchies
            .map { "\($0.name)@\($0.mount)=\($0.own)" }
    }

    @Test func `v1 has a hierarchy for each line, the freezer first`() {
        let text = "9:name=systemd:/init.scope\n6:freezer:/\n4:memory:/a/b\n"
        #expect(
            names(text, .v1) == [
                "freezer@/sys/fs/cgroup/freezer=/", "systemd@/sys/fs/cgroup/systemd=/init.scope",
                "memory@/sys/fs/cgroup/memory=/a/b",
            ])
    }

    @Test func `a hybrid host has cgroup2 in a folder beside v1, second after the freezer`() {
        let text = "4:memory:/\n6:freezer:/\n0::/x\n"
        #expect(
            names(text, .v1) == [
                "freezer@/sys/fs/cgroup/freezer=/", "unified@/sys/fs/cgroup/unified=/x",
                "memory@/sys/fs/cgroup/memory=/",
            ])
    }

    @Test func `v2 has one hierarchy, and v1 lines without a mount do not count`() {
        #expect(names("1:name=systemd:/\n0::/user.slice\n", .v2) == ["unified@/sys/fs/cgroup=/user.slice"])
    }

    @Test func `a hierarchy that is listed but not mounted is left out`() {
        let missing: Set = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"]
        #expect(
            names("4:memory:/\n6:pids:/\n0::/\n", .v1, missing: missing) == ["pids@/sys/fs/cgroup/pids=/"])
    }

    @Test(arguments: ["cpu,cpuacct", "cpuacct,cpu", "cpu", "cpuacct"])
    func `controllers on one mount are found under both names, in either order, or one of them`(
        folder: String
    ) {
        let layout = CgroupLayout.parse("3:cpu,cpuacct:/\n", version: .v1) { mount, isUnified in
            mount == "/sys/fs/cgroup/\(folder)" && !isUnified
        }
        #expect(
            layout.hierarchies == [
                CgroupLayout.Hierarchy(
                    name: "cpu,cpuacct", controllers: ["cpu", "cpuacct"], mount: "/sys/fs/cgroup/\(folder)",
                    own: "/")
            ])
    }

    @Test func `a path may hold colons, and a broken line is skipped`() {
        #expect(names("nonsense\n4:memory:/a:b:c\n", .v1) == ["memory@/sys/fs/cgroup/memory=/a:b:c"])
    }
}
