package import Kernel
package import OCI

extension V2 {
    /// Memory, in bytes; −1 for no limit, 0 for "leave as it is".
    package enum Memory: Controller {
        package static let name = "memory"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let memory = resources.memory
            try checkSwap(memory)
            if memory.swappiness != nil { throw missing("swappiness", "no swappiness of a cgroup") }
            if memory.disableOOMKiller == true {
                throw missing("disableOOMKiller", "no way to turn the OOM killer off")
            }
            if memory.useHierarchy == false { throw missing("useHierarchy", "no memory limits without it") }
            var writes: [ControlWrite] = []
            let limit = memory.limit ?? 0
            if let swap = swapText(memory.swap ?? 0, limit: limit) {
                writes.append(ControlWrite("memory.swap.max", swap))
            } else if limit == -1 {
                writes.append(ControlWrite("memory.swap.max", "max", onlyIfPresent: true))
            }
            if limit != 0 { writes.append(ControlWrite("memory.max", text(limit))) }
            if let reservation = memory.reservation, reservation != 0 {
                writes.append(ControlWrite("memory.low", text(reservation)))
            }
            return writes
        }

        private static func text(_ bytes: Int64) -> String { bytes < 0 ? "max" : String(bytes) }

        /// v2 counts swap alone: what is left of the sum.
        private static func swapText(_ swap: Int64, limit: Int64) -> String? {
            swap == 0 ? nil : swap < 0 ? "max" : String(swap - limit)
        }

        private static func missing(_ field: String, _ reason: String) -> Failure {
            Failure(.document(at: "/linux/resources/memory/\(field)", "cgroup v2 has \(reason)"))
        }
    }
}
