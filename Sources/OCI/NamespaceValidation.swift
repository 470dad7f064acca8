internal import JSON
package import Kernel

/// Rules about user, time, network and existing namespaces.
extension Spec {
    func namespaceDetailProblems() -> [Failure] {
        var found: [Failure] = []
        if linux.namespace(.user) != nil || !linux.uidMappings.isEmpty || !linux.gidMappings.isEmpty {
            found += mappingProblems()
        }
        if linux.namespace(.mount)?.path != nil { found += joinedMountProblems() }
        if !linux.timeOffsets.isEmpty { found += timeProblems() }
        if !linux.netDevices.isEmpty { found += netDeviceProblems() }
        return found
    }

    private func place(_ pointer: String, _ reason: String) -> Failure {
        Failure(.document(at: pointer, reason))
    }

    private func mappingProblems() -> [Failure] {
        var found: [Failure] = []
        let maps = [("uid", linux.uidMappings), ("gid", linux.gidMappings)]
        let user = linux.namespace(.user)
        for (kind, lines) in maps {
            let pointer = "/linux/\(kind)Mappings"
            if user == nil {
                if lines.isEmpty { continue }
                found.append(place(pointer, "mappings need a user namespace"))
            } else if lines.isEmpty {
                // One that is joined has its maps already.
                if user?.path != nil { continue }
                found.append(place(pointer, "a new user namespace needs mappings"))
            } else {
                let map = IDMap(lines)
                found += map.problems(at: pointer)
                if map.outside(0) == nil {
                    found.append(place(pointer, "no mapping of the container's root (\(kind) 0)"))
                }
            }
        }
        guard found.isEmpty, let process else { return found }
        return unmapped(process.user)
    }

    /// The ids of a user that this config's maps do not have.
    package func unmapped(_ user: UserSpec) -> [Failure] {
        guard linux.namespace(.user) != nil else { return [] }
        var found: [Failure] = []
        let (uids, gids) = (IDMap(linux.uidMappings), IDMap(linux.gidMappings))
        if !uids.lines.isEmpty, uids.outside(user.uid) == nil {
            found.append(
                place("/process/user/uid", "cannot setuid to unmapped uid \(user.uid) in user namespace"))
        }
        if gids.lines.isEmpty { return found }
        if gids.outside(user.gid) == nil {
            found.append(
                place("/process/user/gid", "cannot setgid to unmapped gid \(user.gid) in user namespace"))
        }
        for (index, gid) in user.additionalGids.enumerated() where gids.outside(gid) == nil {
            let words = "cannot setgroups to unmapped gid \(gid) in user namespace"
            found.append(place("/process/user/additionalGids/\(index)", words))
        }
        return found
    }

    /// A mount namespace of others is taken as it is: what is mounted there would be mounted for them, too.
    private func joinedMountProblems() -> [Failure] {
        let why = "nothing is changed in an existing mount namespace"
        var found: [Failure] = []
        if !mounts.isEmpty { found.append(place("/mounts", why)) }
        if root?.readonly == true { found.append(place("/root/readonly", why)) }
        let lists = [
            ("devices", linux.devices.isEmpty), ("maskedPaths", linux.maskedPaths.isEmpty),
            ("readonlyPaths", linux.readonlyPaths.isEmpty),
            ("rootfsPropagation", linux.rootfsPropagation == nil),
            ("sysctl", linux.sysctl.isEmpty),
        ]
        for (name, isAbsent) in lists where !isAbsent { found.append(place("/linux/" + name, why)) }
        return found
    }

    private func timeProblems() -> [Failure] {
        guard let time = linux.namespace(.time) else {
            return [place("/linux/timeOffsets", "offsets need a time namespace")]
        }
        guard time.path == nil else {
            return [place("/linux/timeOffsets", "the clocks of an existing time namespace cannot be set")]
        }
        return []
    }

    private func netDeviceProblems() -> [Failure] {
        guard linux.namespace(.network) != nil else {
            return [place("/linux/netDevices", "network devices need a network namespace")]
        }
        var found: [Failure] = []
        for (index, device) in linux.netDevices.enumerated() {
            let pointer = "/linux/netDevices/" + Cursor.escaped(device.name)
            for name in [device.name, device.inside] where !NetworkDevice.isName(name) {
                found.append(place(pointer, "\"\(name)\" is no name of a network interface"))
            }
            if linux.netDevices[..<index].contains(where: { $0.inside == device.inside }) {
                found.append(place(pointer, "\"\(device.inside)\" is given twice"))
            }
        }
        return found
    }
}
