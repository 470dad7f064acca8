internal import Kernel

/// What the agent's flags and the caller's options say about every task alike.
///
/// Those that the Mesos agent has carry its flags' names on the command line, and its defaults.
package struct TranslationOptions: Sendable {
    /// Which cgroup files the limits are for.
    package enum CgroupVersion: Sendable {
        case v1
        case v2
    }

    /// `--isolation`: what is kept apart, and limited.
    package var isolation = Isolation.posix
    /// `--cgroups_root`: the cgroup that holds the containers', relative to the hierarchy.
    package var cgroupsRoot = "mesos"
    /// Whether systemd is to make the cgroups: then the path is one of its scopes, in the slice that agents use.
    package var systemd = false
    /// `--cgroups_enable_cfs`: limit CPU time to the request even where the task sets no limit.
    package var enableCFS = false
    /// `--cgroups_limit_swap`: the limit of memory is one of memory and swap together; version 1 only.
    package var limitSwap = false
    /// `--sandbox_directory`: where the sandbox is in a container with a root filesystem of its own.
    package var sandboxDirectory = "/mnt/mesos/sandbox"
    /// `--revocable_cpu_low_priority`: revocable CPUs weigh about a hundredth.
    package var revocableCPULowPriority = true
    /// 1 to 242 bytes, without `.`, `/`, `\`, blanks and control characters.
    package var containerID: String
    /// The task's sandbox on the host, absolute; `nil`: it has none, and starts in `/`.
    package var sandbox: String?
    /// The unpacked image, absolute; `nil`: the container shares the host's root filesystem.
    package var rootfs: String?
    package var cgroupVersion: CgroupVersion
    /// Whether to add what Mesos' command executor would use: 0.1 CPUs and 32 MiB.
    package var executorOverhead = true
    /// The machine's memory in bytes, for the OOM score.
    package var totalMemory: UInt64
    /// The host's accounts: users are looked up there even where the container has an image, as Mesos does.
    package var users: UserDatabase

    /// Mesos' defaults, and what has none.
    package init(
        containerID: String, cgroupVersion: CgroupVersion, totalMemory: UInt64,
        users: UserDatabase = UserDatabase(passwd: "", group: "")
    ) {
        self.containerID = containerID
        self.cgroupVersion = cgroupVersion
        self.totalMemory = totalMemory
        self.users = users
    }

    /// Notes what is wrong with the options themselves.
    func check(_ findings: Findings) {
        if let problem = TranslationOptions.problem(containerID: containerID) {
            findings.refusal("--container-id: \"\(containerID)\" \(problem)")
        }
        if limitSwap && cgroupVersion == .v2 {
            findings.refusal("--cgroups_limit_swap: not supported with cgroups v2")
        }
        let paths = [
            ("--sandbox_directory", sandboxDirectory), ("--sandbox", sandbox), ("--rootfs", rootfs),
        ]
        for (name, path) in paths {
            guard let path, !path.hasPrefix("/") else { continue }
            findings.refusal("\(name): \"\(path)\" is relative")
        }
        if let rootfs, rootfs.utf8.allSatisfy({ $0 == UInt8(ascii: "/") }) {
            findings.refusal("--rootfs: \"\(rootfs)\" is the host's: leave the option out to share it")
        }
        let steps = Path.steps(cgroupsRoot)
        if steps.isEmpty || steps.contains("..") || steps.contains(".") {
            findings.refusal("--cgroups_root: \"\(cgroupsRoot)\" is no cgroup below the root")
        }
    }

    /// What Mesos would say about a container's id; `nil`: nothing.
    private static func problem(containerID: String) -> String? {
        guard (1...242).contains(containerID.utf8.count) else { return "has not 1 to 242 bytes" }
        for scalar in containerID.unicodeScalars where ". /\\".unicodeScalars.contains(scalar) {
            return "contains '\(Character(scalar))'"
        }
        let isPlain = containerID.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }
        return isPlain ? nil : "contains control characters"
    }
}
