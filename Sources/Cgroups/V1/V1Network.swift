package import Kernel
package import OCI

extension V1 {
    /// The mark on the packets of the container, for tc(8) and nftables.
    package enum NetworkClass: Controller {
        package static let name = "net_cls"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            guard let mark = resources.network.classID else { return [] }
            return [ControlWrite("net_cls.classid", String(mark))]
        }
    }

    /// The priority of the container's packets, by interface of the host.
    package enum NetworkPriority: Controller {
        package static let name = "net_prio"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let entries = resources.network.priorities
            if entries.isEmpty { return [] }
            return entries.map { ControlWrite("net_prio.ifpriomap", "\($0.name) \($0.priority)") }
        }
    }
}
