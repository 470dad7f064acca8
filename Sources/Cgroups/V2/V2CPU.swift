internal import Glibc
package import Kernel
package import OCI

extension V2 {
    /// CPU time: weight and quota.
    package enum CPU: Controller {
        package static let name = "cpu"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let cpu = resources.cpu
            if (cpu.realtimeRuntime ?? 0) != 0 || (cpu.realtimePeriod ?? 0) != 0 {
                throw Failure(.document(at: "/linux/resources/cpu", "cgroup v2 has no real-time limits"))
            }
            var writes: [ControlWrite] = []
            // The kernel takes no weight for an idle cgroup.
            if let shares = cpu.shares, shares != 0, cpu.idle != 1 {
                writes.append(ControlWrite("cpu.weight", String(weight(shares: shares))))
            }
            if let idle = cpu.idle { writes.append(ControlWrite("cpu.idle", String(idle))) }
            if let text = limit(cpu) { writes.append(ControlWrite("cpu.max", text)) }
            if let burst = cpu.burst { writes.append(ControlWrite("cpu.max.burst", String(burst))) }
            return writes
        }

        /// Text for `cpu.max`; a quota alone keeps the period that is set, `max` with a period keeps it unlimited.
        private static func limit(_ cpu: CPUResources) -> String? {
            let quota = cpu.quota ?? 0
            let period = cpu.period ?? 0
            guard quota != 0 || period != 0 else { return nil }
            let time = quota > 0 ? String(quota) : "max"
            return period == 0 ? time : "\(time) \(period)"
        }

        /// The v2 weight (1 to 10000) for v1 shares (2 to 262144); 1024 shares are a weight of 100.
        ///
        /// 10^((l² + 125 l) / 612 − 7/34) with l = log₂(shares), rounded up: the conversion that runc and crun use, so
        /// that a container weighs the same under each of them.
        package static func weight(shares: UInt64) -> UInt64 {
            if shares <= 2 { return 1 }
            if shares >= 262144 { return 10000 }
            let l = log2(Double(shares))
            return UInt64(ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)))
        }
    }
}
