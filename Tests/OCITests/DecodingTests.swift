import JSON
import Kernel
import OCI
import Testing

private let full: JSON = (try? JSON.parse(Array(fullConfig.utf8))) ?? .null

struct FullConfigTests {
    let spec: Spec

    init() throws { spec = try decode(fullConfig) }

    @Test func `the config as a whole is read, and can be run`() {
        #expect(spec.ociVersion == "1.2.0")
        #expect(spec.root == RootSpec(path: "rootfs", readonly: true))
        #expect(spec.hostname == "web")
        #expect(spec.domainname == "example.org")
        #expect(spec.problems() == [])
    }

    @Test func `the process is read`() throws {
        let process = try #require(spec.process)
        #expect(process.args == ["sh", "-c", "echo $A"])
        #expect(process.env == ["PATH=/bin", "A=b=c", "EMPTY="])
        #expect(process.cwd == "/work")
        #expect(process.noNewPrivileges)
        #expect(process.oomScoreAdj == -500)
        #expect(process.user.uid == 1000 && process.user.gid == 100 && process.user.umask == 0o77)
        #expect(process.user.additionalGids == [5, 4_294_967_294])
        #expect(
            process.rlimits == [
                RlimitSpec(type: "RLIMIT_NOFILE", soft: 1024, hard: 4096),
                RlimitSpec(type: "RLIMIT_CORE", soft: 0, hard: .max),
            ])
        #expect(process.rlimits.map(\.number) == [7, 4])
        let capabilities = try #require(process.capabilities)
        #expect(capabilities.bounding == ["CAP_KILL"] && capabilities.permitted == ["CAP_SETUID"])
        #expect(capabilities.effective == ["CAP_KILL", "CAP_CHOWN"])
        #expect(capabilities.inheritable == ["CAP_SETGID"] && capabilities.ambient == ["CAP_FOWNER"])
    }

    @Test func `mounts and annotations keep their order`() {
        #expect(
            spec.mounts == [
                MountSpec("/proc", type: "proc", source: "proc"),
                MountSpec("/data", type: "bind", source: "/srv", options: ["rbind", "ro"]),
            ])
        #expect(spec.annotations.map(\.name) == ["org.mrun.init", "z", "a"])
        #expect(spec.annotation(Meaning.stayingInit) == "true")
        #expect(spec.annotation("none") == nil)
    }

    @Test func `namespaces, devices and paths are read`() {
        let linux = spec.linux
        #expect(linux.namespaces.map(\.kind) == [.pid, .network, .mount, .ipc, .uts, .cgroup])
        #expect(linux.namespace(.cgroup)?.path == "/run/cgroup/a")
        #expect(linux.namespace(.time) == nil)
        #expect(linux.devices.count == 2)
        #expect(linux.devices[0].number == DeviceNumber(major: 10, minor: 229))
        #expect(linux.devices[0].mode == 0o666 && linux.devices[0].uid == 1 && linux.devices[0].gid == 2)
        #expect(linux.devices[1].kind == .fifo && linux.devices[1].number == DeviceNumber(major: 0, minor: 0))
        #expect(linux.cgroupsPath == "/mesos/web" && linux.rootfsPropagation == "rslave")
        #expect(linux.maskedPaths == ["/proc/kcore"] && linux.readonlyPaths == ["/proc/sys"])
        #expect(linux.sysctl.map(\.name) == ["net.ipv4.ip_forward", "kernel.msgmax"])
    }

    @Test func `resources are read`() {
        let resources = spec.linux.resources
        #expect(resources.cpu.shares == 512 && resources.cpu.quota == -1 && resources.cpu.period == 100_000)
        #expect(resources.cpu.burst == 7 && resources.cpu.cpus == "0-1" && resources.cpu.mems == "0")
        #expect(resources.cpu.idle == 1 && resources.cpu.realtimeRuntime == 950_000)
        #expect(resources.cpu.realtimePeriod == 1_000_000)
        #expect(resources.memory.limit == 1 << 20 && resources.memory.reservation == -1)
        #expect(resources.memory.swap == 2 << 20 && resources.memory.swappiness == 60)
        #expect(resources.memory.disableOOMKiller == true)
        #expect(resources.pidsLimit == 32)
        #expect(
            resources.devices == [
                DeviceRule(allow: false),
                DeviceRule(allow: true, kind: .character, major: 1, minor: nil, access: "rm"),
            ])
        #expect(resources.unified == [Annotation("memory.high", "1M"), Annotation("cpu.weight", "5")])
    }

    @Test func `the seccomp profile is read`() throws {
        let seccomp = try #require(spec.linux.seccomp)
        #expect(seccomp.defaultAction == "SCMP_ACT_ERRNO" && seccomp.defaultErrnoRet == 38)
        #expect(seccomp.architectures == ["SCMP_ARCH_X86_64"])
        #expect(seccomp.flags == ["SECCOMP_FILTER_FLAG_LOG"])
        let rule = try #require(seccomp.syscalls.first)
        #expect(rule.names == ["clone"] && rule.action == "SCMP_ACT_ALLOW" && rule.errnoRet == 1)
        #expect(rule.pointer == "/linux/seccomp/syscalls/0")
        let argument = try #require(rule.args.first)
        #expect(argument.index == 0 && argument.value == 2_114_060_288 && argument.valueTwo == 1)
        #expect(argument.op == "SCMP_CMP_MASKED_EQ")
    }
}

