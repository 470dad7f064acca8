package import Kernel

/// What the agent isolates: the value of its flag `--isolation`.
package struct Isolation: Sendable, Equatable {
    /// The isolators that this version knows how to bring about.
    enum Isolator: String, CaseIterable {
        case posixCPU = "posix/cpu"
        case posixMemory = "posix/mem"
        case cgroupsCPU = "cgroups/cpu"
        case cgroupsMemory = "cgroups/mem"
        case pidNamespace = "namespaces/pid"
        case ipcNamespace = "namespaces/ipc"
        /// The container's own mount namespace, which it always has here.
        case linuxFilesystem = "filesystem/linux"
    }

    /// The isolators of Mesos that are still to come, or that never will.
    private static let others: Set<String> = [
        "appc/runtime", "cgroups/all", "cgroups/blkio", "cgroups/cpuset", "cgroups/devices",
        "cgroups/hugetlb",
        "cgroups/io", "cgroups/net_cls", "cgroups/net_prio", "cgroups/perf_event", "cgroups/pids", "disk/du",
        "disk/xfs", "docker/runtime", "docker/volume", "environment_secret", "filesystem/posix",
        "filesystem/shared",
        "filesystem/windows", "gpu/nvidia", "linux/capabilities", "linux/devices", "linux/nnp",
        "linux/seccomp",
        "network/cni", "network/port_mapping", "network/ports", "posix/disk", "posix/rlimits", "volume/csi",
        "volume/host_path", "volume/image", "volume/sandbox_path", "volume/secret", "windows/cpu",
        "windows/mem",
    ]

    private let isolators: Set<Isolator>

    /// Mesos' default: usage is measured, nothing is limited.
    package static let posix = Isolation([.posixCPU, .posixMemory])

    private init(_ isolators: Set<Isolator>) { self.isolators = isolators }

    /// Reads a list, separated by commas.
    ///
    /// - Throws: one line that names everything in it that is not understood.
    package init(list: String) throws(Failure) {
        var found: Set<Isolator> = []
        var unsupported: [String] = []
        var unknown: [String] = []
        for name in list.split(separator: ",").map(String.init) {
            if let isolator = Isolator(rawValue: name) {
                found.insert(isolator)
            } else if Isolation.others.contains(name) {
                unsupported.append("\"\(name)\"")
            } else {
                unknown.append("\"\(name)\"")
            }
        }
        if !unknown.isEmpty {
            throw .refused("--isolation: Mesos has no isolator \(unknown.joined(separator: ", "))")
        }
        if !unsupported.isEmpty {
            let names = unsupported.joined(separator: ", ")
            throw .refused("--isolation: \(names): not supported by this version of mrun")
        }
        isolators = found
    }

    /// Whether cgroups share the CPU out.
    var limitsCPU: Bool { isolators.contains(.cgroupsCPU) }
    /// Whether a cgroup limits memory.
    var limitsMemory: Bool { isolators.contains(.cgroupsMemory) }
    /// Whether containers see only their own processes.
    var separatesPID: Bool { isolators.contains(.pidNamespace) }
    /// Whether containers have their own System V IPC and POSIX message queues.
    var separatesIPC: Bool { isolators.contains(.ipcNamespace) }
}
