package import OCI

/// One step by which the child turns its fresh namespaces into the container.
///
/// A plan is data: it can be compared in a test and printed before anything happens.
package enum Operation: Hashable, Sendable {
    /// Set the propagation of the whole tree, so that nothing done here reaches the host.
    case propagation(MountPropagation)
    /// Take the host's root as it is; the container shares it.
    case shareRoot
    /// Bind the root file system on itself and open it: everything later goes through that descriptor.
    case bindRoot(String)
    case mount(FilesystemMount)
    case bind(BindMount)
    /// The container's own cgroups, at a place of its tree.
    case cgroups(target: String, attributes: MountAttributes, propagation: [MountPropagation])
    case remount(Remount)
    case device(DeviceSpec)
    case link(path: String, target: String)
    /// The task's working directory, made where it is missing.
    case workingDirectory(String)
    /// A new terminal, which is also `/dev/console`; that file may only be made in a root of the container's own.
    case terminal(makesConsole: Bool)
    case mask(String)
    case readOnly(String)
    /// The file systems that were to be read-only once everything in them was made.
    case readOnlyMounts
    case readOnlyRoot
    case sysctl(name: String, value: String)
    /// Everything is mounted, and may still be written: the hooks of `create` have their turn.
    case hooks
    case pivot
    /// Take the folder at this path of an existing mount namespace as the root.
    case enterRoot(String)
    /// Mount the root over the old one: where that is a ramdisk, pivot_root(2) fails.
    case moveRoot
    /// What the container's own mounts pass on, once it lives in its root.
    case rootPropagation(MountPropagation)
    /// What single mounts pass on, where their words differ from the root's.
    case mountPropagation
    case hostname(String)
    case domainname(String)
}

/// When an operation happens: the order of the cases is the order of execution.
package enum Phase: Int, CaseIterable, Sendable {
    /// Cut the ties to the host's mounts before anything is mounted.
    case isolation
    case root
    case mounts
    /// After the mounts: a mount on /dev must not hide them.
    case devices
    case links
    /// In whichever mount it lies, and while that may still be written.
    case workingDirectory
    /// While /proc/sys may still be written.
    case sysctls
    /// Before the root is made read-only: they may add to it.
    case hooks
    /// After everything that makes files in the tree.
    case masks
    case readOnly
    case pivot
    case names
}

/// What the child does, in order.
package struct Plan: Hashable, Sendable {
    private var steps: [[Operation]] = Array(repeating: [], count: Phase.allCases.count)

    package init() {}

    package mutating func add(_ operation: Operation, in phase: Phase) {
        steps[phase.rawValue].append(operation)
    }

    /// What is mounted, in the order of the config.
    package var mounts: [Operation] { steps[Phase.mounts.rawValue] }

    /// All operations in the order of the phases, and within one in the order in which they were added.
    package var ordered: [Operation] { steps.flatMap { $0 } }
}
