package import Kernel
package import OCI

extension V1 {
    /// CPU time: weight, quota, and the share of real-time scheduling.
    ///
    /// Zero means "leave as it is" for shares, quota and periods, as with the other runtimes.
    package enum CPU: Controller {
        package static let name = "cpu"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let cpu = resources.cpu
            var writes: [ControlWrite] = []
            // The kernel takes no weight for an idle cgroup.
            if let shares = cpu.shares, shares != 0, cpu.idle != 1 {
                writes.append(ControlWrite("cpu.shares", String(shares)))
            }
            if let idle = cpu.idle { writes.append(ControlWrite("cpu.idle", String(idle))) }
            if let period = cpu.period, period != 0 {
                writes.append(ControlWrite("cpu.cfs_period_us", String(period)))
            }
            if let quota = cpu.quota, quota != 0 {
                writes.append(ControlWrite("cpu.cfs_quota_us", quota < 0 ? "-1" : String(quota)))
            }
            if let burst = cpu.burst { writes.append(ControlWrite("cpu.cfs_burst_us", String(burst))) }
            if let period = cpu.realtimePeriod, period != 0 {
                writes.append(ControlWrite("cpu.rt_period_us", String(period)))
            }
            if let runtime = cpu.realtimeRuntime, runtime != 0 {
                writes.append(ControlWrite("cpu.rt_runtime_us", String(runtime)))
            }
            return writes
        }
    }
}
