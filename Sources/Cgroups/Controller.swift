package import Kernel
package import OCI

/// One text that goes into one control file.
package struct ControlWrite: Sendable, Equatable {
    package let file: String
    package let text: String
    /// Whether a kernel without this file is fine with us.
    package let onlyIfPresent: Bool

    package init(_ file: String, _ text: String, onlyIfPresent: Bool = false) {
        self.file = file
        self.text = text
        self.onlyIfPresent = onlyIfPresent
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
        CPU.self, Cpuset.self, Memory.self, Pids.self, Devices.self,
    ]
}

/// The controllers of cgroup v2.
package enum V2 {
    package static let all: [any Controller.Type] = [CPU.self, Cpuset.self, Memory.self, Pids.self]
}
