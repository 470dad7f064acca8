internal import CKernel
internal import Cgroups
internal import Glibc
public import Kernel

/// Looks at this host: what there is for containers, what is missing, and what that costs.
///
/// It changes nothing, and needs no privilege.
public struct Doctor: Sendable {
    let root: String

    /// A look at the host, for containers whose state lies in `root`.
    public init(root: String) { self.root = root }

    /// All that was found, heading by heading.
    public func examine() throws(Failure) -> [Finding] {
        try kernel() + namespaces() + cgroups() + seccomp() + fileSystems() + security() + privileges()
            + helpers() + state()
    }

    // MARK: Kernel

    private func kernel() throws(Failure) -> [Finding] {
        var found = Findings("kernel")
        let release = try Files.read("/proc/sys/kernel/osrelease").prefix { $0 != "\n" }
        found.note("release", String(release))
        for call in Doctor.calls where !call.exists {
            found.check(
                call.name, false, needed: true,
                cost: "Linux \(call.since) brought it")
        }
        if Doctor.calls.allSatisfy(\.exists) {
            found.check(
                "system calls", true, detail: Doctor.calls.map(\.name).joined(separator: " "), cost: "")
        }
        var status: Int32 = 0
        let own = FileDescriptor(
            adopting: Int32(try checked("pidfd_open", sys_pidfd_open(Int32(sys_getpid()), 0))))
        let answer = sys_pidfd_exit_status(own.raw, &status)
        found.check(
            "exit status by pidfd", answer >= 0 || answer == -Int(ESRCH),
            cost:
                "\"wait\" cannot tell how a plain container ended (Linux 6.15 brought it); with --init it can"
        )
        return found.all
    }

    private struct Call: Sendable {
        let name: String
        let since: String
        let exists: Bool
    }

    /// Asked with arguments that no kernel accepts: only a kernel without the call says ENOSYS.
    private static var calls: [Call] {
        func call(_ name: String, _ since: String, _ answer: Int) -> Call {
            Call(name: name, since: since, exists: answer != -Int(ENOSYS))
        }
        return [
            call("openat2", "5.6", sys_openat2(-1, "x", 0, 0, 0)),
            call("open_tree", "5.2", sys_open_tree(-1, "x", 0)),
            call("move_mount", "5.2", sys_move_mount(-1, "x", -1, "x", 0)),
            call("fsconfig", "5.2", sys_fsconfig(-1, 0, nil, nil, 0)),
            call("mount_setattr", "5.12", sys_mount_setattr(-1, "x", 0, 0, 0, 0)),
            call("pidfd_open", "5.3", sys_pidfd_open(-1, 0)),
            call("faccessat2", "5.8", sys_faccessat2(-1, "x", 0, 0)),
            call("close_range", "5.9", sys_close_range(UInt32.max, UInt32.max, K_CLOSE_RANGE_CLOEXEC)),
        ]
    }

    // MARK: Namespaces

    private func namespaces() throws(Failure) -> [Finding] {
        var found = Findings("namespaces")
        let kinds = ["mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"]
        let here = try Files.names(inFolder: "/proc/self/ns")
        for kind in kinds where !here.contains(kind) {
            found.check(
                kind, false, needed: kind == "mnt",
                cost: "containers that ask for one are refused (kernel built without it)")
        }
        let present = kinds.filter { here.contains($0) }
        found.check("kinds", !present.isEmpty, detail: present.joined(separator: " "), cost: "none is here")
        let limit = try number("/proc/sys/user/max_user_namespaces")
        let allowed = try number("/proc/sys/kernel/unprivileged_userns_clone") ?? 1
        found.check(
            "user namespaces for everybody", (limit ?? 0) > 0 && allowed != 0,
            detail: limit.map { "at most \($0)" } ?? "",
            cost: "no rootless containers; see the sysctls user.max_user_namespaces and "
                + "kernel.unprivileged_userns_clone")
        return found.all
    }

    // MARK: Cgroups

