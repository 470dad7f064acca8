internal import OCI

extension Translator {
    /// Whether the container gets a process tree of its own.
    private var ownsPID: Bool { options.isolation.separatesPID && task.container?.linux?.sharesPID != true }

    /// The namespaces of the container, and what it sees of file systems (`filesystem/linux`, `namespaces/*`).
    func addNamespacesAndMounts(to spec: inout Spec) {
        checkNamespaces()
        spec.linux.namespaces.append(NamespaceSpec(.mount))
        if ownsPID { spec.linux.namespaces.append(NamespaceSpec(.pid)) }
        if ownsIPC { spec.linux.namespaces.append(NamespaceSpec(.ipc)) }
        spec.mounts = options.rootfs == nil ? hostMounts : imageMounts
        guard options.rootfs != nil else { return }
        spec.linux.readonlyPaths = [
            "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
        ]
        // Who sees the host's processes is trusted with the host's /proc, too.
        if ownsPID { spec.linux.maskedPaths = Translator.maskedPaths }
    }

    private static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
    ]

    private static let proc = MountSpec(
        "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"])

    /// What changes for a container on the host's root filesystem.
    private var hostMounts: [MountSpec] {
        var mounts = ownsPID ? [Translator.proc] : []
        if hasPrivateMemory { mounts.append(sharedMemory) }
        return mounts
    }

    /// What a container with a root filesystem of its own sees besides it.
    private var imageMounts: [MountSpec] {
        var mounts = [
            Translator.proc,
            MountSpec("/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"]),
            MountSpec(
                "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "noexec", "strictatime", "mode=755"]),
            MountSpec(
                "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            sharesMemory
                ? MountSpec("/dev/shm", type: "bind", source: "/dev/shm", options: ["rbind"]) : sharedMemory,
        ]
        if let sandbox = options.sandbox {
            mounts.append(
                MountSpec(options.sandboxDirectory, type: "bind", source: sandbox, options: ["rbind", "rw"]))
        }
        return mounts
    }
}

/// The isolator `namespaces/ipc`: which IPC namespace, and whose `/dev/shm`.
extension Translator {
    private var ipcMode: LinuxInfo.IPCMode? {
        options.isolation.separatesIPC ? task.container?.linux?.ipcMode : nil
    }

    /// Without any wish, too; but then a container on the host's root filesystem keeps the host's `/dev/shm`.
    private var ownsIPC: Bool { options.isolation.separatesIPC && ipcMode != .shared }

    private var hasPrivateMemory: Bool { ipcMode == .isolated }

    private var sharesMemory: Bool { ipcMode == .shared }

    /// A `/dev/shm` of the container's own; without a size, half of the machine's memory.
    private var sharedMemory: MountSpec {
        var flags = ["nosuid", "nodev", "strictatime", "mode=1777"]
        if hasPrivateMemory, let size = task.container?.linux?.sharedMemory {
            flags.append("size=\(UInt64(size.mebibytes) << 20)")
        }
        return MountSpec("/dev/shm", type: "tmpfs", source: "shm", options: flags)
    }

    /// Notes wishes that Mesos refuses, and those that it ignores.
    private func checkNamespaces() {
        guard let linux = task.container?.linux else { return }
        if let pointer = linux.pidPointer, linux.sharesPID == false, !options.isolation.separatesPID {
            findings.warn(pointer, "ignored, because the isolator namespaces/pid is off")
        }
        guard options.isolation.separatesIPC else {
            for pointer in [linux.ipcPointer, linux.sharedMemory?.pointer].compactMap({ $0 }) {
                findings.warn(pointer, "ignored, because the isolator namespaces/ipc is off")
            }
            return
        }
        if linux.ipcMode == .unknown, let pointer = linux.ipcPointer {
            findings.problem(pointer, "unknown IPC mode 'UNKNOWN'")
        }
        if let size = linux.sharedMemory, linux.ipcMode != .isolated {
            findings.problem(
                size.pointer, "only support specifying the size of /dev/shm when the IPC mode is `PRIVATE`")
        }
    }
}
