package import JSON
package import Kernel

/// The cgroups of one container: one directory in each hierarchy that it is in.
///
/// It goes into the container's state record before any directory is made, so that `delete` can remove what a crash
/// left behind.
package struct CgroupSet: Sendable, Equatable {
    /// One directory, and the hierarchy that it lies in.
    package struct Directory: Sendable, Equatable {
        /// The kernel's name: `memory`, `cpu,cpuacct`, `systemd`, or `unified` for cgroup2.
        package let hierarchy: String
        /// Absolute.
        package let path: String

        package init(hierarchy: String, path: String) {
            self.hierarchy = hierarchy
            self.path = path
        }

        /// Whether it is on cgroup2.
        var isUnified: Bool { hierarchy == CgroupLayout.unified }

        func has(_ controller: String) -> Bool {
            if hierarchy == controller { return true }
            // Looked up often, and most hierarchies have one controller.
            guard hierarchy.utf8.contains(UInt8(ascii: ",")) else { return false }
            return hierarchy.utf8.split(separator: UInt8(ascii: ",")).contains { Substring($0) == controller }
        }
    }

    package let version: CgroupLayout.Version
    package let directories: [Directory]
    /// On v2: the controllers to enable; `nil`: all that there are.
    package let controllers: [String]?
    /// Who may kill and remove what is in there, as it is marked on the directories.
    ///
    /// Empty: the directories are not marked, and anybody's are taken for the container's.
    package let owner: String
    /// The unit that systemd manages the cgroups as; `nil`: mrun makes them itself.
    package var scope: SystemdScope?

    package init(
        version: CgroupLayout.Version, directories: [Directory], controllers: [String]? = nil,
        owner: String = ""
    ) {
        self.version = version
        self.directories = directories
        self.controllers = controllers
        self.owner = owner
    }

    /// The directory with `controller`; `nil` where the container is in no such hierarchy.
    package func directory(for controller: String) -> Directory? { directories.first { $0.has(controller) } }

    /// The directory that tells which processes there are: the freezer's on v1.
    var primary: Directory? { directories.first }

    /// The directory on cgroup2, also on hybrid hosts.
    var unified: Directory? { directories.first(where: \.isUnified) }
}

extension CgroupSet {
    /// Where the cgroups of a container go.
    ///
    /// An absolute path lies below the root of each hierarchy. A relative one lies below the cgroup of this process;
    /// on v2 below that cgroup's parent, because a cgroup with processes cannot pass controllers on.
    ///
    /// - Parameters:
    ///   - path: `linux.cgroupsPath`; `.`, `..` and the root itself are refused.
    ///   - controllers: the controllers (or named hierarchies) to be in; `nil` for all.
    ///   - needs: controllers that limits ask for, and that a hybrid host may have on cgroup2 only.
    ///   - layout: what the host has.
    ///   - owner: what marks the directories as this container's; its id with the state root, for example.
    /// - Returns: the cgroups; nothing has been made yet.
    /// - Throws: a refusal of the path or of an unknown controller.
    package static func plan(
        path: String, controllers: [String]? = nil, needs: [String] = [], layout: CgroupLayout,
        owner: String = ""
    ) throws(Failure) -> CgroupSet {
        let below = try relative(path)
        let hierarchies: [CgroupLayout.Hierarchy]
        var enabled: [String]?
        switch layout.version {
        case .v1: hierarchies = try select(controllers, needs, from: layout)
        case .v2:
            hierarchies = layout.hierarchies
            if let controllers { enabled = try unifiedNames(controllers) }
        }
        var directories: [Directory] = []
        directories.reserveCapacity(hierarchies.count)
        for hierarchy in hierarchies {
            var base = ""
            if path.utf8.first != UInt8(ascii: "/") {
                base = try ownBase(hierarchy, version: layout.version)
            }
            directories.append(
                Directory(hierarchy: hierarchy.name, path: "\(hierarchy.mount)\(base)\(below)"))
        }
        return CgroupSet(
            version: layout.version, directories: directories, controllers: enabled, owner: owner)
    }

