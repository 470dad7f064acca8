internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel
internal import Plan

extension Performer {
    /// Shows the container its own cgroups: on v2 one file system, on v1 a tmpfs with a folder for each
    /// hierarchy.
    func mountCgroups(on target: String, _ attributes: MountAttributes) throws(Failure) {
        switch cgroups.version {
        case .v2:
            let tree = try unifiedView()
            try tree.change(set: attributes.set)
            try attach(tree, at: target)
        case .v1:
            let cover = try DetachedMount(
                type: "tmpfs", source: "tmpfs", parameters: ["mode=755"],
                attributes: attributes.set & ~MountAttributes.readOnly)
            try attach(cover, at: target)
            for place in cgroups.directories {
                let source = try FileDescriptor.open(place.path, flags: O_PATH | O_DIRECTORY)
                let tree = try DetachedMount(cloning: source, recursive: false)
                try tree.change(set: attributes.set)
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
            return try DetachedMount(type: "cgroup2", source: "cgroup", parameters: [], attributes: 0)
        }
        let host = try FileDescriptor.open("/sys/fs/cgroup", flags: O_PATH | O_DIRECTORY)
        return try DetachedMount(cloning: host, recursive: true)
    }
}
