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
        found.reserveCapacity(16)
        var text = text
        // By bytes and without sequences, since this is on the way of every container.
        text.withUTF8 { bytes in
            var start = 0
            while start < bytes.count {
                let line = Line(bytes, from: start)
                start = line.end + 1
                if let hierarchy = hierarchy(line, bytes, version, isMounted) { found.append(hierarchy) }
            }
        }
        moveToFront(&found) { $0.name == unified }
        moveToFront(&found) { $0.controllers.contains("freezer") }
        return CgroupLayout(version: version, hierarchies: found)
    }

    private static func moveToFront(_ found: inout [Hierarchy], _ isWanted: (Hierarchy) -> Bool) {
        guard var at = found.firstIndex(where: isWanted) else { return }
        while at > 0 {
            found.swapAt(at, at - 1)
            at -= 1
        }
    }

    /// Where the parts of a line `number:controllers:path` lie.
    private struct Line {
        let start: Int
        /// Of the first two colons; -1 where there are less.
        private(set) var colons = (-1, -1)
        private(set) var end: Int

        init(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) {
            self.start = start
            end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") {
                if bytes[end] == UInt8(ascii: ":") {
                    if colons.0 < 0 { colons.0 = end } else if colons.1 < 0 { colons.1 = end }
                }
                end += 1
            }
        }
    }

    private static func hierarchy(
        _ line: Line, _ bytes: UnsafeBufferPointer<UInt8>, _ version: Version,
        _ isMounted: (String, Bool) -> Bool
    ) -> Hierarchy? {
        guard line.colons.1 >= 0 else { return nil }
        func text(_ range: Range<Int>) -> String {
            String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
        }
        let number = line.start..<line.colons.0
        let list = (line.colons.0 + 1)..<line.colons.1
        let own = (line.colons.1 + 1)..<line.end
        if list.isEmpty {
            let mount = version == .v2 ? root : "\(root)/\(unified)"
            guard text(number) == "0", isMounted(mount, true) else { return nil }
            return Hierarchy(name: unified, controllers: [], mount: mount, own: text(own))
        }
        guard version == .v1 else { return nil }
        let namePrefix = 5
        if list.count > namePrefix, text(list.prefix(namePrefix)) == "name=" {
            let name = text(list.dropFirst(namePrefix))
            let mount = "\(root)/\(name)"
            return isMounted(mount, false)
                ? Hierarchy(name: name, controllers: [], mount: mount, own: text(own)) : nil
        }
        let name = text(list)
        if !bytes[list].contains(UInt8(ascii: ",")) {
            let mount = "\(root)/\(name)"
            return isMounted(mount, false)
                ? Hierarchy(name: name, controllers: [name], mount: mount, own: text(own)) : nil
        }
        let controllers = name.utf8.split(separator: UInt8(ascii: ",")).map { String(Substring($0)) }
        // Co-mounted controllers lie in a folder of all their names, in either order, or of one of them.
        let folders = [name, controllers.reversed().joined(separator: ",")] + controllers
        guard let folder = folders.first(where: { isMounted("\(root)/\($0)", false) }) else { return nil }
        return Hierarchy(name: name, controllers: controllers, mount: "\(root)/\(folder)", own: text(own))
    }
}
