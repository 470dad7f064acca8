package import Kernel
package import OCI

extension V2 {
    /// The number of tasks at once.
    package enum Pids: Controller {
        package static let name = "pids"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            pidsWrites(resources.pidsLimit)
        }
    }
}
