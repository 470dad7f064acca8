import Kernel
import OCI
import Testing

@testable import Plan

struct PhaseTests {
    @Test func `operations come in the order of the phases, whatever order they were added in`() {
        var plan = Plan()
        for phase in Phase.allCases.reversed() { plan.add(.mask("\(phase)"), in: phase) }
        #expect(plan.ordered == Phase.allCases.map { .mask("\($0)") })
    }

    @Test func `within a phase they keep the order in which they were added`() {
        var plan = Plan()
        for name in ["c", "a", "b"] { plan.add(.readOnly(name), in: .readOnly) }
        plan.add(.readOnlyRoot, in: .mounts)
        #expect(plan.ordered == [.readOnlyRoot, .readOnly("c"), .readOnly("a"), .readOnly("b")])
    }

    @Test func `the phases are in the one order that works`() {
        #expect(
            Phase.allCases == [
                .isolation, .root, .mounts, .devices, .links, .workingDirectory, .sysctls, .hooks, .masks,
                .readOnly, .pivot,
                .names,
            ])
        #expect(Phase.allCases.map(\.rawValue) == Array(0..<Phase.allCases.count))
    }
}

/// The failures of the planner, in one line.
func refusal(_ spec: Spec, rootfs: String = "/rootfs") -> String {
    do throws(Failure) {
        _ = try Planner.plan(for: spec, rootfs: rootfs, bundle: "/bundle")
        Issue.record("it was planned")
        return ""
    } catch { return error.message }
}

func refusal(mounting mounts: MountSpec...) -> String {
    var spec = Spec()
    spec.mounts = mounts
    return refusal(spec)
}

/// What is planned for the mounts alone.
func planned(_ mounts: MountSpec...) throws -> [Operation] {
    var spec = Spec()
    spec.mounts = mounts
    return try Planner.plan(for: spec, rootfs: "/", bundle: "/bundle").ordered.filter {
        switch $0 {
        case .mount, .bind, .cgroups: true
        default: false
        }
    }
}

private let devices: [(String, UInt32, UInt32)] = [
    ("/dev/null", 1, 3), ("/dev/zero", 1, 5), ("/dev/full", 1, 7), ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9), ("/dev/tty", 5, 0),
]

private let links: [(String, String)] = [
    ("/dev/fd", "/proc/self/fd"), ("/dev/stdin", "/proc/self/fd/0"), ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"), ("/dev/ptmx", "pts/ptmx"),
]

private func propagation(_ word: String) throws -> MountPropagation {
    try #require(MountPropagation(word: word))
}

struct PlannerTests {
    @Test func `a root file system of its own is bound, gets devices and links, and becomes the root`() throws
    {
        let plan = try Planner.plan(for: Spec(), rootfs: "/rootfs", bundle: "/bundle")
        var want: [Operation] = [.propagation(try propagation("rslave")), .bindRoot("/rootfs")]
        want += devices.map { .device(DeviceSpec(path: $0.0, major: $0.1, minor: $0.2)) }
        want += links.map { .link(path: $0.0, target: $0.1) }
        #expect(plan.ordered == want + [.pivot])
    }

    @Test func `the host's root is shared: nothing is made in it, and nothing pivots`() throws {
        let plan = try Planner.plan(for: Spec(), rootfs: "/", bundle: "/bundle")
        #expect(plan.ordered == [.propagation(try propagation("rslave")), .shareRoot])
    }

