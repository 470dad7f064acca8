package import JSON
package import Kernel

/// What `update` makes of the limits that a container has.
extension ResourceSpec {
    /// Reads a `LinuxResources` document that stands alone; messages place it where it is in a config.
    package static func document(_ json: JSON) throws(Failure) -> ResourceSpec {
        try ResourceSpec(Cursor(json, at: "/linux/resources"))
    }

    /// These limits, changed by those that `update` gives.
    ///
    /// What is not given stays, and so does what is given as 0 where 0 means "leave as it is".
    package func merged(with update: ResourceSpec) -> ResourceSpec {
        var merged = self
        merged.cpu.merge(update.cpu)
        merged.memory.merge(update.memory)
        merged.pidsLimit = update.pidsLimit ?? pidsLimit
        if !update.devices.isEmpty { merged.devices = update.devices }
        merged.blockIO.merge(update.blockIO)
        for limit in update.hugepageLimits {
            merged.hugepageLimits.removeAll { $0.pageSize == limit.pageSize }
            merged.hugepageLimits.append(limit)
        }
        for limit in update.rdma {
            merged.rdma.removeAll { $0.device == limit.device }
            merged.rdma.append(limit)
        }
        merged.network.classID = update.network.classID ?? network.classID
        for entry in update.network.priorities {
            merged.network.priorities.removeAll { $0.name == entry.name }
            merged.network.priorities.append(entry)
        }
        for file in update.unified {
            merged.unified.removeAll { $0.name == file.name }
            merged.unified.append(file)
        }
        return merged
    }

    /// Those of these limits that share a control file, or an order of writing, with one that `update` gives.
    package func touched(by update: ResourceSpec) -> ResourceSpec {
        var touched = ResourceSpec()
        var given = update.cpu
        if given.cpus != nil { touched.cpu.cpus = cpu.cpus }
        if given.mems != nil { touched.cpu.mems = cpu.mems }
        (given.cpus, given.mems) = (nil, nil)
        if given != CPUResources() {
            let lists = (touched.cpu.cpus, touched.cpu.mems)
            touched.cpu = cpu
            (touched.cpu.cpus, touched.cpu.mems) = lists
        }
        if update.memory != MemoryResources() { touched.memory = memory }
        if update.pidsLimit != nil { touched.pidsLimit = pidsLimit }
        if !update.devices.isEmpty { touched.devices = devices }
        if !update.blockIO.isEmpty { touched.blockIO = blockIO }
        if !update.hugepageLimits.isEmpty { touched.hugepageLimits = hugepageLimits }
        if !update.rdma.isEmpty { touched.rdma = rdma }
        if update.network != NetworkResources() { touched.network = network }
        touched.unified = update.unified
        return touched
    }
}

/// The new value, unless it is the 0 that stands for "leave as it is".
private func changed<T: BinaryInteger>(_ old: T?, by new: T?) -> T? {
    guard let new, new != 0 else { return old }
    return new
}

extension CPUResources {
    fileprivate mutating func merge(_ update: CPUResources) {
        shares = changed(shares, by: update.shares)
        quota = changed(quota, by: update.quota)
        period = changed(period, by: update.period)
        burst = update.burst ?? burst
        if let list = update.cpus, !list.isEmpty { cpus = list }
        if let list = update.mems, !list.isEmpty { mems = list }
        realtimeRuntime = changed(realtimeRuntime, by: update.realtimeRuntime)
        realtimePeriod = changed(realtimePeriod, by: update.realtimePeriod)
        guard let idle = update.idle else { return }
        self.idle = idle
        // The kernel gives a cgroup that becomes idle, or ceases to be, a weight of its own.
        if (update.shares ?? 0) == 0 { shares = nil }
    }
}

extension MemoryResources {
    fileprivate mutating func merge(_ update: MemoryResources) {
        limit = changed(limit, by: update.limit)
        swap = changed(swap, by: update.swap)
        // A limit of both together would still limit memory.
        if update.limit == -1 && (update.swap ?? 0) == 0 { swap = -1 }
        reservation = changed(reservation, by: update.reservation)
        kernel = update.kernel ?? kernel
        kernelTCP = update.kernelTCP ?? kernelTCP
        swappiness = update.swappiness ?? swappiness
        disableOOMKiller = update.disableOOMKiller ?? disableOOMKiller
        useHierarchy = update.useHierarchy ?? useHierarchy
        checkBeforeUpdate = update.checkBeforeUpdate ?? checkBeforeUpdate
    }
}

extension BlockIOResources {
    fileprivate mutating func merge(_ update: BlockIOResources) {
        weight = update.weight ?? weight
        leafWeight = update.leafWeight ?? leafWeight
        for entry in update.weightDevices {
            let old = weightDevices.first { $0.device == entry.device }
            weightDevices.removeAll { $0.device == entry.device }
            weightDevices.append(
                WeightDevice(
                    entry.device, weight: entry.weight ?? old?.weight,
                    leafWeight: entry.leafWeight ?? old?.leafWeight))
        }
        BlockIOResources.merge(&readBytes, update.readBytes)
        BlockIOResources.merge(&writeBytes, update.writeBytes)
        BlockIOResources.merge(&readOperations, update.readOperations)
        BlockIOResources.merge(&writeOperations, update.writeOperations)
    }

    private static func merge(_ list: inout [ThrottleDevice], _ update: [ThrottleDevice]) {
        for entry in update {
            list.removeAll { $0.device == entry.device }
            list.append(entry)
        }
    }
}
