internal import Kernel
internal import OCI

extension Operation {
    /// What the step does, in one line for people.
    package var summary: String {
        switch self {
        case .propagation(let propagation): "propagation of the whole tree: \(propagation.text)"
        case .shareRoot: "share the host's root"
        case .bindRoot(let path): "bind \(path) on itself, and open it: all that follows goes through it"
        case .mount(let mount):
            "mount \(mount.type) on \(mount.target)\(Operation.listed(mount.attributes.words + mount.parameters))"
        case .bind(let mount):
            "\(mount.recursive ? "bind the tree" : "bind") \(mount.source) on \(mount.target)"
                + Operation.listed(mount.attributes.words)
        case .cgroups(let target, let attributes, _):
            "mount the container's cgroups on \(target)\(Operation.listed(attributes.words))"
        case .remount(let mount):
            "change the mount on \(mount.target)\(Operation.listed(mount.attributes.words))"
        case .device(let device):
            "device \(device.path) (\(device.kind.rawValue) \(device.number.major):\(device.number.minor), "
                + "mode 0\(String(device.mode, radix: 8)), owner \(device.uid):\(device.gid))"
        case .link(let path, let target): "link \(path) to \(target)"
        case .mask(let path): "mask \(path)"
        case .readOnly(let path): "make \(path) read-only"
        case .workingDirectory(let path): "make the working directory \(path) where it is missing"
        case .terminal(let makesConsole): makesConsole ? "a terminal, also as /dev/console" : "a terminal"
        case .readOnlyMounts: "make read-only what was left writable so far"
        case .readOnlyRoot: "make the root read-only"
        case .sysctl(let name, let value): "sysctl \(name) = \(value)"
        case .hooks: "hooks: prestart and createRuntime on the host, then createContainer in here"
        case .pivot: "pivot_root, and let go of the host's root"
        case .enterRoot(let path): "take \"\(path)\" of the existing mount namespace as the root"
        case .moveRoot: "mount the root over the host's"
        case .rootPropagation(let propagation): "propagation of the root: \(propagation.text)"
        case .mountPropagation: "propagation of the mounts that were asked for one"
        case .hostname(let name): "hostname \(name)"
        case .domainname(let name): "domainname \(name)"
        }
    }

    private static func listed(_ words: [String]) -> String {
        words.isEmpty ? "" : " (\(words.joined(separator: ",")))"
    }
}

extension MountPropagation {
    /// The specification's word.
    var text: String {
        let recursive = flags & MountPropagation.recursive != 0 ? "r" : ""
        let kinds = ["private", "slave", "shared", "unbindable"]
        let kind = kinds.first { MountPropagation(word: $0)?.flags == flags & ~MountPropagation.recursive }
        return recursive + (kind ?? "unknown")
    }
}

extension MountAttributes {
    /// The specification's words for what is set.
    var words: [String] {
        var words: [String] = []
        let names: [(UInt64, String)] = [
            (MountAttributes.readOnly, "ro"), (MountAttributes.noSUID, "nosuid"),
            (MountAttributes.noDevices, "nodev"), (MountAttributes.noExec, "noexec"),
        ]
        for (bit, name) in names {
            if set & bit != 0 { words.append(name) }
            if setRecursive & bit != 0 { words.append("r" + name) }
        }
        return words
    }
}