    @Test
    func
        `a terminal comes after the links and before the root is read-only; in the host's root no file is made`()
        throws
    {
        var spec = Spec()
        spec.root = RootSpec(path: "rootfs", readonly: true)
        spec.process = ProcessSpec(args: ["true"], cwd: "/")
        #expect(try !Planner.plan(for: spec, rootfs: "/r", bundle: "/b").ordered.contains { isTerminal($0) })
        spec.process?.terminal = true
        let plan = try Planner.plan(for: spec, rootfs: "/r", bundle: "/b").ordered
        let last: [Operation] = [
            .link(path: "/dev/ptmx", target: "pts/ptmx"), .terminal(makesConsole: true), .readOnlyRoot,
            .pivot,
        ]
        #expect(Array(plan.suffix(4)) == last)
        spec.root = RootSpec(path: "/")
        #expect(
            try Planner.plan(for: spec, rootfs: "/", bundle: "/b").ordered.last
                == .terminal(makesConsole: false))
    }

    private func isTerminal(_ operation: Operation) -> Bool {
        if case .terminal = operation { true } else { false }
    }

    @Test func `everything that a config asks for has its turn`() throws {
        var spec = Spec()
        spec.root = RootSpec(path: "rootfs", readonly: true)
        spec.hostname = "web"
        spec.domainname = "example.org"
        spec.mounts = [MountSpec("/b", type: "tmpfs"), MountSpec("/a", type: "tmpfs")]
        spec.linux.devices = [DeviceSpec(path: "/dev/fuse", major: 10, minor: 229)]
        spec.linux.sysctl = [Annotation("net.x", "1"), Annotation("kernel.sem", "2")]
        spec.linux.maskedPaths = ["/m2", "/m1"]
        spec.linux.readonlyPaths = ["/r2", "/r1"]
        spec.linux.rootfsPropagation = "rshared"
        func tmpfs(_ target: String) -> Operation {
            .mount(
                FilesystemMount(
                    type: "tmpfs", source: nil, target: target, attributes: MountAttributes(),
                    parameters: [], propagation: []))
        }
        var want: [Operation] = [
            .propagation(try propagation("rslave")), .bindRoot("/rootfs"), tmpfs("/b"), tmpfs("/a"),
        ]
        want += devices.map { .device(DeviceSpec(path: $0.0, major: $0.1, minor: $0.2)) }
        want += [.device(spec.linux.devices[0])]
        want += links.map { .link(path: $0.0, target: $0.1) }
        want += [
            .sysctl(name: "net.x", value: "1"), .sysctl(name: "kernel.sem", value: "2"), .mask("/m2"),
            .mask("/m1"), .readOnly("/r2"), .readOnly("/r1"), .readOnlyRoot, .pivot,
            .rootPropagation(try propagation("rshared")), .hostname("web"), .domainname("example.org"),
        ]
        #expect(try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle").ordered == want)
    }

    @Test func `a default device that the config gives is made as the config says, and once`() throws {
        var spec = Spec()
        spec.linux.devices = [DeviceSpec(path: "/dev/null", major: 1, minor: 3, mode: 0o600)]
        let plan = try Planner.plan(for: spec, rootfs: "/rootfs", bundle: "/bundle")
        let nulls = plan.ordered.filter {
            if case .device(let device) = $0 { device.path == "/dev/null" } else { false }
        }
        #expect(nulls == [.device(spec.linux.devices[0])])
    }

    @Test(arguments: [
        ("rslave", "rslave"), ("slave", "rslave"), ("rshared", "rslave"), ("shared", "rslave"),
        ("rprivate", "rprivate"), ("private", "rprivate"), ("runbindable", "rprivate"),
        ("unbindable", "rprivate"),
    ])
    func `the tree is cut from the host first, and gets its propagation at the end`(
        word: String, first: String
    )
        throws
    {
        var spec = Spec()
        spec.linux.rootfsPropagation = word
        for rootfs in ["/", "/rootfs"] {
            let ordered = try Planner.plan(for: spec, rootfs: rootfs, bundle: "/bundle").ordered
            #expect(ordered.first == .propagation(try propagation(first)))
            // A private root is what it is already.
            let isLast = ordered.last == .rootPropagation(try propagation(word))
            #expect(isLast != word.hasSuffix("private"))
        }
    }

    @Test func `a failure names the mount that it is about`() {
        let good = MountSpec("/a", type: "tmpfs")
        #expect(
            refusal(mounting: good, good, MountSpec("/", type: "tmpfs")).hasPrefix("/mounts/2/destination: "))
    }
}

struct DestinationTests {
    @Test(arguments: [
        ("/a", "/a"), ("//a//b/", "/a/b"), ("/a/./b/.", "/a/b"), ("/a/../b", "/b"), ("/../../a", "/a"),
        ("/a/b/../../c/d", "/c/d"), ("/a b", "/a b"), ("/...", "/..."), ("/.a/..b", "/.a/..b"),
        ("/a/../\u{301}b", "/\u{301}b"),
    ])
    func `a destination has no empty steps, and none upwards`(path: String, want: String) throws {
        let bound = BindMount(
            source: "/s", target: want, recursive: false, attributes: MountAttributes(), propagation: [])
        #expect(try planned(MountSpec(path, type: "bind", source: "/s")) == [.bind(bound)])
    }

    @Test(arguments: ["/", "//", "/.", "/..", "/a/..", "/a/../..", ""])
    func `the root is no destination`(path: String) {
        for type in ["tmpfs", "bind", "cgroup", "proc"] {
            #expect(
                refusal(mounting: MountSpec(path, type: type, source: "/s"))
                    == "/mounts/0/destination: \"\(path)\" is the root: a mount there would hide the container"
            )
        }
    }

    @Test(arguments: ["tmpfs", "sysfs", "overlay", "mqueue"])
    func `nothing but a procfs is mounted on proc`(type: String) {
        for path in ["/proc", "/proc/", "/a/../proc", "//proc", "/./proc/."] {
            #expect(
                refusal(mounting: MountSpec(path, type: type))
                    == "/mounts/0/destination: \"\(type)\" must not be mounted on \"/proc\"")
        }
    }

    @Test(arguments: ["tmpfs", "proc", "sysfs"])
    func `no file system is mounted below proc`(type: String) {
        for path in ["/proc/self", "/proc/sys", "/a/../proc/x", "/proc/cpuinfo", "/proc//x"] {
            #expect(refusal(mounting: MountSpec(path, type: type)).hasPrefix("/mounts/0/destination: "))
        }
    }

    @Test(arguments: [
        "/proc/self", "/proc/self/attr/exec", "/proc/sys", "/proc/1", "/proc/cpuinfo/x",
        "/a/../proc/sys/kernel",
        "/proc/./keys", "/proc/sysrq-trigger", "/proc/cpuinfo2", "/proc/net/../sys",
    ])
    func `nothing is bound below proc`(path: String) {
        #expect(
            refusal(mounting: MountSpec(path, type: "bind", source: "/s"))
                .hasPrefix("/mounts/0/destination: nothing may be mounted on \"/proc/"))
    }

    @Test(arguments: [
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
        "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled", "/proc", "/procession", "/a/../proc/stat",
    ])
    func `the few files that lxcfs covers may be bound, and what only sounds like proc`(path: String) throws {
        #expect(try planned(MountSpec(path, source: "/s", options: ["bind"])).count == 1)
    }

    @Test func `a procfs is mounted on proc, or elsewhere`() throws {
        #expect(try planned(MountSpec("/proc", type: "proc"), MountSpec("/p", type: "proc")).count == 2)
    }
}

