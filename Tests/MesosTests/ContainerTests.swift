import JSON
import OCI
import Testing

@testable import Mesos

/// A task with this `linux_info`; an empty text: without a container.
private func task(linux: String) throws -> JSON {
    try MesosTests.task(linux.isEmpty ? "" : "\"container\":{\"type\":\"MESOS\",\"linux_info\":\(linux)}")
}

/// An agent with these isolators, and a root filesystem for the container if there is one.
private func agent(_ isolators: String, rootfs: String? = nil, sandbox: String? = nil) -> TranslationOptions {
    options {
        $0.isolation = isolation(isolators)
        $0.rootfs = rootfs
        $0.sandbox = sandbox
    }
}

struct RootTests {
    private let proc = MountSpec(
        "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"])

    @Test func `without a root filesystem the container shares the host's`() throws {
        let spec = try spec(task(linux: ""), agent("posix/cpu"))
        #expect(spec.root == RootSpec(path: "/"))
        #expect(spec.process?.cwd == "/")
        #expect(spec.mounts.isEmpty)
        #expect(spec.linux.maskedPaths.isEmpty && spec.linux.readonlyPaths.isEmpty)
        #expect(spec.linux.namespaces == [NamespaceSpec(.mount)])
        #expect(spec.hostname == nil)
    }

    @Test func `on the host's root filesystem a task starts in its sandbox`() throws {
        let spec = try spec(task(linux: ""), agent("posix/cpu", sandbox: "/var/box"))
        #expect(spec.process?.cwd == "/var/box")
        #expect(spec.variable("MESOS_SANDBOX") == "/var/box")
        #expect(spec.mounts.isEmpty)
    }

    @Test func `with a root filesystem the container has the mounts of Mesos`() throws {
        let spec = try spec(task(linux: ""), agent("namespaces/pid", rootfs: "/img"))
        #expect(spec.root == RootSpec(path: "/img"))
        #expect(spec.process?.cwd == "/")
        #expect(spec.variable("MESOS_SANDBOX") == nil)
        #expect(
            spec.mounts == [
                proc,
                MountSpec(
                    "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"]),
                MountSpec(
                    "/dev", type: "tmpfs", source: "tmpfs",
                    options: ["nosuid", "noexec", "strictatime", "mode=755"]),
                MountSpec(
                    "/dev/pts", type: "devpts", source: "devpts",
                    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
                MountSpec(
                    "/dev/shm", type: "tmpfs", source: "shm",
                    options: ["nosuid", "nodev", "strictatime", "mode=1777"]),
            ])
        #expect(
            spec.linux.readonlyPaths
                == ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])
        #expect(
            spec.linux.maskedPaths == [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users",
                "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
                "/proc/timer_stats", "/sys/firmware",
            ])
    }

    @Test(arguments: ["/mnt/mesos/sandbox", "/box"])
    func `with a root filesystem the sandbox is mounted where the agent says`(folder: String) throws {
        let spec = try spec(
            task(linux: ""),
            options {
                $0.rootfs = "/img"
                $0.sandbox = "/var/box"
                $0.sandboxDirectory = folder
            })
        #expect(
            spec.mounts.last == MountSpec(folder, type: "bind", source: "/var/box", options: ["rbind", "rw"]))
        #expect(spec.process?.cwd == folder)
        #expect(spec.variable("MESOS_SANDBOX") == folder)
    }
}

