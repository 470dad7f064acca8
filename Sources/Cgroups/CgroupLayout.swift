internal import CKernel
package import Kernel

/// The cgroup hierarchies of this host, and where in them this process is.
package struct CgroupLayout: Sendable, Equatable {
    /// The generation of the interface.
    ///
    /// The hybrid layout (v1 controllers, and a cgroup2 mount at `unified`) counts as v1.
    package enum Version: Int, Sendable {
        case v1 = 1
        case v2 = 2
    }

    /// One mounted hierarchy.
    package struct Hierarchy: Sendable, Equatable {
        /// The kernel's name: `memory`, `cpu,cpuacct`, `systemd`, or `unified` for cgroup2.
        package let name: String
        /// The v1 controllers on it; empty for named hierarchies and for cgroup2.
        package let controllers: [String]
        /// Where it is mounted.
        package let mount: String
        /// The path of this process below the mount; begins with `/`.
        package let own: String

        package init(name: String, controllers: [String], mount: String, own: String) {
            self.name = name
            self.controllers = controllers
            self.mount = mount
            self.own = own
        }
    }

    package let version: Version
    package let hierarchies: [Hierarchy]

    /// The folder that systemd, OpenRC and everybody else mount cgroups on.
    package static let root = "/sys/fs/cgroup"
    /// The name of the cgroup2 hierarchy, on v2 and on hybrid hosts.
    package static let unified = "unified"

    package init(version: Version, hierarchies: [Hierarchy]) {
        self.version = version
        self.hierarchies = hierarchies
    }

    /// What this host has: `/proc/self/cgroup`, checked against what is mounted.
    package static func detect() throws(Failure) -> CgroupLayout {
        let magic = try checked("statfs \"\(root)\"", sys_path_filesystem_magic(root))
        let version: Version = magic == Int(K_CGROUP2_SUPER_MAGIC) ? .v2 : .v1
        let layout = parse(try Files.read("/proc/self/cgroup"), version: version) { mount, isUnified in
            let wanted = isUnified ? K_CGROUP2_SUPER_MAGIC : K_CGROUP_SUPER_MAGIC
            return sys_path_filesystem_magic(mount) == Int(wanted)
        }
        guard !layout.hierarchies.isEmpty else {
            throw .refused("no cgroup hierarchy is mounted below \"\(root)\"")
        }
        return layout
    }

    /// Reads the text of `/proc/PID/cgroup`.
    ///
    /// A hierarchy that `isMounted` does not confirm is left out. The freezer comes first, then cgroup2: they find
    /// and kill processes; the others follow in the order of the text.
    package static func parse(
        _ text: String, version: Version, isMounted: (_ mount: String, _ isUnified: Bool) -> Bool
    ) -> CgroupLayout {
        var found: [Hierarchy] = []
        // Bytes, since this is on the way of every container: splitting text takes five times as long.
        for line in Array(text.utf8).split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(
                separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let own = String(decoding: fields[2], as: UTF8.self)
            if fields[1].isEmpty {
                let mount = version == .v2 ? root : "\(root)/\(unified)"
                guard fields[0].elementsEqual("0".utf8), isMounted(mount, true) else { continue }
                found.append(Hierarchy(name: unified, controllers: [], mount: mount, own: own))
            } else if version == .v1 {
                if let hierarchy = hierarchy(
                    listedAs: String(decoding: fields[1], as: UTF8.self), own: own, isMounted)
                {
                    found.append(hierarchy)
                }
            }
        }
        func rank(_ hierarchy: Hierarchy) -> Int {
            hierarchy.controllers.contains("freezer") ? 0 : hierarchy.name == unified ? 1 : 2
        }
        let ordered = (0...2).flatMap { wanted in found.filter { rank($0) == wanted } }
        return CgroupLayout(version: version, hierarchies: ordered)
    }

    private static func hierarchy(
        listedAs list: String, own: String, _ isMounted: (String, Bool) -> Bool
    ) -> Hierarchy? {
        let namePrefix = "name="
        if list.hasPrefix(namePrefix) {
            let name = String(list.dropFirst(namePrefix.count))
            let mount = "\(root)/\(name)"
            return isMounted(mount, false)
                ? Hierarchy(name: name, controllers: [], mount: mount, own: own) : nil
        }
        if !list.utf8.contains(UInt8(ascii: ",")) {
            let mount = "\(root)/\(list)"
            return isMounted(mount, false)
                ? Hierarchy(name: list, controllers: [list], mount: mount, own: own) : nil
        }
        let controllers = list.split(separator: ",").map(String.init)
        // Co-mounted controllers lie in a folder of all their names, in either order, or of one of them.
        let folders = [list, controllers.reversed().joined(separator: ",")] + controllers
        guard let folder = folders.first(where: { isMounted("\(root)/\($0)", false) }) else { return nil }
        return Hierarchy(name: list, controllers: controllers, mount: "\(root)/\(folder)", own: own)
    }
}
