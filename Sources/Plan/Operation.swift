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
    case cgroups(target: String, attributes: MountAttributes)
    case device(DeviceSpec)
    case link(path: String, target: String)
    case mask(String)
    case readOnly(String)
    case readOnlyRoot
    case sysctl(name: String, value: String)
    case pivot
    /// Take the folder at this path of an existing mount namespace as the root.
    case enterRoot(String)
    /// Mount the root over the old one: where that is a ramdisk, pivot_root(2) fails.
    case moveRoot
    /// What the container's own mounts pass on, once it lives in its root.
    case rootPropagation(MountPropagation)
    case hostname(String)
    case domainname(String)
}

/// A file system of its own, like a tmpfs.
package struct FilesystemMount: Hashable, Sendable {
    package let type: String
    package let source: String?
    package let target: String
    package let attributes: MountAttributes
    /// Parameters of the file system: `key` or `key=value`.
    package let parameters: [String]
    package let propagation: MountPropagation?
}

/// A part of the host's tree.
package struct BindMount: Hashable, Sendable {
    package let source: String
    package let target: String
    package let recursive: Bool
    package let attributes: MountAttributes
    package let propagation: MountPropagation?
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
    /// While /proc/sys may still be written.
    case sysctls
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

    /// All operations in the order of the phases, and within one in the order in which they were added.
    package var ordered: [Operation] { steps.flatMap { $0 } }
}
