internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel
internal import Plan

extension Performer {
    /// Shows the container its own cgroups: on v2 one file system, on v1 a tmpfs with a folder for each
    /// hierarchy.
    func mountCgroups(
        on target: String, _ attributes: MountAttributes, _ propagation: [MountPropagation]
    ) throws(Failure) {
        switch cgroups.version {
        case .v2:
            let tree = try unifiedView()
            try tree.change(set: attributes.set, clear: attributes.clear, recursive: true)
            try propagate(tree, propagation)
            try attach(tree, at: target)
        case .v1:
            let cover = try DetachedMount(
                type: "tmpfs", source: "tmpfs", parameters: ["mode=755"],
                attributes: attributes.set & ~MountAttributes.readOnly)
            try propagate(cover, propagation)
            try attach(cover, at: target)
            for place in cgroups.directories {
                let tree = try view(of: place)
                try tree.change(set: attributes.set, clear: attributes.clear)
                try propagate(tree, propagation)
                try attach(tree, at: target + "/" + place.hierarchy)
                for name in place.hierarchy.split(separator: ",") where place.hierarchy.contains(",") {
                    try checked(
                        "symlink \"\(name)\"",
                        sys_symlinkat(place.hierarchy, cover.descriptor.raw, String(name)))
                }
            }
            // The peers leave this tmpfs writable; nobody has anything to write there.
            try cover.change(set: attributes.set & MountAttributes.readOnly)
        }
    }

    /// A cgroup2 of its own where the container has a cgroup namespace, else the host's tree.
    private func unifiedView() throws(Failure) -> DetachedMount {
        if cgroupNamespace {
            do {
                return try DetachedMount(type: "cgroup2", source: "cgroup", parameters: [], attributes: 0)
            } catch {
                // Of a namespace that belongs to another user namespace than this process.
                guard error.errno == EPERM, let own = cgroups.directories.first else { throw error }
                return try Performer.clone(own.path, recursive: true)
            }
        }
        return try Performer.clone("/sys/fs/cgroup", recursive: true)
    }

    /// A v1 hierarchy from the root of the container's cgroup namespace on; without one, the container's folder in it.
    private func view(of place: CgroupSet.Directory) throws(Failure) -> DetachedMount {
        guard cgroupNamespace else { return try Performer.clone(place.path, recursive: false) }
        if place.hierarchy == CgroupLayout.unified {
            return try DetachedMount(type: "cgroup2", source: "cgroup", parameters: [], attributes: 0)
        }
        let controllers = place.hierarchy.split(separator: ",").map(String.init)
        do {
            return try DetachedMount(type: "cgroup", source: "cgroup", parameters: controllers, attributes: 0)
        } catch {
            if error.errno == EPERM { return try Performer.clone(place.path, recursive: false) }
            // A hierarchy without controllers is known by its name.
            return try DetachedMount(
                type: "cgroup", source: "cgroup", parameters: ["none", "name=" + place.hierarchy],
                attributes: 0)
        }
    }

    private static func clone(_ path: String, recursive: Bool) throws(Failure) -> DetachedMount {
        let place = try FileDescriptor.open(path, flags: O_PATH | O_DIRECTORY)
        return try DetachedMount(cloning: place, recursive: recursive)
    }
}