struct BindTests {
    private func bind(_ source: String?, _ options: [String], type: String? = nil) throws -> BindMount {
        guard
            case .bind(let mount) = try planned(MountSpec("/t", type: type, source: source, options: options))
                .first
        else { throw Failure.refused("no bind") }
        return mount
    }

    @Test(arguments: [
        ("/srv", "/srv"), ("data", "/bundle/data"), ("./data", "/bundle/./data"), ("../x", "/bundle/../x"),
    ])
    func `a relative source lies in the bundle`(source: String, want: String) throws {
        #expect(try bind(source, ["bind"]).source == want)
    }

    @Test(
        arguments: [
            (["bind"], nil, false), (["rbind"], nil, true), ([], "bind", false), (["rbind"], "none", true),
            (["bind"], "none", false), (["bind", "rbind"], nil, true), (["rbind", "bind"], nil, true),
            (["rbind"], "tmpfs", true),
        ] as [([String], String?, Bool)])
    func `a bind is told by an option or by its type, and is recursive by its option`(
        options: [String], type: String?, want: Bool
    ) throws {
        #expect(try bind("/s", options, type: type).recursive == want)
    }

    @Test(arguments: [nil, ""] as [String?])
    func `a bind needs a source`(source: String?) {
        #expect(
            refusal(mounting: MountSpec("/t", source: source, options: ["bind"]))
                == "/mounts/0/source: \"source\" is missing")
    }

    @Test(arguments: ["size=1m", "mode=755", "rox", "nonsense", "RO"])
    func `a word that is no option of a bind is refused`(word: String) {
        #expect(
            refusal(mounting: MountSpec("/t", source: "/s", options: ["bind", "ro", word]))
                == "/mounts/0/options: \"\(word)\" is no option of a bind mount")
    }

    @Test func `attributes and propagation go with the bind`() throws {
        let mount = try bind("/s", ["rbind", "ro", "rnosuid", "rprivate"])
        #expect(mount.attributes.set == MountAttributes.readOnly)
        #expect(mount.attributes.setRecursive == MountAttributes.noSUID)
        #expect(mount.propagation == [try propagation("rprivate")])
    }
}

struct FilesystemTests {
    @Test(arguments: [nil, "", "none"] as [String?])
    func `a mount that binds nothing needs a type`(type: String?) {
        #expect(
            refusal(mounting: MountSpec("/t", type: type, source: "/s", options: ["ro"]))
                == "/mounts/0/type: a mount that binds nothing needs a type")
    }

    @Test func `attributes, parameters and propagation are told apart`() throws {
        let options = ["nosuid", "size=64k", "noexec", "mode=755", "shared", "defaults", "ro", "newinstance"]
        let attributes = MountAttributes(
            set: MountAttributes.noSUID | MountAttributes.noExec | MountAttributes.readOnly)
        let want = FilesystemMount(
            type: "x", source: "shm", target: "/t", attributes: attributes,
            parameters: ["size=64k", "mode=755", "newinstance"], propagation: [try propagation("shared")])
        #expect(
            try planned(MountSpec("/t", type: "x", source: "shm", options: options)) == [.mount(want)])
    }

    @Test(arguments: [("rro", 1, 0), ("rnosuid", 2, 0), ("rrw", 0, 1)] as [(String, UInt64, UInt64)])
    func `what holds for all below a fresh file system holds for it`(word: String, set: UInt64, clear: UInt64)
        throws
    {
        let mount = try filesystem(MountSpec("/t", type: "ramfs", options: [word]))
        #expect(mount.attributes.set == set && mount.attributes.clear == clear)
    }

    @Test(arguments: ["cgroup", "cgroup2"])
    func `cgroups are the container's own, whatever the version in the config`(type: String) throws {
        let mount = MountSpec("/sys/fs/cgroup/", type: type, source: "cgroup", options: ["ro", "nosuid"])
        let attributes = MountAttributes(set: MountAttributes.readOnly | MountAttributes.noSUID)
        #expect(
            try planned(mount) == [
                .cgroups(target: "/sys/fs/cgroup", attributes: attributes, propagation: [])
            ])
    }
}
