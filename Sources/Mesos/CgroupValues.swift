internal import OCI

/// A request, and the limit above it.
struct Claim {
    let request: Double
    /// `nil`: no limit of its own; may be infinite.
    let limit: Double?
}

/// What Mesos' isolators write for CPUs (`cgroups/subsystems/cpu.cpp`, `cgroups2/controllers/cpu.cpp`).
struct CPUValues {
    let claim: Claim
    /// Whether the request is revocable, and the agent gives such ones a low weight.
    let isLow: Bool
    let enableCFS: Bool

    /// Microseconds.
    static let period: UInt64 = 100_000
    private static let minimumQuota: Int64 = 1000

    /// How much CPU time is allowed, in CPUs; `nil`: as much as there is.
    private var allowed: Double? { claim.limit ?? (enableCFS ? claim.request : nil) }

    /// `cpu.shares`: 1024 for a CPU, 10 for a revocable one, at least 2; cut, not rounded.
    var shares: UInt64 { UInt64(max(2, Amounts.whole((isLow ? 10 : 1024) * claim.request))) }

    /// `cpu.cfs_quota_us`; `nil`: the file is left alone.
    ///
    /// Mesos counts in nanoseconds and then cuts to microseconds.
    var quota: Int64? {
        guard let allowed else { return nil }
        guard allowed.isFinite else { return -1 }
        let nanoseconds = Amounts.whole(Double(CPUValues.period * 1000) * allowed)
        return max(nanoseconds / 1000, CPUValues.minimumQuota)
    }

    /// `cpu.weight`: 100 for a CPU, 1 for a revocable one, at least 1.
    ///
    /// At most 10000, which the kernel takes; Mesos does not know that limit, and fails.
    var weight: Int64 { min(max(1, Amounts.whole((isLow ? 1 : 100) * claim.request)), 10_000) }

    /// `cpu.max`: Mesos counts in microseconds here, which cuts off another bit now and then.
    var maximum: String {
        guard let allowed, allowed.isFinite else { return "max" }
        let quota = Amounts.whole(allowed * Double(CPUValues.period))
        return "\(max(quota, CPUValues.minimumQuota)) \(CPUValues.period)"
    }
}

/// What Mesos' isolators write for memory (`cgroups/subsystems/memory.cpp`, `cgroups2/controllers/memory.cpp`).
struct MemoryValues {
    let claim: Claim

    private static let minimum: Int64 = 32 << 20

    /// In bytes: what the container is sure to have; at least 32 MiB.
    var soft: Int64 { max(Amounts.bytes(mebibytes: claim.request), MemoryValues.minimum) }

    /// In bytes: what the container may have at most; −1: no limit.
    var hard: Int64 {
        guard let limit = claim.limit else { return soft }
        return limit.isFinite ? max(Amounts.bytes(mebibytes: limit), MemoryValues.minimum) : -1
    }

    /// How soon the kernel picks the container when the machine runs out of memory; `nil`: as soon as any.
    ///
    /// Only a container that may use more than it asked for is picked sooner, and the sooner the less it asked for.
    /// Source: `src/slave/containerizer/mesos/utils.cpp`.
    func oomScore(totalMemory: UInt64) -> Int? {
        guard hard < 0 || soft < hard, totalMemory > 0 else { return nil }
        let share = UInt64(soft).multipliedFullWidth(by: 1000)
        guard share.high < totalMemory else { return 0 }
        return 1000 - Int(clamping: min(totalMemory.dividingFullWidth(share).quotient, 1000))
    }
}

extension ResourceSpec {
    /// The limits of a container, for one version of cgroups; `nil`: nothing is limited.
    init(cpu values: CPUValues?, memory: MemoryValues?, options: TranslationOptions) {
        self.init()
        switch options.cgroupVersion {
        case .v1:
            if let values {
                cpu.shares = values.shares
                cpu.quota = values.quota
                cpu.period = values.quota == nil ? nil : CPUValues.period
            }
            if let memory {
                self.memory.limit = memory.hard
                self.memory.reservation = memory.soft
                self.memory.swap = options.limitSwap ? memory.hard : nil
            }
        case .v2:
            // The conversion of shares that runtimes agree on would give another weight than Mesos.
            if let values {
                unified.append(Annotation("cpu.weight", String(values.weight)))
                unified.append(Annotation("cpu.max", values.maximum))
            }
            if let memory {
                unified.append(Annotation("memory.low", String(memory.soft)))
                unified.append(Annotation("memory.max", memory.hard < 0 ? "max" : String(memory.hard)))
            }
        }
    }
}
