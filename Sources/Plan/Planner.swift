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
        for (index, mount) in spec.mounts.enumerated() {
            plan.add(try operation(for: mount, bundle: bundle, at: "/mounts/\(index)"), in: .mounts)
        }
        if !sharesRoot { addDevices(spec, to: &plan) }
        for entry in spec.linux.sysctl {
            plan.add(.sysctl(name: entry.name, value: entry.value), in: .sysctls)
        }
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
        // least.
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
        if spec.linux.rootfsPropagation != nil { plan.add(.rootPropagation(last), in: .pivot) }
    }

    private static func addDevices(_ spec: Spec, to plan: inout Plan) {
        let wanted = spec.linux.devices
        for device in standardDevices where !wanted.contains(where: { $0.path == device.path }) {
            plan.add(.device(device), in: .devices)
        }
        for device in wanted { plan.add(.device(device), in: .devices) }
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

    private static func operation(
        for mount: MountSpec, bundle: String, at pointer: String
    ) throws(Failure) -> Operation {
        let options = try MountOptions(mount.options, at: pointer + "/options")
        let target = try normalized(mount.destination, at: pointer + "/destination")
        let type = mount.type ?? ""
        if options.bind || type == "bind" {
            return .bind(try bind(mount, options, target: target, bundle: bundle, at: pointer))
        }
        if type == "cgroup" || type == "cgroup2" {
            return .cgroups(target: target, attributes: options.attributes)
        }
        guard !type.isEmpty, type != "none" else {
            throw Failure(.document(at: pointer + "/type", "a mount that binds nothing needs a type"))
        }
        if target == "/proc" && type != "proc" || target.hasPrefix("/proc/") {
            throw Failure(
                .document(at: pointer + "/destination", "\"\(type)\" must not be mounted on \"\(target)\""))
        }
        if options.attributes.setRecursive | options.attributes.clearRecursive != 0 {
            let reason = "recursive attributes: a fresh file system has nothing below it"
            throw Failure(.document(at: pointer + "/options", reason))
        }
        return .mount(
            FilesystemMount(
                type: type, source: mount.source, target: target, attributes: options.attributes,
                parameters: options.parameters, propagation: options.propagation))
    }

    private static func bind(
        _ mount: MountSpec, _ options: MountOptions, target: String, bundle: String, at pointer: String
    ) throws(Failure) -> BindMount {
        guard let source = mount.source, !source.isEmpty else {
            throw Failure(.document(at: pointer + "/source", "\"source\" is missing"))
        }
        if let word = options.parameters.first {
            throw Failure(.document(at: pointer + "/options", "\"\(word)\" is no option of a bind mount"))
        }
        if target.hasPrefix("/proc/"), !mountableInProc.contains(target) {
            throw Failure(.document(at: pointer + "/destination", "nothing may be mounted on \"\(target)\""))
        }
        return BindMount(
            source: source.hasPrefix("/") ? source : bundle + "/" + source, target: target,
            recursive: options.recursive, attributes: options.attributes,
            propagation: options.propagation)
    }

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
