internal import CKernel
internal import Glibc
package import JSON
package import Kernel

/// What processes use, added up from procfs: for containers without cgroups for CPU and memory.
package struct PosixStatistics: Sendable, Equatable {
    /// CPU time, in clock ticks.
    package private(set) var userTicks: UInt64 = 0
    package private(set) var systemTicks: UInt64 = 0
    /// Memory that is resident; what processes share counts for each.
    package private(set) var residentPages: UInt64 = 0
    package private(set) var threads: UInt64 = 0
    package private(set) var processes: UInt64 = 0

    package init(_ stats: [ProcessStat]) {
        for stat in stats where !stat.isDead {
            userTicks &+= stat.userTicks
            systemTicks &+= stat.systemTicks
            residentPages &+= stat.residentPages
            threads &+= stat.threads
            processes += 1
        }
    }

    /// What `pids` use now; those that have ended meanwhile count for nothing.
    package init(pids: [Int32]) throws(Failure) {
        var stats: [ProcessStat] = []
        for pid in pids {
            if let stat = try ProcessStat.of(pid: pid) { stats.append(stat) }
        }
        self.init(stats)
    }

    /// The `data` object of `events --stats`, with the same names and units as from cgroups.
    package var json: JSON {
        let ticksPerSecond = UInt64(max(1, sys_sysconf(Int32(_SC_CLK_TCK))))
        let pageSize = UInt64(max(1, sys_sysconf(Int32(_SC_PAGESIZE))))
        return json(nanosecondsPerTick: 1_000_000_000 / ticksPerSecond, bytesPerPage: pageSize)
    }

    func json(nanosecondsPerTick tick: UInt64, bytesPerPage: UInt64) -> JSON {
        let resident = residentPages &* bytesPerPage
        return .object([
            "cpu": .object([
                "usage": .object([
                    "total": .nonZero((userTicks &+ systemTicks) &* tick),
                    "kernel": .number(systemTicks &* tick), "user": .number(userTicks &* tick),
                ]),
                "throttling": .object([]),
            ]),
            "memory": .object([
                "usage": StatisticsForm.memoryEntry(limit: nil, usage: resident, max: nil, failures: nil),
                "raw": .object(["rss": .number(resident)]),
            ]),
            "pids": .object(["current": .nonZero(threads)]),
        ])
    }
}