struct DefaultTests {
    @Test func `what a small config leaves out has its default`() throws {
        let spec = try decode(smallConfig)
        #expect(spec.problems() == [])
        #expect(spec.process?.user == UserSpec())
        #expect(spec.process?.user.umask == nil)
        #expect(spec.process?.capabilities == nil)
        #expect(spec.process?.noNewPrivileges == false && spec.process?.oomScoreAdj == nil)
        #expect(spec.root?.readonly == false)
        #expect(spec.linux.resources == ResourceSpec() && spec.linux.seccomp == nil)
        #expect(spec.linux.rootfsPropagation == nil && spec.linux.cgroupsPath == nil)
    }

    @Test func `null is as good as missing`() throws {
        let small = try JSON.parse(Array(smallConfig.utf8))
        let changed = small.changed("/hostname", to: .null).changed("/mounts", to: .null)
            .changed("/process/user", to: .null).changed("/linux/resources", to: .null)
        #expect(try Spec(Cursor(changed)) == Spec(Cursor(small)))
    }

    @Test func `unknown members are left alone, as the specification asks`() throws {
        let changed = full.changed("/x", to: 1).changed("/process/x", to: 1).changed("/linux/x", to: 1)
        #expect(try Spec(Cursor(changed)) == Spec(Cursor(full)))
    }
}