struct PIDNamespaceTests {
    @Test(arguments: [
        ("namespaces/pid", "", true), ("namespaces/pid", #"{"share_pid_namespace":false}"#, true),
        ("namespaces/pid", #"{"share_pid_namespace":true}"#, false), ("posix/cpu", "", false),
        ("posix/cpu", #"{"share_pid_namespace":false}"#, false),
        ("posix/cpu", #"{"share_pid_namespace":true}"#, false),
    ])
    func `processes are kept apart where the agent does so, unless the task shares`(
        isolators: String, linux: String, isOwn: Bool
    ) throws {
        for rootfs in [nil, "/img"] {
            let spec = try spec(task(linux: linux), agent(isolators, rootfs: rootfs))
            #expect((spec.linux.namespace(.pid) == NamespaceSpec(.pid)) == isOwn)
            #expect((spec.mount("/proc") != nil) == (isOwn || rootfs != nil), "a fresh /proc shows them")
            #expect(spec.linux.maskedPaths.isEmpty == !(isOwn && rootfs != nil))
            #expect(spec.linux.readonlyPaths.isEmpty == (rootfs == nil))
        }
    }

    @Test func `a wish for an own process tree is ignored without the isolator, with a warning`() throws {
        let found = try warnings(task(linux: #"{"share_pid_namespace":false}"#), agent("posix/cpu"))
        let words = "ignored, because the isolator namespaces/pid is off"
        #expect(found == ["/container/linux_info/share_pid_namespace: \(words)"])
    }
}

/// The table of Mesos' `namespaces/ipc.cpp` for a container at the top.
struct IPCNamespaceTests {
    private static let plain = ["nosuid", "nodev", "strictatime", "mode=1777"]
    private static let own = MountSpec("/dev/shm", type: "tmpfs", source: "shm", options: plain)
    private static let sized = MountSpec(
        "/dev/shm", type: "tmpfs", source: "shm", options: plain + ["size=134217728"])
    private static let hosts = MountSpec("/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind"])

    @Test(arguments: [
        ("", true, nil, own), (#"{"ipc_mode":"PRIVATE"}"#, true, own, own),
        (#"{"ipc_mode":"PRIVATE","shm_size":128}"#, true, sized, sized),
        (#"{"ipcMode":"PRIVATE","shmSize":"128"}"#, true, sized, sized),
        (#"{"ipc_mode":"SHARE_PARENT"}"#, false, nil, hosts), (#"{"ipc_mode":null}"#, true, nil, own),
    ])
    func `with the isolator the mode says whose IPC and whose shared memory it is`(
        linux: String, isOwn: Bool, onHost: MountSpec?, withRootfs: MountSpec
    ) throws {
        let document = try task(linux: linux)
        for (rootfs, memory) in [(nil, onHost), ("/img", withRootfs)] {
            let spec = try spec(document, agent("namespaces/ipc", rootfs: rootfs))
            #expect((spec.linux.namespace(.ipc) == NamespaceSpec(.ipc)) == isOwn)
            #expect(spec.mount("/dev/shm") == memory)
        }
    }

    @Test(arguments: [
        "", #"{"ipc_mode":"PRIVATE","shm_size":128}"#, #"{"ipc_mode":"SHARE_PARENT"}"#, #"{"shm_size":1}"#,
    ])
    func `without the isolator every mode is the host's IPC, and shared memory is private to an image`(
        linux: String
    ) throws {
        let document = try task(linux: linux)
        for (rootfs, memory) in [(nil, nil), ("/img", IPCNamespaceTests.own)] {
            let spec = try spec(document, agent("posix/cpu", rootfs: rootfs))
            #expect(spec.linux.namespace(.ipc) == nil)
            #expect(spec.mount("/dev/shm") == memory)
        }
    }

    @Test func `what is ignored without the isolator is warned about`() throws {
        let words = "ignored, because the isolator namespaces/ipc is off"
        #expect(
            try warnings(task(linux: #"{"ipc_mode":"PRIVATE","shm_size":128}"#), agent("posix/cpu")) == [
                "/container/linux_info/ipc_mode: \(words)", "/container/linux_info/shm_size: \(words)",
            ])
    }

    @Test(arguments: [#"{"shm_size":64}"#, #"{"shm_size":64,"ipc_mode":"SHARE_PARENT"}"#])
    func `only private shared memory has a size`(linux: String) throws {
        let words = "only support specifying the size of /dev/shm when the IPC mode is `PRIVATE`"
        #expect(
            try refusals(task(linux: linux), agent("namespaces/ipc"))
                == ["/container/linux_info/shm_size: \(words)"])
    }

    @Test func `an unknown mode is refused even where it is spelled out`() throws {
        let lines = try refusals(task(linux: #"{"ipc_mode":"UNKNOWN"}"#), agent("namespaces/ipc"))
        #expect(lines == ["/container/linux_info/ipc_mode: unknown IPC mode 'UNKNOWN'"])
    }
}

struct ContainerInfoTests {
    @Test(arguments: [
        #"{"type":"MESOS"}"#, #"{"type":"MESOS","mesos":{}}"#, #"{"type":"MESOS","volumes":[]}"#,
        #"{"type":"MESOS","network_infos":[]}"#, #"{"type":"MESOS","linux_info":{"share_cgroups":true}}"#,
        #"{"type":"MESOS","linux_info":{}}"#, #"{"type":"MESOS","rlimit_info":{"rlimits":[]}}"#,
        #"{"type":"MESOS","rlimit_info":{}}"#, #"{"type":"MESOS","mesos":{"image":null},"tty_info":null}"#,
    ])
    func `a container that asks for nothing is the same as none`(container: String) throws {
        let translation = try translate(task("\"container\":\(container)"), options: options())
        #expect(try translation.spec == spec(task("")))
        #expect(translation.warnings == [])
    }

    @Test(arguments: [
        (#""hostname":"h""#, "hostname", "the container joins no network"),
        (#""network_infos":[{"groups":["g"]}]"#, "network_infos/0", "it names no network"),
        (#""docker":{"image":"i"}"#, "docker", "the container is of type MESOS"),
    ])
    func `what Mesos ignores is ignored with a warning`(fields: String, place: String, why: String) throws {
        let document = try task("\"container\":{\"type\":\"MESOS\",\(fields)}")
        #expect(try warnings(document) == ["/container/\(place): ignored, because \(why)"])
        #expect(try spec(document) == spec(task("")))
    }

    @Test(arguments: [
        (#""linux_info":{"bounding_capabilities":{}}"#, "linux_info/bounding_capabilities"),
        (#""linux_info":{"effective_capabilities":{}}"#, "linux_info/effective_capabilities"),
        (#""linux_info":{"seccomp":{}}"#, "linux_info/seccomp"), (#""tty_info":{}"#, "tty_info"),
        (#""rlimit_info":{"rlimits":{"type":"RLMT_CORE"}}"#, "rlimit_info/rlimits"),
        (#""volumes":{}"#, "volumes"), (#""network_infos":[{},{"name":"n"}]"#, "network_infos/1"),
    ])
    func `a wish that is still to come is refused even where it is empty or not in a list`(
        fields: String, place: String
    ) throws {
        let lines = try refusals(task("\"container\":{\"type\":\"MESOS\",\(fields)}"))
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("/container/\(place): ") == true, "\(lines)")
    }
}
