import JSON
import Kernel
import OCI
import Testing

private let full: JSON = (try? JSON.parse(Array(fullConfig.utf8))) ?? .null

private let range = JSON.object([.init("containerID", 0), .init("hostID", 1), .init("size", 1)])

private func problems(_ pointer: String, _ value: JSON?) throws -> [String] {
    try Spec(Cursor(full.changed(pointer, to: value))).problems().map(\.message)
}

struct ValidationTests {
    @Test(
        arguments: [
            ("/ociVersion", "2.0.0", "/ociVersion: \"2.0.0\" is not a version 1 of the specification"),
            ("/ociVersion", "", "/ociVersion: "), ("/ociVersion", "1", "/ociVersion: "),
            ("/ociVersion", "1.0", "/ociVersion: "), ("/ociVersion", "v1.0.0", "/ociVersion: "),
            ("/ociVersion", "1.x.0", "/ociVersion: "), ("/ociVersion", "-1.0.0", "/ociVersion: "),
            ("/root", nil, "/root: \"root\" is missing"), ("/root/path", "", "/root/path: the path is empty"),
            ("/process", nil, "/process: \"process\" is missing"),
            ("/process/args", nil, "/process/args: args must not be empty"),
            ("/process/args", .array([]), "/process/args: args must not be empty"),
            ("/process/args/0", "", "/process/args/0: the executable is empty"),
            ("/process/cwd", "work", "/process/cwd: Cwd must be an absolute path, \"work\" is not"),
            ("/process/cwd", "", "/process/cwd: Cwd must be an absolute path"),
            ("/process/oomScoreAdj", 1001, "/process/oomScoreAdj: 1001 is outside -1000 to 1000"),
            ("/process/oomScoreAdj", -1001, "/process/oomScoreAdj: -1001 is outside -1000 to 1000"),
            (
                "/process/rlimits/1/type", "RLIMIT_NOFILE",
                "/process/rlimits/1: \"RLIMIT_NOFILE\" is given twice"
            ),
            ("/process/env/1", "A", "/process/env/1: \"A\" has no \"=\""),
            ("/process/env/1", "", "/process/env/1: "),
            ("/process/env/2", "=b", "/process/env/2: the name is empty"),
            (
                "/mounts/0/uidMappings", .array([range]),
                "/mounts/0/uidMappings: \"uidMappings\" needs \"gidMappings\" beside it"
            ),
            (
                "/mounts/1/gidMappings", .array([range]),
                "/mounts/1/gidMappings: \"gidMappings\" needs \"uidMappings\" beside it"
            ),
            ("/linux/devices/1/minor", 1, "/linux/devices/1: a FIFO has neither major nor minor"),
            ("/linux/devices/0/major", 4096, "/linux/devices/0: the kernel has no device 4096:229"),
            ("/linux/devices/0/minor", 1_048_576, "/linux/devices/0: the kernel has no device 10:1048576"),
            ("/linux/devices/0/path", "/", "/linux/devices/0/path: \"/\" is no place for a device"),
            ("/linux/devices/0/path", "/dev/../x", "/linux/devices/0/path: \"/dev/../x\" is no place"),
            ("/linux/namespaces/2", nil, "/linux/namespaces: without a mount namespace of its own"),
            (
                "/linux/namespaces/-", .object([.init("type", "pid")]),
                "/linux/namespaces/6: \"pid\" is given twice"
            ),
            (
                "/linux/sysctl", .object([.init("kernel.panic", "1")]),
                "/linux/sysctl/kernel.panic: \"kernel.panic\" belongs to no namespace: it would change the host"
            ),
            (
                "/linux/sysctl", .object([.init("kernel/panic", "1")]),
                "/linux/sysctl/kernel~1panic: \"kernel/panic\" belongs to no namespace"
            ),
            ("/linux/cgroupsPath", "/", "/linux/cgroupsPath: \"/\" is the root of the hierarchy"),
            ("/linux/cgroupsPath", "", "/linux/cgroupsPath: \"\" is the root of the hierarchy"),
            ("/linux/cgroupsPath", "//", "/linux/cgroupsPath: \"//\" is the root of the hierarchy"),
            ("/linux/cgroupsPath", "/a/../..", "/linux/cgroupsPath: \"/a/../..\" leaves its hierarchy"),
            ("/linux/cgroupsPath", "..", "/linux/cgroupsPath: \"..\" leaves its hierarchy"),
            ("/linux/cgroupsPath", "/a/./b", "/linux/cgroupsPath: \"/a/./b\" leaves its hierarchy"),
            (
                "/linux/cgroupsPath", "/../\u{301}a",
                "/linux/cgroupsPath: \"/../\u{301}a\" leaves its hierarchy"
            ),
            ("/linux/cgroupsPath", "/a\nb", "/linux/cgroupsPath: the path holds a line break"),
            ("/linux/cgroupsPath", "/a\r\nb", "/linux/cgroupsPath: the path holds a line break"),
            (
                "/hostname", .string(String(repeating: "x", count: 65)),
                "/hostname: the name has 65 bytes, the kernel takes 64"
            ),
            (
                "/domainname", .string(String(repeating: "é", count: 33)),
                "/domainname: the name has 66 bytes, the kernel takes 64"
            ),
        ] as [(String, JSON?, String)])
    func `a config that breaks one rule has one problem, with its place`(
        pointer: String, value: JSON?, want: String
    ) throws {
        let found = try problems(pointer, value)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(want) == true, "\(found)")
    }

    @Test(
        arguments: [
            ("/ociVersion", "1.0.0"), ("/ociVersion", "1.0.2-dev"), ("/ociVersion", "1.3.0"),
            ("/ociVersion", "1.2.0-rc.1"), ("/process/oomScoreAdj", 1000), ("/process/oomScoreAdj", -1000),
            ("/process/env/1", "A="), ("/process/env/1", "A=="), ("/process/env/1", "A=\u{301}"),
            ("/hostname", .string(String(repeating: "x", count: 64))), ("/hostname", nil),
            ("/linux/cgroupsPath", "a"), ("/linux/cgroupsPath", "/a/..b/c.."), ("/linux/cgroupsPath", nil),
            ("/linux/cgroupsPath", "//a//b/"), ("/mounts", nil), ("/linux/sysctl", nil),
            ("/root/path", "/srv/rootfs"),
        ] as [(String, JSON?)])
    func `a config that only looks strange has none`(pointer: String, value: JSON?) throws {
        #expect(try problems(pointer, value) == [])
    }

    @Test func `an empty executable is no problem where the annotation names one`() throws {
        let changed = full.changed("/process/args/0", to: "")
            .changed("/annotations/org.mrun.executable", to: "/bin/sh")
        #expect(try Spec(Cursor(changed)).problems() == [])
    }

    @Test(arguments: [
        ("uts", "/hostname", 1), ("network", "/linux/sysctl/net.ipv4.ip_forward", 1),
        ("ipc", "/linux/sysctl/kernel.msgmax", 1),
    ])
    func `what needs a namespace of its own is a problem without it`(kind: String, want: String, count: Int)
        throws
    {
        var spec = try decode(fullConfig)
        spec.linux.namespaces.removeAll { $0.kind.rawValue == kind }
        #expect(spec.problems().map { $0.message.split(separator: ": ")[0] } == [Substring(want)])
    }

    @Test func `a domain name alone needs a UTS namespace too`() throws {
        var spec = try decode(fullConfig)
        spec.hostname = nil
        spec.linux.namespaces.removeAll { $0.kind == .uts }
        #expect(
            spec.problems().map(\.message)
                == ["/domainname: unable to set it without a private UTS namespace"])
    }

    @Test func `the host's root is neither made read-only nor given devices`() throws {
        var spec = try decode(fullConfig)
        spec.root = RootSpec(path: "/", readonly: true)
        #expect(
            spec.problems().map(\.message) == [
                "/root/readonly: the host's root cannot be made read-only",
                "/linux/devices: no device is made in the host's root",
            ])
        spec.root = RootSpec(path: "/")
        spec.linux.devices = []
        #expect(spec.problems() == [])
    }

    @Test func `all problems are told at once`() {
        var spec = Spec()
        spec.ociVersion = "0.1.0"
        #expect(
            spec.problems().map { $0.message.split(separator: ": ")[0] } == [
                "/ociVersion", "/root", "/process", "/linux/namespaces",
            ])
    }
}

