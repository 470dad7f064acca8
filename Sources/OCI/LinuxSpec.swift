package import JSON
package import Kernel

/// `linux`: what only Linux has.
package struct LinuxSpec: Sendable, Equatable {
    package var namespaces: [NamespaceSpec] = []
    package var devices: [DeviceSpec] = []
    package var cgroupsPath: String?
    package var resources = ResourceSpec()
    package var sysctl: [Annotation] = []
    package var seccomp: SeccompSpec?
    /// `seccomp`, where it was not read yet: `readSeccomp()` does that.
    package var seccompText: SeccompText?
    /// `shared`, `slave`, `private`, `unbindable`, with an `r` in front for the whole tree; `nil`: rslave.
    package var rootfsPropagation: String?
    package var maskedPaths: [String] = []
    package var readonlyPaths: [String] = []
    package var memoryPolicy: MemoryPolicySpec?
    package var personality: PersonalitySpec?
    /// The SELinux label of the file systems that the container gets.
    package var mountLabel: String?
    package var uidMappings: [IDMapping] = []
    package var gidMappings: [IDMapping] = []
    package var timeOffsets: [TimeOffset] = []
    package var netDevices: [NetworkDevice] = []

    package init() {}

    package init(_ c: Cursor) throws(Failure) {
        namespaces = try c.list("namespaces", NamespaceSpec.init)
        devices = try c.list("devices", DeviceSpec.init)
        cgroupsPath = try c.optional("cgroupsPath") { (c) throws(Failure) in try c.string() }
        resources = try c.optional("resources", ResourceSpec.init) ?? ResourceSpec()
        sysctl = try c.optional("sysctl", Annotation.list) ?? []
        seccomp = try c.optional("seccomp", SeccompSpec.init)
        rootfsPropagation = try c.optional("rootfsPropagation") { (c) throws(Failure) in
            let word = try c.string()
            let known = [
                "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable",
            ]
            guard known.contains(word) else { throw c.failure("\"\(word)\" is no mount propagation") }
            return word
        }
        maskedPaths = try c.list("maskedPaths") { (c) throws(Failure) in try c.absolutePath() }
        readonlyPaths = try c.list("readonlyPaths") { (c) throws(Failure) in try c.absolutePath() }
        uidMappings = try c.list("uidMappings", IDMapping.init)
        gidMappings = try c.list("gidMappings", IDMapping.init)
        timeOffsets = try c.optional("timeOffsets", TimeOffset.list) ?? []
        netDevices = try c.optional("netDevices", NetworkDevice.list) ?? []
        try refuse(c, "intelRdt", "Intel RDT")
        if let member = try c.member("memoryPolicy") { memoryPolicy = try MemoryPolicySpec(member) }
        if let member = try c.member("personality") { personality = try PersonalitySpec(member) }
        mountLabel = try c.optional("mountLabel") { (c) throws(Failure) in try c.string() }
    }

    package var json: JSON {
        func list(_ paths: [String]) -> JSON? { paths.isEmpty ? nil : .array(paths.map(JSON.string)) }
        return .object([
            "cgroupsPath": cgroupsPath.map(JSON.string),
            "resources": resources.json,
            "namespaces": .array(namespaces.map(\.json)),
            "devices": devices.isEmpty ? nil : .array(devices.map(\.json)),
            "sysctl": sysctl.isEmpty ? nil : Annotation.json(sysctl),
            "seccomp": seccomp?.json ?? seccompText?.json,
            "rootfsPropagation": rootfsPropagation.map(JSON.string),
            "maskedPaths": list(maskedPaths),
            "readonlyPaths": list(readonlyPaths),
            "memoryPolicy": memoryPolicy?.json,
            "personality": personality?.json,
            "mountLabel": mountLabel.map(JSON.string),
            "uidMappings": uidMappings.isEmpty ? nil : .array(uidMappings.map(\.json)),
            "gidMappings": gidMappings.isEmpty ? nil : .array(gidMappings.map(\.json)),
            "timeOffsets": TimeOffset.json(timeOffsets),
            "netDevices": NetworkDevice.json(netDevices),
        ])
    }

    /// Whether the container has a pid namespace that ends with its first process.
    package var ownsPidNamespace: Bool { namespace(.pid).map { $0.path == nil } ?? false }

    /// The entry for a kind of namespace; `nil`: the container shares mrun's.
    package func namespace(_ kind: NamespaceKind) -> NamespaceSpec? { namespaces.first { $0.kind == kind } }
}

extension Cursor {
    /// A path that begins with `/`.
    func absolutePath() throws(Failure) -> String {
        let path = try string()
        guard path.hasPrefix("/") else { throw failure("\"\(path)\" is relative") }
        return path
    }
}

/// The kinds of namespaces, by their names in the specification.
package enum NamespaceKind: String, Sendable, Hashable, CaseIterable {
    case pid, network, mount, ipc, uts, user, cgroup, time
}

/// One entry of `linux.namespaces`: new, or the one at `path`.
package struct NamespaceSpec: Sendable, Hashable {
    package let kind: NamespaceKind
    package let path: String?

    package init(_ kind: NamespaceKind, path: String? = nil) {
        self.kind = kind
        self.path = path
    }

    init(_ c: Cursor) throws(Failure) {
        kind = try c.required("type") { (c) throws(Failure) in try c.word() }
        path = try c.optional("path") { (c) throws(Failure) in try c.absolutePath() }
    }

    var json: JSON { .object(["type": .string(kind.rawValue), "path": path.map(JSON.string)]) }
}

/// One entry of `linux.devices`: a node to make.
package struct DeviceSpec: Sendable, Hashable {
    package enum Kind: String, Sendable {
        case character = "c"
        case unbuffered = "u"
        case block = "b"
        case fifo = "p"
    }
    package let path: String
    package let kind: Kind
    package let number: DeviceNumber
    package let mode: UInt32
    package let uid: UInt32
    package let gid: UInt32

    package init(path: String, major: UInt32, minor: UInt32, mode: UInt32 = 0o666) {
        self.path = path
        kind = .character
        number = DeviceNumber(major: major, minor: minor)
        self.mode = mode
        uid = 0
        gid = 0
    }

    init(_ c: Cursor) throws(Failure) {
        path = try c.required("path") { (c) throws(Failure) in try c.absolutePath() }
        kind = try c.required("type") { (c) throws(Failure) in try c.word() }
        let major: UInt32? = try c.optional("major") { (c) throws(Failure) in try c.integer() }
        let minor: UInt32? = try c.optional("minor") { (c) throws(Failure) in try c.integer() }
        if kind != .fifo && (major == nil || minor == nil) {
            throw c.failure("a device needs major and minor")
        }
        number = DeviceNumber(major: major ?? 0, minor: minor ?? 0)
        mode = try c.optional("fileMode") { (c) throws(Failure) in try c.integer() } ?? 0o666
        uid = try c.optional("uid") { (c) throws(Failure) in try c.integer() } ?? 0
        gid = try c.optional("gid") { (c) throws(Failure) in try c.integer() } ?? 0
    }

    var json: JSON {
        .object([
            "path": .string(path), "type": .string(kind.rawValue), "major": .integer(Int64(number.major)),
            "minor": .integer(Int64(number.minor)), "fileMode": .integer(Int64(mode)),
            "uid": .integer(Int64(uid)), "gid": .integer(Int64(gid)),
        ])
    }
}
