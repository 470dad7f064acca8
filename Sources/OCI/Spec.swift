package import JSON
package import Kernel

/// A bundle's `config.json`, by the OCI runtime specification 1.3.
package struct Spec: Sendable, Equatable {
    /// The specification that mrun follows.
    package static let version = "1.3.0"

    package var ociVersion = Spec.version
    package var process: ProcessSpec?
    package var root: RootSpec?
    package var hostname: String?
    package var domainname: String?
    package var mounts: [MountSpec] = []
    /// In the order of the document.
    package var annotations: [Annotation] = []
    package var linux = LinuxSpec()
    package var hooks: HooksSpec?

    package init() {}

    package init(_ c: Cursor) throws(Failure) {
        ociVersion = try c.required("ociVersion") { (c) throws(Failure) in try c.string() }
        process = try c.optional("process", ProcessSpec.init)
        root = try c.optional("root", RootSpec.init)
        hostname = try c.optional("hostname") { (c) throws(Failure) in try c.string() }
        domainname = try c.optional("domainname") { (c) throws(Failure) in try c.string() }
        mounts = try c.list("mounts", MountSpec.init)
        annotations = try c.optional("annotations", Annotation.list) ?? []
        linux = try c.optional("linux", LinuxSpec.init) ?? LinuxSpec()
        hooks = try c.optional("hooks", HooksSpec.init)
        try refuse(c, "vm", "virtual machines")
    }

    package var json: JSON {
        .object([
            "ociVersion": .string(ociVersion),
            "process": process?.json,
            "root": root?.json,
            "hostname": hostname.map(JSON.string),
            "domainname": domainname.map(JSON.string),
            "mounts": .array(mounts.map(\.json)),
            "annotations": annotations.isEmpty ? nil : Annotation.json(annotations),
            "linux": linux.json,
            "hooks": hooks?.json,
        ])
    }

    /// The value of the annotation `name`.
    package func annotation(_ name: String) -> String? { annotations.last { $0.name == name }?.value }
}

/// One annotation: free text by name.
package struct Annotation: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    static func list(_ c: Cursor) throws(Failure) -> [Annotation] {
        try c.stringMap().map { Annotation($0.name, $0.value) }
    }

    package static func json(_ annotations: [Annotation]) -> JSON {
        .object(annotations.map { JSON.Member($0.name, .string($0.value)) })
    }
}

/// The annotations that mean something to mrun.
package enum Meaning {
    /// `true`: mrun-init stays as the container's init, forwards signals, and records how the task ended.
    package static let stayingInit = "org.mrun.init"
    /// The file to execute when it is not `process.args[0]` (Mesos: `CommandInfo.value` with `shell: false`).
    package static let executable = "org.mrun.executable"
    /// `untouched`: the task keeps the capabilities that mrun was started with, instead of
    /// `process.capabilities`.
    package static let capabilities = "org.mrun.capabilities"
    /// The v1 hierarchies (or v2 controllers) that the container joins, separated by commas; without it, all.
    package static let controllers = "org.mrun.cgroup.controllers"
}

/// `root`: the container's file system.
package struct RootSpec: Sendable, Hashable {
    /// Absolute, or relative to the bundle.
    ///
    /// `/` shares the host's.
    package var path: String
    package var readonly = false

    package init(path: String, readonly: Bool = false) {
        self.path = path
        self.readonly = readonly
    }

    init(_ c: Cursor) throws(Failure) {
        path = try c.required("path") { (c) throws(Failure) in try c.string() }
        readonly = try c.optional("readonly") { (c) throws(Failure) in try c.bool() } ?? false
    }

    var json: JSON { .object(["path": .string(path), "readonly": readonly ? true : nil]) }
}

/// One entry of `mounts`.
package struct MountSpec: Sendable, Hashable {
    package var destination: String
    package var type: String?
    package var source: String?
    package var options: [String] = []
    /// How the owners of its files are mapped; empty: not, unless an option says so.
    package var uidMappings: [IDMapping] = []
    package var gidMappings: [IDMapping] = []

    package init(_ destination: String, type: String? = nil, source: String? = nil, options: [String] = []) {
        self.destination = destination
        self.type = type
        self.source = source
        self.options = options
    }

    init(_ c: Cursor) throws(Failure) {
        destination = try c.required("destination") { (c) throws(Failure) in try c.string() }
        type = try c.optional("type") { (c) throws(Failure) in try c.string() }
        source = try c.optional("source") { (c) throws(Failure) in try c.string() }
        options = try c.list("options") { (c) throws(Failure) in try c.string() }
        uidMappings = try c.list("uidMappings", IDMapping.init)
        gidMappings = try c.list("gidMappings", IDMapping.init)
    }

    var json: JSON {
        .object([
            "destination": .string(destination), "type": type.map(JSON.string),
            "source": source.map(JSON.string),
            "options": options.isEmpty ? nil : .array(options.map(JSON.string)),
            "uidMappings": uidMappings.isEmpty ? nil : .array(uidMappings.map(\.json)),
            "gidMappings": gidMappings.isEmpty ? nil : .array(gidMappings.map(\.json)),
        ])
    }
}

/// Refuses members that shape the container in a way that mrun does not bring about yet: better no container
/// than another one than was asked for.
func refuse(_ c: Cursor, _ name: String, _ what: String) throws(Failure) {
    // One call for each: a table of them would cost its metadata in every call of mrun.
    guard let member = try c.member(name) else { return }
    // Empty lists and objects ask for nothing.
    if member.value == .array([]) || member.value == .object([]) { return }
    throw member.failure("\(what): not supported by this version of mrun")
}
