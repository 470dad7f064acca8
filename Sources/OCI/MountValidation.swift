internal import Kernel

extension Spec {
    /// What is wrong with the mappings of `mounts` entries.
    func mappedMountProblems() -> [Failure] {
        var found: [Failure] = []
        for (index, mount) in mounts.enumerated()
        where mount.uidMappings.isEmpty != mount.gidMappings.isEmpty {
            let (given, missing) =
                mount.gidMappings.isEmpty
                ? ("uidMappings", "gidMappings") : ("gidMappings", "uidMappings")
            let reason = "\"\(given)\" needs \"\(missing)\" beside it"
            found.append(Failure(.document(at: "/mounts/\(index)/\(given)", reason)))
        }
        return found
    }

    /// What is wrong with `linux.devices`, beyond types and words.
    func deviceProblems() -> [Failure] {
        var found: [Failure] = []
        for (index, device) in linux.devices.enumerated() {
            let pointer = "/linux/devices/\(index)"
            let (major, minor) = (device.number.major, device.number.minor)
            if device.kind == .fifo, major != 0 || minor != 0 {
                found.append(Failure(.document(at: pointer, "a FIFO has neither major nor minor")))
            } else if major >= 1 << 12 || minor >= 1 << 20 {
                let reason = "the kernel has no device \(major):\(minor)"
                found.append(Failure(.document(at: pointer, reason)))
            }
            let steps = Path.steps(device.path)
            if steps.isEmpty || steps.contains("..") {
                found.append(
                    Failure(.document(at: pointer + "/path", "\"\(device.path)\" is no place for a device")))
            }
        }
        return found
    }
}
