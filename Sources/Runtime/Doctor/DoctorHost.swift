internal import CCap
internal import CKernel
internal import Glibc
internal import Kernel

extension Doctor {
    // MARK: Who mrun is

    func privileges() throws(Failure) -> [Finding] {
        var found = Findings("privileges")
        let uid = sys_geteuid()
        found.note("user", uid == 0 ? "root" : "uid \(uid): containers need a user namespace")
        guard uid == 0 else { return found.all }
        let effective = try effectiveCapabilities()
        for (name, cost) in Doctor.useful where !has(effective, name) {
            found.check(name, false, needed: name == "CAP_SYS_ADMIN", cost: cost)
        }
        if Doctor.useful.allSatisfy({ has(effective, $0.name) }) {
            found.check("capabilities", true, detail: "all that mrun can use", cost: "")
        }
        return found.all
    }

    /// Capabilities that mrun itself makes use of, and what goes without them.
    private static let useful: [(name: String, cost: String)] = [
        ("CAP_SYS_ADMIN", "no namespace and no mount can be made"),
        ("CAP_SYS_RESOURCE", "rlimits above mrun's own hard limits fail, and so does a lower oomScoreAdj"),
        ("CAP_MKNOD", "no device node can be made"),
        ("CAP_SETUID", "tasks cannot run as other users"),
        ("CAP_SETGID", "tasks cannot run in other groups"),
        ("CAP_SETPCAP", "the bounding set cannot be reduced"),
        ("CAP_CHOWN", "no terminal or device can be given to a task's user"),
        ("CAP_DAC_OVERRIDE", "root file systems of other users cannot be set up"),
        ("CAP_KILL", "tasks of other users cannot be signalled"),
        ("CAP_NET_ADMIN", "loopback and network devices of a container cannot be set up"),
        ("CAP_SYS_PTRACE", "namespaces of other users' processes cannot be joined"),
    ]

    private func effectiveCapabilities() throws(Failure) -> UInt64 {
        for line in try Files.read("/proc/self/status").split(separator: "\n") where line.hasPrefix("CapEff:")
        {
            return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) ?? 0
        }
        return 0
    }

    private func has(_ set: UInt64, _ name: String) -> Bool {
        var value: cap_value_t = -1
        guard cap_from_name(name, &value) == 0, value >= 0, value < 64 else { return false }
        return set & 1 << UInt64(value) != 0
    }

    // MARK: Programs that mrun calls

    func helpers() throws(Failure) -> [Finding] {
        var found = Findings("helper programs")
        for helper in Doctor.programs {
            let place = Doctor.find(helper.name)
            found.check(
                helper.name, place != nil, detail: place ?? "",
                cost: "\(helper.use) (Debian package \(helper.package))")
        }
        return found.all
    }

    private static let programs: [(name: String, package: String, use: String)] = [
        ("ps", "procps", "the table of \"mrun ps\" needs it"),
        ("newuidmap", "uidmap", "an ordinary user can map no more than their own uid"),
        ("newgidmap", "uidmap", "an ordinary user can map no more than their own gid"),
        ("criu", "criu", "\"mrun checkpoint\" and \"restore\" need it"),
    ]

    /// Where PATH, or the usual places for administrators, has the program.
    private static func find(_ name: String) -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders = path.utf8.split(separator: UInt8(ascii: ":")).map { String(Substring($0)) }
        for folder in folders + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            let candidate = "\(folder)/\(name)"
            if sys_faccessat2(AT_FDCWD, candidate, X_OK, 0) == 0 { return candidate }
        }
        return nil
    }

    // MARK: Where the state goes

    func state() throws(Failure) -> [Finding] {
        var found = Findings("state")
        guard let folder = try FileDescriptor.openIfPresent(root, flags: O_PATH | O_DIRECTORY) else {
            found.note(root, "is made with the first container")
            return found.all
        }
        found.check(
            root, sys_faccessat2(AT_FDCWD, root, W_OK, 0) == 0, needed: true,
            cost: "it cannot be written; name another folder by --root")
        let isMemory = sys_filesystem_magic(folder.raw) == Int(K_TMPFS_MAGIC)
        found.check(
            "in memory", isMemory,
            cost:
                "every change of a container waits for the disk, and records outlive a reboot; a tmpfs is better"
        )
        return found.all
    }
}
