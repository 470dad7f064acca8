package import Kernel
package import OCI

/// Turns a config into the operations that bring it about.
///
/// Pure: it looks nothing up on the host.
package enum Planner {
    /// The plan for `spec`, with the root file system at the absolute path `rootfs`; relative sources of bind
    /// mounts lie in `bundle`.
    package static func plan(
        for spec: Spec, rootfs: String, bundle: String, movesRoot: Bool = false
    ) throws(Failure) -> Plan {
        var plan = Plan()
        let joinsMounts = spec.linux.namespace(.mount)?.path != nil
        let sharesRoot = rootfs == "/" || joinsMounts
        try addRoot(spec, rootfs: rootfs, movesRoot: movesRoot, to: &plan)
        try addMounts(spec, bundle: bundle, to: &plan)
        if !sharesRoot { addDevices(spec, to: &plan) }
        // Nothing is made in the host's own tree.
        if let cwd = spec.process?.cwd, cwd != "/", !sharesRoot {
            plan.add(.workingDirectory(cwd), in: .workingDirectory)
        }
        // After the links, since nothing may be one that was made for it; before the root becomes read-only.
        if spec.process?.terminal == true { plan.add(.terminal(makesConsole: !sharesRoot), in: .links) }
        for entry in spec.linux.sysctl {
            plan.add(.sysctl(name: entry.name, value: entry.value), in: .sysctls)
        }
        if spec.hooks?.areInCreate == true { plan.add(.hooks, in: .hooks) }
        for path in spec.linux.maskedPaths { plan.add(.mask(path), in: .masks) }
        for path in spec.linux.readonlyPaths { plan.add(.readOnly(path), in: .readOnly) }
        if spec.root?.readonly == true { plan.add(.readOnlyRoot, in: .readOnly) }
        if let hostname = spec.hostname { plan.add(.hostname(hostname), in: .names) }
        if let domainname = spec.domainname { plan.add(.domainname(domainname), in: .names) }
        return plan
    }

    private static func addRoot(
        _ spec: Spec, rootfs: String, movesRoot: Bool, to plan: inout Plan
    ) throws(Failure) {
        if spec.linux.namespace(.mount)?.path != nil {
            // Its root is where it lies already.
            if rootfs != "/" { plan.add(.enterRoot(rootfs), in: .root) }
            return
        }
        // Shared mounts of the host must not see ours, so the tree is a slave while it is being built, at
        // least. What is to stay a peer of the host's is taken before that.
        let word = spec.linux.rootfsPropagation ?? "rslave"
        let isPrivate = word.hasSuffix("private") || word.hasSuffix("unbindable")
        guard let first = MountPropagation(word: isPrivate ? "rprivate" : "rslave"),
            let last = MountPropagation(word: word)
        else { return }
        plan.add(.propagation(first), in: .isolation)
        if rootfs == "/" {
            plan.add(.shareRoot, in: .root)
        } else {
            plan.add(.bindRoot(rootfs), in: .root)
            plan.add(movesRoot ? .moveRoot : .pivot, in: .pivot)
        }
        // A private root is what it is already, and mounts that were asked to share must go on doing so.
        if spec.linux.rootfsPropagation != nil, !last.isPrivate {
            plan.add(.rootPropagation(last), in: .pivot)
        }
    }

    private static func addDevices(_ spec: Spec, to plan: inout Plan) {
        // A folder of the host on /dev has the host's devices, and gets none of ours.
        let isHosts = plan.mounts.contains {
            if case .bind(let mount) = $0 { mount.target == "/dev" } else { false }
        }
        let wanted = spec.linux.devices
        if !isHosts {
            for device in standardDevices where !wanted.contains(where: { $0.path == device.path }) {
                plan.add(.device(device), in: .devices)
            }
        }
        for device in wanted where !isHosts || Path.steps(device.path).first != "dev" {
            plan.add(.device(device), in: .devices)
        }
        if isHosts { return }
        for (path, target) in standardLinks { plan.add(.link(path: path, target: target), in: .links) }
    }

    /// The devices that every container has (specification, "Default Devices").
    private static let standardDevices = [
        DeviceSpec(path: "/dev/null", major: 1, minor: 3), DeviceSpec(path: "/dev/zero", major: 1, minor: 5),
        DeviceSpec(path: "/dev/full", major: 1, minor: 7),
        DeviceSpec(path: "/dev/random", major: 1, minor: 8),
        DeviceSpec(path: "/dev/urandom", major: 1, minor: 9),
        DeviceSpec(path: "/dev/tty", major: 5, minor: 0),
    ]

    private static let standardLinks: KeyValuePairs = [
        "/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
        "/dev/stderr": "/proc/self/fd/2", "/dev/ptmx": "pts/ptmx",
    ]

    /// What lxcfs and its like put over files of procfs; anything else below /proc could fool the runtime or
    /// a security module (CVE-2019-16884, CVE-2019-19921).
    package static let mountableInProc = [
        "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
        "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
        "/proc/sys/crypto/fips_enabled",
    ]

    /// A destination without empty, `.` and `..` steps.
    static func normalized(_ path: String, at pointer: String) throws(Failure) -> String {
        var steps: [Substring] = []
        for step in Path.steps(path) where step != "." {
            if step == ".." { _ = steps.popLast() } else { steps.append(step) }
        }
        guard !steps.isEmpty else {
            throw Failure(
                .document(at: pointer, "\"\(path)\" is the root: a mount there would hide the container"))
        }
        return "/" + steps.joined(separator: "/")
    }
}