struct RefusalTests {
    @Test(
        arguments: [
            ("/ociVersion", nil, "\"ociVersion\" is missing"),
            ("/ociVersion", 1, "/ociVersion: expected a string"),
            ("/process/cwd", nil, "/process: \"cwd\" is missing"),
            ("/process/args/1", 2, "/process/args/1: expected a string, found a number"),
            ("/process/args", "sh", "/process/args: expected an array, found a string"),
            ("/process/env/0", .null, "/process/env/0: expected a string, found null"),
            ("/process/user/uid", -1, "/process/user/uid: the number is out of range (0 to 4294967295)"),
            ("/process/user/uid", .integer(4_294_967_295), "/process/user/uid: 4294967295 is no id"),
            ("/process/user/gid", .integer(4_294_967_295), "/process/user/gid: 4294967295 is no id"),
            ("/process/user/uid", .integer(4_294_967_296), "/process/user/uid: the number is out of range"),
            ("/process/user/uid", "root", "/process/user/uid: expected a whole number"),
            (
                "/process/user/additionalGids/1", .integer(4_294_967_295),
                "/process/user/additionalGids/1: 4294967295 is no id"
            ),
            ("/process/user/umask", .integer(0o1000), "/process/user/umask: a umask is at most 0777"),
            ("/process/user/umask", -1, "/process/user/umask: the number is out of range"),
            (
                "/process/rlimits/0/type", "RLIMIT_FOO",
                "/process/rlimits/0/type: \"RLIMIT_FOO\" is no resource limit"
            ),
            ("/process/rlimits/0/type", "NOFILE", "/process/rlimits/0/type: "),
            ("/process/rlimits/0/soft", 5000, "/process/rlimits/0: soft (5000) is above hard (4096)"),
            ("/process/rlimits/0/hard", -1, "/process/rlimits/0/hard: the number is out of range"),
            ("/process/rlimits/0/hard", nil, "/process/rlimits/0: \"hard\" is missing"),
            ("/process/noNewPrivileges", 1, "/process/noNewPrivileges: expected a boolean"),
            ("/process/capabilities/bounding/0", 1, "/process/capabilities/bounding/0: expected a string"),
            ("/root/path", nil, "/root: \"path\" is missing"),
            ("/mounts/1/destination", nil, "/mounts/1: \"destination\" is missing"),
            ("/mounts/1/options/0", 1, "/mounts/1/options/0: expected a string"),
            ("/annotations/a~1b", 1, "/annotations/a~1b: expected a string, found a number"),
            ("/annotations", .array([]), "/annotations: expected an object, found an array"),
            ("/linux/namespaces/0/type", "pids", "/linux/namespaces/0/type: \"pids\" is unknown"),
            ("/linux/namespaces/0/type", nil, "/linux/namespaces/0: \"type\" is missing"),
            ("/linux/namespaces/5/path", "netns", "/linux/namespaces/5/path: \"netns\" is relative"),
            ("/linux/devices/0/path", "dev/x", "/linux/devices/0/path: \"dev/x\" is relative"),
            ("/linux/devices/0/type", "x", "/linux/devices/0/type: \"x\" is unknown"),
            ("/linux/devices/0/minor", nil, "/linux/devices/0: a device needs major and minor"),
            ("/linux/devices/0/major", -1, "/linux/devices/0/major: the number is out of range"),
            ("/linux/maskedPaths/0", "proc", "/linux/maskedPaths/0: \"proc\" is relative"),
            ("/linux/readonlyPaths/0", "", "/linux/readonlyPaths/0: \"\" is relative"),
            (
                "/linux/rootfsPropagation", "rfoo",
                "/linux/rootfsPropagation: \"rfoo\" is no mount propagation"
            ),
            ("/linux/resources/devices/0/allow", nil, "/linux/resources/devices/0: \"allow\" is missing"),
            ("/linux/resources/devices/1/type", "x", "/linux/resources/devices/1/type: \"x\" is unknown"),
            (
                "/linux/resources/devices/1/access", "rx",
                "/linux/resources/devices/1/access: \"rx\" is no combination of r, w and m"
            ),
            ("/linux/resources/devices/1/access", "", "/linux/resources/devices/1/access: "),
            (
                "/linux/resources/devices/1/major", -2,
                "/linux/resources/devices/1/major: -2 is no device number"
            ),
            ("/linux/resources/devices/1/minor", .integer(1 << 32), "/linux/resources/devices/1/minor: "),
            (
                "/linux/resources/memory/limit", -2,
                "/linux/resources/memory/limit: -2 is negative; -1 means no limit"
            ),
            ("/linux/resources/memory/swap", -5, "/linux/resources/memory/swap: "),
            ("/linux/resources/memory/reservation", -2, "/linux/resources/memory/reservation: "),
            ("/linux/resources/cpu/shares", -1, "/linux/resources/cpu/shares: the number is out of range"),
            (
                "/linux/resources/cpu/period", .double(0.5),
                "/linux/resources/cpu/period: the number is out of range"
            ),
            ("/linux/resources/cpu/cpus", 0, "/linux/resources/cpu/cpus: expected a string"),
            ("/linux/resources/pids/limit", "5", "/linux/resources/pids/limit: expected a whole number"),
            ("/linux/seccomp/defaultAction", nil, "/linux/seccomp: \"defaultAction\" is missing"),
            (
                "/linux/seccomp/syscalls/0/names", .array([]),
                "/linux/seccomp/syscalls/0: \"names\" is missing or empty"
            ),
            (
                "/linux/seccomp/syscalls/0/names", nil,
                "/linux/seccomp/syscalls/0: \"names\" is missing or empty"
            ),
            (
                "/linux/seccomp/syscalls/0/args/0/index", 6,
                "/linux/seccomp/syscalls/0/args/0: a system call has six"
            ),
            (
                "/linux/seccomp/syscalls/0/args/0/op", nil,
                "/linux/seccomp/syscalls/0/args/0: \"op\" is missing"
            ),
        ] as [(String, JSON?, String)])
    func `a value that cannot be is refused by its place`(pointer: String, value: JSON?, want: String) {
        let failure = #expect(throws: Failure.self) { try Spec(Cursor(full.changed(pointer, to: value))) }
        #expect(failure?.message.hasPrefix(want) == true, "\(failure?.message ?? "")")
    }

