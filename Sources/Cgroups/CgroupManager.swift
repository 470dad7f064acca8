internal import CKernel
internal import Glibc
package import Kernel
package import OCI

/// All that is done to the cgroups of one container; it does the I/O, the controllers say what is written.
package struct CgroupManager: Sendable {
    package let set: CgroupSet

    package init(_ set: CgroupSet) { self.set = set }
}

extension CgroupManager {
    /// Makes the directories and writes the limits.
    ///
    /// A cgroup that exists is taken over when it is empty and nobody else's. Otherwise this is refused before anything
    /// is written, and what was made so far is removed again. Parents that are missing are made, and stay when the
    /// container goes: others may have come to use them.
    ///
    /// - Parameters:
    ///   - resources: what to limit.
    ///   - pid: a process that systemd has put there with the scope, and that is the container's.
    /// - Throws: a refusal when a cgroup holds other processes or is another container's; a failure with a JSON pointer when
    ///   there is no controller for a limit.
    package func create(resources: ResourceSpec, inside pid: Int32? = nil) throws(Failure) {
        let limits = try Limits(resources, for: set)
        var making = Making(owner: set.owner, inside: pid)
        do {
            for directory in set.directories {
                try making.make(directory, marked: directory == set.primary || directory.isUnified)
            }
            for directory in set.directories {
                let own = limits.belonging(to: directory, on: set.version)
                if directory.isUnified { try enableControllers(in: directory, for: own) }
                try write(
                    own, limits.devices, in: directory, isNew: making.madeLeaves.contains(directory.path))
            }
        } catch {
            making.undo()
            throw error
        }
    }

    /// Refuses limits for which there is no controller.
    package func check(_ resources: ResourceSpec) throws(Failure) { _ = try Limits(resources, for: set) }

    /// Refuses a cgroup that holds processes or is another container's; `create` does the same by itself.
    package func checkFree() throws(Failure) {
        for directory in set.directories {
            try refuseForeign(directory.path, owner: set.owner)
        }
    }
}

extension CgroupManager {
    /// Writes the limits that belong into a new `directory`.
    private func write(
        _ own: [LimitWrites], _ devices: [DeviceRule], in directory: CgroupSet.Directory, isNew: Bool
    ) throws(Failure) {
        let isCpuset = set.version == .v1 && directory.has("cpuset")
        if own.isEmpty && devices.isEmpty && !isCpuset { return }
        guard let open = try CgroupDirectory.open(directory.path) else {
            throw Failure(.kernel(call: "open", errno: ENOENT)).during(cgroup(directory.path))
        }
        if isCpuset { try open.inheritCpuset(isNew: isNew) }
        var undo = Undo(isWanted: false)
        for limit in own { try open.apply(limit, &undo) }
        try open.restrictDevices(devices, isNew: isNew)
    }
}

extension CgroupDirectory {
    /// Fills an empty v1 cpuset, and empty ones above it, from the nearest that is not.
    borrowing func inheritCpuset(isNew: Bool) throws(Failure) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = isNew ? try read("../\(file)") ?? "" : ""
            if above.contains(where: \.isNumber) {
                try write(above, to: file)
            } else {
                _ = try filled(file, depth: 64)
            }
        }
    }

    /// The value of `file`, which is filled from the parent when it is empty.
    private borrowing func filled(_ file: String, depth: Int) throws(Failure) -> String {
        let own = try read(file) ?? ""
        guard !own.contains(where: \.isNumber), depth > 0, let parent = try child("..") else { return own }
        let above = try parent.filled(file, depth: depth - 1)
        try write(above, to: file)
        return above
    }
}
