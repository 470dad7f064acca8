package import Kernel
package import OCI

extension V2 {
    /// The processors and memory nodes that may be used.
    package enum Cpuset: Controller {
        package static let name = "cpuset"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            cpusetWrites(resources.cpu)
        }
    }
}
