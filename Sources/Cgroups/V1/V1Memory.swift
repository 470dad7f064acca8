package import Kernel
package import OCI

extension V1 {
    /// Memory, in bytes; −1 for no limit, 0 for "leave as it is".
    package enum Memory: Controller {
        package static let name = "memory"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let memory = resources.memory
            try checkSwap(memory)
            var writes: [ControlWrite] = []
            let limit = memory.limit ?? 0
            // Memory with swap may never be less than memory: on a new cgroup the limit must come first.
            if limit != 0 { writes.append(ControlWrite("memory.limit_in_bytes", String(limit))) }
            if let swap = memory.swap, swap != 0 {
                writes.append(ControlWrite("memory.memsw.limit_in_bytes", String(swap)))
            } else if limit == -1 {
                // Unlimited memory below a limit of memory with swap would still be limited.
                writes.append(ControlWrite("memory.memsw.limit_in_bytes", "-1", onlyIfPresent: true))
            }
            if let reservation = memory.reservation, reservation != 0 {
                writes.append(ControlWrite("memory.soft_limit_in_bytes", String(reservation)))
            }
            if let swappiness = memory.swappiness {
                guard swappiness <= 100 else {
                    throw Failure(
                        .document(at: "/linux/resources/memory/swappiness", "\(swappiness) is more than 100"))
                }
                writes.append(ControlWrite("memory.swappiness", String(swappiness)))
            }
            if let isOn = memory.useHierarchy {
                writes.append(ControlWrite("memory.use_hierarchy", isOn ? "1" : "0"))
            }
            if let disabled = memory.disableOOMKiller {
                writes.append(ControlWrite("memory.oom_control", disabled ? "1" : "0"))
            }
            return writes
        }
    }
}

/// `swap` counts memory and swap together, so it needs a limit and cannot be below it.
func checkSwap(_ memory: MemoryResources) throws(Failure) {
    guard let swap = memory.swap, swap > 0 else { return }
    func refusal(_ reason: String) -> Failure {
        Failure(.document(at: "/linux/resources/memory/swap", reason))
    }
    guard let limit = memory.limit, limit != 0 else {
        throw refusal("a limit of memory with swap needs a limit of memory")
    }
    guard limit > 0 else { throw refusal("\(swap) cannot be kept while memory has no limit") }
    guard swap >= limit else {
        throw refusal("\(swap) is less than the limit of memory, \(limit), that it includes")
    }
}