    private func cgroups() throws(Failure) -> [Finding] {
        var found = Findings("cgroups")
        let layout: CgroupLayout
        do { layout = try CgroupLayout.detect() } catch {
            found.check("layout", false, needed: true, cost: error.message)
            return found.all
        }
        let isHybrid =
            layout.version == .v1 && layout.hierarchies.contains { $0.name == CgroupLayout.unified }
        found.note("layout", layout.version == .v2 ? "v2" : isHybrid ? "v1, with cgroup2 beside it" : "v1")
        let controllers: [String]
        switch layout.version {
        case .v1: controllers = layout.hierarchies.flatMap(\.controllers)
        case .v2:
            controllers = try Files.read(CgroupLayout.root + "/cgroup.controllers")
                .split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
        }
        let wanted =
            ["cpu", "cpuset", "memory", "pids"]
            + (layout.version == .v1 ? ["devices", "freezer", "blkio"] : ["io"])
        found.check(
            "controllers", wanted.allSatisfy(controllers.contains),
            detail: controllers.joined(separator: " "),
            cost: "not here: \(wanted.filter { !controllers.contains($0) }.joined(separator: " ")); "
                + "limits of these are refused\(controllers.contains("freezer") || layout.version == .v2 ? "" : ", and so is pause")"
        )
        let closed = layout.hierarchies.filter { sys_faccessat2(AT_FDCWD, $0.mount, W_OK, 0) < 0 }
        found.check(
            "writable", closed.isEmpty,
            detail: closed.isEmpty ? "" : closed.map(\.mount).joined(separator: " "),
            cost: "containers run without limits of their own, and cannot be paused (rootless), "
                + "unless the cgroups are delegated")
        let swap =
            layout.version == .v1
            ? "\(layout.hierarchies.first { $0.controllers.contains("memory") }?.mount ?? "")/memory.memsw.limit_in_bytes"
            : nil
        if let swap {
            found.check(
                "swap accounting", try FileStatus.of(swap) != nil,
                cost: "memory.swap is refused (kernel parameter swapaccount=1)")
        }
        found.check(
            "systemd", try FileStatus.of("/run/systemd/system") != nil,
            cost: "--systemd-cgroup is refused: systemd does not run here")
        return found.all
    }

    // MARK: Seccomp and security modules

    private func seccomp() throws(Failure) -> [Finding] {
        var found = Findings("seccomp")
        let actions = try Files.readIfPresent("/proc/sys/kernel/seccomp/actions_avail")
        found.check(
            "filters", actions != nil,
            detail: String((actions ?? "").prefix { $0 != "\n" }),
            cost: "configs with linux.seccomp fail (kernel built without CONFIG_SECCOMP_FILTER)")
        found.note("libseccomp", Libraries.seccomp)
        return found.all
    }

    private func security() throws(Failure) -> [Finding] {
        var found = Findings("security modules")
        let apparmor = try Files.readIfPresent("/sys/module/apparmor/parameters/enabled")
        found.check(
            "AppArmor", apparmor?.hasPrefix("Y") ?? false, cost: "process.apparmorProfile is refused")
        found.check(
            "SELinux", try FileStatus.of("/sys/fs/selinux/enforce") != nil,
            cost: "process.selinuxLabel and linux.mountLabel are refused")
        found.check(
            "resctrl", try FileStatus.of("/sys/fs/resctrl/schemata") != nil, cost: "linux.intelRdt is refused"
        )
        return found.all
    }

    private func fileSystems() throws(Failure) -> [Finding] {
        var found = Findings("file systems")
        let known = try Files.read("/proc/filesystems").split(separator: "\n").compactMap {
            $0.split(separator: "\t").last.map(String.init)
        }
        let needed = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"]
        let missing = needed.filter { !known.contains($0) }
        found.check(
            "of every container", missing.isEmpty, detail: needed.joined(separator: " "),
            cost: "not here: \(missing.joined(separator: " "))")
        found.check(
            "overlay", known.contains("overlay"),
            cost: "images are copied instead (or the module is not loaded yet)")
        return found.all
    }
}

extension Doctor {
    /// The number in a file of procfs; `nil` where there is none.
    func number(_ path: String) throws(Failure) -> Int64? {
        try Files.readIfPresent(path).flatMap { Int64($0.prefix { $0 != "\n" }) }
    }
}
