internal import Cgroups
internal import Kernel
internal import OCI

/// Who makes a container's cgroups.
public enum CgroupDriver: String, Sendable {
    /// mrun, in the file system.
    case cgroupfs
    /// systemd, as a scope unit: `cgroupsPath` is `slice:prefix:name`.
    case systemd
    /// Nobody: the container stays in the cgroups of the caller.
    case disabled
}

extension CgroupSet {
    /// The cgroups of a container that is to be created, as its config and the caller want them.
    static func plan(
        for spec: Spec, id: String, driver: CgroupDriver, controllers: [String]?, owner: String
    ) throws(Failure) -> CgroupSet {
        let layout = try CgroupLayout.detect()
        switch driver {
        case .cgroupfs:
            return try plan(
                path: spec.linux.cgroupsPath ?? id, controllers: controllers,
                needs: spec.linux.resources.controllersBesideLegacy, layout: layout, owner: owner)
        case .systemd:
            return try plan(systemd: spec.linux.cgroupsPath, id: id, layout: layout, owner: owner)
        case .disabled:
            return none(layout: layout)
        }
    }
}

extension ResourceSpec {
    /// What is left of the limits for a container without cgroups.
    ///
    /// Device rules are in every config and mean its own cgroup, so they are left out, as with crun. Limits of what the
    /// container may use are not: a caller who sets them counts on them, and `create` refuses them.
    func without(_ set: CgroupSet) -> ResourceSpec {
        guard set.isEmpty else { return self }
        var rest = self
        rest.devices = []
        return rest
    }
}
