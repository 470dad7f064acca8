package import Kernel
package import OCI

/// One text that goes into one control file.
package struct ControlWrite: Sendable, Equatable {
    /// A file that another kernel, or another I/O scheduler, has in place of the first one.
    package struct Alternative: Sendable, Equatable {
        package let file: String
        package let text: String
    }

    package let file: String
    package let text: String
    /// Whether a kernel without this file is fine with us.
    package let onlyIfPresent: Bool
    /// What to write where there is no such file.
    package let alternative: Alternative?

    package init(
        _ file: String, _ text: String, onlyIfPresent: Bool = false, or alternative: Alternative? = nil
    ) {
        self.file = file
        self.text = text
        self.onlyIfPresent = onlyIfPresent
        self.alternative = alternative
    }
}

/// A cgroup controller: says which control file gets which text, and does no I/O.
package protocol Controller: Sendable {
    /// The kernel's name.
    static var name: String { get }

    /// The writes that bring `resources` about, in order; empty when there is nothing to limit.
    ///
    /// The manager writes again, once and last, what the kernel refuses with `EINVAL` in a first round: the legal order
    /// of two limits that bound each other depends on the values before.
    static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite]
}

/// The controllers of cgroup v1.
package enum V1 {
    package static let all: [any Controller.Type] = [
        CPU.self, Cpuset.self, Memory.self, Pids.self, Devices.self, BlockIO.self, Hugetlb.self,
        NetworkClass.self, NetworkPriority.self, RDMA.self,
    ]
}

/// The controllers of cgroup v2.
package enum V2 {
    package static let all: [any Controller.Type] = [
        CPU.self, Cpuset.self, Memory.self, Pids.self, IO.self, Hugetlb.self, RDMA.self,
    ]

    /// Those that a hybrid host may have on cgroup2, beside its v1 hierarchies.
    static let besideLegacy: [any Controller.Type] = [Hugetlb.self, RDMA.self]
}