    /// `/a/b` for what may follow a mount point.
    private static func relative(_ path: String) throws(Failure) -> String {
        // By bytes, as the kernel reads it: to Swift a slash and a mark after it are one character that is no slash.
        var path = path
        var clean = ""
        var refused: String?
        path.withUTF8 { bytes in
            var start = 0
            while start < bytes.count {
                var end = start
                while end < bytes.count, bytes[end] != UInt8(ascii: "/") { end += 1 }
                if end > start {
                    let rest = UnsafeBufferPointer(rebasing: bytes[start..<end])
                    let component = String(decoding: rest, as: UTF8.self)
                    if component == "." || component == ".." || rest.contains(0) { refused = component }
                    clean += "/"
                    clean += component
                }
                start = end + 1
            }
        }
        if let refused {
            throw .refused("cgroups path \"\(path)\": \"\(refused)\" is not allowed in it")
        }
        guard !clean.isEmpty else { throw .refused("cgroups path \"\(path)\": it names no cgroup") }
        return clean
    }

    private static func ownBase(
        _ hierarchy: CgroupLayout.Hierarchy, version: CgroupLayout.Version
    ) throws(Failure) -> String {
        if hierarchy.own == "/" { return "" }
        var components = Path.steps(hierarchy.own)
        guard !components.contains("..") else {
            throw .refused("this process is in cgroup \"\(hierarchy.own)\", outside of its cgroup namespace")
        }
        if version == .v2 { _ = components.popLast() }
        return components.map { "/" + $0 }.joined()
    }

    private static func select(
        _ names: [String]?, _ needs: [String], from layout: CgroupLayout
    ) throws(Failure) -> [CgroupLayout.Hierarchy] {
        func has(_ hierarchy: CgroupLayout.Hierarchy, _ name: String) -> Bool {
            hierarchy.name == name || hierarchy.controllers.contains(name)
        }
        guard let names else {
            // cgroup2 of a hybrid host has nothing that v1's freezer has not, and to move a process there the kernel
            // waits for every processor: 5 ms and more, in each container's start.
            let legacy = layout.hierarchies.filter { $0.name != CgroupLayout.unified }
            let isEnough =
                legacy.contains { has($0, "freezer") }
                && needs.allSatisfy { name in legacy.contains { has($0, name) } }
            return isEnough ? legacy : layout.hierarchies
        }
        for name in names where !layout.hierarchies.contains(where: { has($0, name) }) {
            throw .refused("no cgroup hierarchy with \"\(name)\" is mounted")
        }
        return layout.hierarchies.filter { hierarchy in names.contains { has(hierarchy, $0) } }
    }

    /// The v2 names of controllers; those that v2 has without being asked are dropped.
    private static func unifiedNames(_ names: [String]) throws(Failure) -> [String] {
        var enabled: [String] = []
        for name in names {
            switch name {
            case "freezer", "devices", "cpuacct", "perf_event", "systemd", CgroupLayout.unified: continue
            case "blkio": enabled.append("io")
            case "net_cls", "net_prio": throw .refused("cgroup v2 has no controller \"\(name)\"")
            default: enabled.append(name)
            }
        }
        return enabled
    }
}

extension CgroupSet {
    /// For the state record.
    package var json: JSON {
        .object([
            "version": .integer(Int64(version.rawValue)),
            "directories": .object(directories.map { JSON.Member($0.hierarchy, .string($0.path)) }),
            "controllers": controllers.map { .array($0.map(JSON.string)) },
            "owner": owner.isEmpty ? nil : .string(owner),
            "scope": scope?.json,
        ])
    }

    /// From the state record.
    package init(_ c: Cursor) throws(Failure) {
        version = try c.required("version") { (c) throws(Failure) in
            let number: Int = try c.integer()
            guard let version = CgroupLayout.Version(rawValue: number) else {
                throw c.failure("\(number) is no version of cgroups")
            }
            return version
        }
        directories = try c.required("directories") { (c) throws(Failure) in
            var directories: [Directory] = []
            for (name, value) in try c.members() {
                let path = try value.string()
                // A damaged record must not lead to the removal of anything else.
                guard path.utf8.starts(with: (CgroupLayout.root + "/").utf8), !Path.steps(path).contains("..")
                else {
                    throw value.failure("\"\(path)\" is no cgroup")
                }
                directories.append(Directory(hierarchy: name, path: path))
            }
            return directories
        }
        controllers = try c.optional("controllers") { (c) throws(Failure) in
            try c.elements { (c) throws(Failure) in try c.string() }
        }
        owner = try c.optional("owner") { (c) throws(Failure) in try c.string() } ?? ""
        scope = try c.optional("scope", SystemdScope.init)
    }
}
