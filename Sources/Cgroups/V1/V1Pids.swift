package import Kernel
package import OCI

extension V1 {
    /// The number of tasks at once.
    package enum Pids: Controller {
        package static let name = "pids"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            pidsWrites(resources.pidsLimit)
        }
    }
}

/// The same file on v1 and v2.
///
/// The init itself is a task, so a limit of 0 allows as much as 1 does; only 1 lets it be born inside.
func pidsWrites(_ limit: Int64?) -> [ControlWrite] {
    guard let limit else { return [] }
    return [ControlWrite("pids.max", limit < 0 ? "max" : String(max(1, limit)))]
}
