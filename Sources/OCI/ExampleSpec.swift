extension Spec {
    /// A config to begin with, as `mrun spec` writes it: a shell in the bundle's `rootfs`.
    package static var example: Spec {
        var spec = Spec()
        var process = ProcessSpec(args: ["sh"], cwd: "/")
        process.terminal = true
        process.env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]
        let few = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        var capabilities = CapabilitySpec()
        capabilities.bounding = few
        capabilities.effective = few
        capabilities.permitted = few
        process.capabilities = capabilities
        process.rlimits = [RlimitSpec(type: "RLIMIT_NOFILE", soft: 1024, hard: 1024)]
        process.noNewPrivileges = true
        spec.process = process
        spec.root = RootSpec(path: "rootfs", readonly: true)
        spec.hostname = "mrun"
        spec.mounts = standardMounts
        spec.linux.resources.devices = [DeviceRule(allow: false)]
        spec.linux.namespaces = [.pid, .network, .ipc, .uts, .mount].map { NamespaceSpec($0) }
        spec.linux.maskedPaths = maskedPaths
        spec.linux.readonlyPaths = readonlyPaths
        return spec
    }

    /// The mounts that images expect.
    package static var standardMounts: [MountSpec] {
        let closed = ["nosuid", "noexec", "nodev"]
        return [
            MountSpec("/proc", type: "proc", source: "proc"),
            MountSpec(
                "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            MountSpec(
                "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            MountSpec(
                "/dev/shm", type: "tmpfs", source: "shm", options: closed + ["mode=1777", "size=65536k"]),
            MountSpec("/dev/mqueue", type: "mqueue", source: "mqueue", options: closed),
            MountSpec("/sys", type: "sysfs", source: "sysfs", options: closed + ["ro"]),
            MountSpec(
                "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: closed + ["relatime", "ro"]),
        ]
    }

    /// What a container has no business reading.
    package static var maskedPaths: [String] {
        [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
        ]
    }

    /// What a container has no business writing.
    package static var readonlyPaths: [String] {
        ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    }
}
