package import Kernel
package import OCI

extension V1 {
    /// The processors and memory nodes that may be used.
    ///
    /// A new v1 cpuset is empty and takes no process; the manager fills it from its parent first.
    package enum Cpuset: Controller {
        package static let name = "cpuset"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            cpusetWrites(resources.cpu)
        }
    }
}

/// The same two files on v1 and v2; an empty list means "leave as it is".
func cpusetWrites(_ cpu: CPUResources) -> [ControlWrite] {
    var writes: [ControlWrite] = []
    if let cpus = cpu.cpus, !cpus.isEmpty { writes.append(ControlWrite("cpuset.cpus", cpus)) }
    if let mems = cpu.mems, !mems.isEmpty { writes.append(ControlWrite("cpuset.mems", mems)) }
    return writes
}