struct SysctlScopeTests {
    @Test(
        arguments: [
            ("net.ipv4.ip_forward", .network), ("net/ipv4/ip_forward", .network),
            ("net.core.somaxconn", .network),
            ("net/ipv4/conf/eth0.1/forwarding", .network),
            ("fs.mqueue.msg_max", .ipc), ("kernel.msgmax", .ipc), ("kernel.msgmnb", .ipc),
            ("kernel.msgmni", .ipc),
            ("kernel.sem", .ipc), ("kernel.shmall", .ipc), ("kernel.shmmax", .ipc), ("kernel.shmmni", .ipc),
            ("kernel.shm_rmid_forced", .ipc), ("kernel/shm_rmid_forced", .ipc), ("kernel.hostname", .uts),
            ("kernel.domainname", .uts),
        ] as [(String, NamespaceKind)])
    func `a sysctl belongs to a namespace, in both spellings`(name: String, want: NamespaceKind) {
        #expect(SysctlScope.namespace(of: name) == want)
    }

    @Test(arguments: [
        "", "net", "net.", "net..x", ".net.x", "network.x", "kernel.panic", "kernel.shmmax2", "kernel.sem.x",
        "kernel.msg", "vm.swappiness", "fs.file-max", "fs.mqueue", "kernel.core_pattern",
        "user.max_user_namespaces",
        "net/../kernel/panic", "net.x/../../kernel/core_pattern", "/net/x", "net//x", "net/./x",
        "net/a/../\u{301}b",
    ])
    func `a name that may change the host belongs to none`(name: String) {
        #expect(SysctlScope.namespace(of: name) == nil)
    }
}
