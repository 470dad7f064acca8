internal import Glibc
package import Kernel
package import OCI

extension CgroupManager {
    /// Changes the limits of existing cgroups.
    ///
    /// When one cannot be changed, those that were are put back. With `checkBeforeUpdate` a limit of memory below what
    /// is in use is refused: cgroup2 would end processes for it.
    ///
    /// `resources`: what to write; what is not in there stays. `before`: the limits of before in their place; the same
    /// device rules again are not written.
    package func update(
        resources: ResourceSpec, before: ResourceSpec = ResourceSpec()
    ) throws(Failure) {
        var resources = resources
        if DeviceRules.effective(resources.devices) == DeviceRules.effective(before.devices) {
            resources.devices = []
        }
        var limits = try Limits(resources, for: set)
        let deviceUndo = try limits.moveDevices(from: before.devices, to: resources.devices)
        if resources.memory.checkBeforeUpdate == true, let limit = resources.memory.limit, limit > 0 {
            try refuseBelowUsage(limit)
        }
        var done: [(path: String, undo: Undo)] = []
        for directory in set.directories {
            var undo = Undo(isWanted: true)
            do throws(Failure) {
                try change(limits, in: directory, deviceUndo, &undo)
            } catch {
                done.append((directory.path, undo))
                throw putBack(done, before, after: error)
            }
            done.append((directory.path, undo))
        }
        if set.scope == nil { return }
        do throws(Failure) { try changeScope(resources) } catch { throw putBack(done, before, after: error) }
        // systemd has written its own idea of them, which is rounded.
        for directory in set.directories {
            var none = Undo(isWanted: false)
            try change(limits, in: directory, deviceUndo, &none)
        }
    }

    private func change(
        _ limits: Limits, in directory: CgroupSet.Directory, _ deviceUndo: [ControlWrite],
        _ undo: inout Undo
    ) throws(Failure) {
        let own = limits.belonging(to: directory, on: set.version)
        if own.isEmpty && limits.devices.isEmpty { return }
        guard let open = try CgroupDirectory.open(directory.path) else {
            throw Failure.refused("it is gone").during(cgroup(directory.path))
        }
        if directory.isUnified { try enableControllers(in: directory, for: own) }
        for limit in own {
            if limit.controller == V1.Devices.name { undo.note(deviceUndo) }
            try open.apply(limit, &undo)
        }
        try open.restrictDevices(limits.devices, isNew: false)
    }

    private func putBack(
        _ done: [(path: String, undo: Undo)], _ before: ResourceSpec, after failure: Failure
    ) -> Failure {
        var failure = failure
        // First, for systemd writes files too.
        do throws(Failure) { try changeScope(before) } catch {
            failure = failure.during("putting the old limits back failed too (\(error.message))")
        }
        for (path, undo) in done.reversed() {
            do throws(Failure) {
                guard let open = try CgroupDirectory.open(path) else { continue }
                var none = Undo(isWanted: false)
                try open.apply(LimitWrites(controller: "", writes: undo.writes), &none)
            } catch {
                failure = failure.during("putting the old limits back failed too (\(error.message))")
            }
        }
        return failure
    }

    private func refuseBelowUsage(_ limit: Int64) throws(Failure) {
        let directory = set.version == .v1 ? set.directory(for: "memory") : set.unified
        let file = set.version == .v1 ? "memory.usage_in_bytes" : "memory.current"
        guard let directory, let open = try CgroupDirectory.open(directory.path),
            let text = try open.read(file),
            let usage = Int64(text.prefix { $0 != "\n" }), usage > limit
        else { return }
        throw Failure(
            .document(at: "/linux/resources/memory/limit", "\(usage) bytes are in use, more than \(limit)"))
    }
}

extension Limits {
    /// On v1: replaces the rules by what leads to them from those in force.
    ///
    /// Denying everything first would deny, for a moment, what both allow.
    ///
    /// - Returns: the writes for the way back.
    fileprivate mutating func moveDevices(
        from before: [DeviceRule], to after: [DeviceRule]
    ) throws(Failure) -> [ControlWrite] {
        guard let index = writes.firstIndex(where: { $0.controller == V1.Devices.name }) else { return [] }
        let old = try V1.Devices.writes(for: before)
        writes[index].writes = V1.Devices.way(from: old, to: writes[index].writes)
        return old.isEmpty
            ? [ControlWrite("devices.allow", "a")]
            : V1.Devices.way(from: try V1.Devices.writes(for: after), to: old)
    }
}

extension ResourceSpec {
    /// Takes out raw cgroup2 files that a later `update` has written by another name.
    ///
    /// `written`: what that update wrote.
    package mutating func dropOverridden(by written: ResourceSpec) throws(Failure) {
        if unified.isEmpty { return }
        var converted = written
        converted.unified = []
        for controller in V2.all {
            let files = try controller.writes(for: converted).map(\.file)
            unified.removeAll { entry in
                files.contains(entry.name) && !written.unified.contains { $0.name == entry.name }
            }
        }
    }
}
