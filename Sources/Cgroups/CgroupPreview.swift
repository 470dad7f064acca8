package import Kernel
package import OCI

extension CgroupManager {
    /// What `create` would make and write, in one line each.
    ///
    /// - Throws: what `create` would refuse before it does anything.
    package func preview(resources: ResourceSpec) throws(Failure) -> [String] {
        let limits = try Limits(resources, for: set)
        var lines: [String] = []
        if let scope = set.scope {
            lines.append("ask systemd for the unit \(scope.unit) in \(scope.slice), with the child in it")
        }
        for directory in set.directories {
            lines.append("cgroup \(directory.path)")
            for limit in limits.writes where set.version == .v2 || directory.has(limit.controller) {
                for write in limit.writes { lines.append("  \(write.file) = \(write.text)") }
            }
        }
        if !limits.devices.isEmpty {
            lines.append("  eBPF device program of \(limits.devices.count) rules")
        }
        return lines
    }
}