    @Test(arguments: [
        "/vm", "/linux/intelRdt",
    ])
    func `a member that mrun does not bring about is refused by its place, unless it asks for nothing`(
        pointer: String
    ) throws {
        for value: JSON in ["x", 1, .array([1]), .object([.init("a", 1)])] {
            let failure = #expect(throws: Failure.self) {
                try Spec(Cursor(full.changed(pointer, to: value)))
            }
            #expect(failure?.message.hasPrefix(pointer + ": ") == true)
            #expect(failure?.message.hasSuffix(": not supported by this version of mrun") == true)
        }
        for value: JSON in [.null, .array([]), .object([])] {
            #expect(try Spec(Cursor(full.changed(pointer, to: value))) == Spec(Cursor(full)))
        }
    }

    @Test func `a terminal is wanted where the config says so, with its size`() throws {
        #expect(try Spec(Cursor(full.changed("/process/terminal", to: nil))) == Spec(Cursor(full)))
        let size = JSON.object(["height": .integer(24), "width": .integer(80)])
        let changed = full.changed("/process/terminal", to: true).changed("/process/consoleSize", to: size)
        let spec = try Spec(Cursor(changed))
        #expect(spec.process?.terminal == true)
        #expect(spec.process?.consoleSize == ConsoleSize(height: 24, width: 80))
        #expect(try Spec(Cursor(spec.json)) == spec)
        #expect(spec.problems() == [])
    }

    @Test func `a size that no terminal can have is a problem, unless there is none`() throws {
        let size = JSON.object(["height": .integer(65536), "width": .integer(70000)])
        let changed = full.changed("/process/consoleSize", to: size)
        #expect(try Spec(Cursor(changed)).problems() == [])
        let found = try Spec(Cursor(changed.changed("/process/terminal", to: true))).problems().map(\.message)
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("/process/consoleSize/height: ") == true)
        #expect(found.last?.hasPrefix("/process/consoleSize/width: ") == true)
        let negative = JSON.object(["height": .integer(-1), "width": .integer(1)])
        let failure = #expect(throws: Failure.self) {
            try Spec(Cursor(full.changed("/process/consoleSize", to: negative)))
        }
        #expect(failure?.message.hasPrefix("/process/consoleSize/height: ") == true)
    }

    @Test(arguments: [
        "", "memory", "../x.y", "a/b.c", "/memory.max", ".memory", "..", "memory.max/..", "cgroup/x.y",
    ])
    func `a unified entry that is no file of the cgroup is refused`(name: String) {
        let entry: JSON = .object([.init(name, "1")])
        let failure = #expect(throws: Failure.self) {
            try Spec(Cursor(full.changed("/linux/resources/unified", to: entry)))
        }
        let pointer = "/linux/resources/unified/" + Cursor.escaped(name)
        #expect(failure?.message == "\(pointer): \"\(name)\" is no cgroup v2 file")
    }

    @Test(arguments: ["a/\u{301}x.y", "../\u{301}x.y"])
    func `a slash that is hidden in a character is a slash in a unified entry too`(name: String) {
        let entry: JSON = .object([.init(name, "1")])
        #expect(throws: Failure.self) {
            try Spec(Cursor(full.changed("/linux/resources/unified", to: entry)))
        }
    }

    @Test func `a umask of 0 and of 0777 are taken`() throws {
        for mask: UInt32 in [0, 0o777] {
            let spec = try Spec(Cursor(full.changed("/process/user/umask", to: .integer(Int64(mask)))))
            #expect(spec.process?.user.umask == mask)
        }
    }

    @Test func `soft may equal hard, and both may be without end`() throws {
        let limit: JSON = .object([
            .init("type", "RLIMIT_AS"), .init("soft", .unsigned(.max)), .init("hard", .unsigned(.max)),
        ])
        let spec = try Spec(Cursor(full.changed("/process/rlimits/0", to: limit)))
        #expect(spec.process?.rlimits[0] == RlimitSpec(type: "RLIMIT_AS", soft: .max, hard: .max))
    }
}

struct EncodingTests {
    @Test(arguments: [fullConfig, smallConfig])
    func `what is written is read as the same config`(text: String) throws {
        let spec = try decode(text)
        #expect(try Spec(Cursor(spec.json)) == spec)
        #expect(try decode(spec.json.text(indent: 4)) == spec)
    }

    @Test func `the same config is the same text, and stays so`() throws {
        let text = try decode(fullConfig).json.text()
        #expect(try decode(text).json.text() == text)
    }

    @Test func `the example can be run, and is read from its own text`() throws {
        let example = Spec.example
        #expect(example.problems() == [])
        #expect(try decode(example.json.text(indent: 4)) == example)
    }
}
