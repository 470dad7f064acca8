internal import CCap
internal import CSeccomp
public import JSON
internal import Kernel
internal import OCI

/// What this build of mrun can do, as the specification's features document; nothing of the host is asked.
public enum Features {
    /// The document; `version` is mrun's own.
    public static func json(version: String) -> JSON {
        .object([
            "ociVersionMin": "1.0.0",
            "ociVersionMax": .string(Spec.version),
            "hooks": words([
                "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
            ]),
            "mountOptions": words(mountOptions.sorted()),
            "linux": linux,
            "annotations": .object([
                "io.github.seccomp.libseccomp.version": .string(Libraries.seccomp),
                "org.mrun.version": .string(version),
            ]),
            "potentiallyUnsafeConfigAnnotations": words([
                "org.mrun.", "org.systemd.property.", "org.criu.config",
            ]),
        ])
    }

    private static var linux: JSON {
        let enabled: JSON = .object(["enabled": true])
        return .object([
            "namespaces": words(NamespaceKind.allCases.map(\.rawValue).sorted()),
            "capabilities": words(capabilities),
            "cgroup": .object([
                "v1": true, "v2": true, "systemd": true, "systemdUser": true, "rdma": true,
            ]),
            "seccomp": seccomp,
            "apparmor": enabled,
            "selinux": enabled,
            "intelRdt": .object(["enabled": true, "schemata": true, "monitoring": true]),
            "memoryPolicy": .object([
                "modes": words(memoryModes), "flags": words(memoryFlags),
            ]),
            "mountExtensions": .object(["idmap": enabled]),
            "netDevices": enabled,
        ])
    }

    private static func words(_ list: [String]) -> JSON { .array(list.map(JSON.string)) }

    /// By libcap, in the order of their numbers.
    private static var capabilities: [String] {
        var names: [String] = []
        for number in 0..<cap_value_t(cap_max_bits()) {
            guard let name = cap_to_name(number) else { continue }
            // Numbers beyond those that libcap knows come back as digits.
            let text = String(cString: name).uppercased()
            cap_free(name)
            if text.hasPrefix("CAP_") { names.append(text) }
        }
        return names
    }

    private static var seccomp: JSON {
        .object([
            "enabled": true,
            "actions": words([
                "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
            ]),
            "operators": words([
                "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
                "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
            ]),
            "archs": words(architectures),
            "knownFlags": words(seccompFlags),
            "supportedFlags": words(seccompFlags),
        ])
    }

    private static let seccompFlags = [
        "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ]

    /// Those of the specification that the linked libseccomp knows.
    private static var architectures: [String] {
        [
            "AARCH64", "ARM", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PARISC",
            "PARISC64", "PPC", "PPC64", "PPC64LE", "RISCV64", "S390", "S390X", "X32", "X86", "X86_64",
        ].filter { seccomp_arch_resolve_name($0.lowercased()) != 0 }.map { "SCMP_ARCH_" + $0 }
    }

    private static let memoryModes = [
        "MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED", "MPOL_PREFERRED_MANY",
        "MPOL_WEIGHTED_INTERLEAVE",
    ]
    private static let memoryFlags = [
        "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES",
    ]

    /// The words of `mounts[].options` that mean something to mrun; any other is the file system's.
    package static let mountOptions = [
        "async", "atime", "bind", "copy-symlink", "defaults", "dest-nofollow", "dev", "diratime", "dirsync",
        "exec", "idmap", "iversion",
        "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime",
        "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind",
        "rdev", "rdiratime", "relatime", "remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime",
        "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime",
        "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw",
        "shared", "silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
        "unbindable",
    ]
}
