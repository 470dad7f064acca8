extension Spec {
    /// A config to begin with for an ordinary user, who is root in the container and nobody else.
    package static func rootlessExample(uid: UInt32, gid: UInt32) -> Spec {
        var spec = example
        // A network namespace of his own would have no interface but lo, and nobody who could add one.
        spec.linux.namespaces.removeAll { $0.kind == .network }
        spec.linux.namespaces.append(NamespaceSpec(.user))
        spec.linux.uidMappings = [IDMapping(containerID: 0, hostID: uid, size: 1)]
        spec.linux.gidMappings = [IDMapping(containerID: 0, hostID: gid, size: 1)]
        spec.linux.resources = ResourceSpec()
        spec.mounts = spec.mounts.map { mount in
            // The kernel shows a sysfs of one's own only to those who own their network namespace.
            if mount.destination == "/sys" {
                return MountSpec(
                    "/sys", type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            }
            var mount = mount
            mount.options.removeAll { $0.hasPrefix("uid=") || $0.hasPrefix("gid=") }
            return mount
        }
        return spec
    }
}
