internal import Cgroups
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// What mrun remembers of a container, in `state.json`.
struct Record: Sendable, Equatable {
    /// How far `create` has come.
    ///
    /// The rest (running, paused, stopped) is the kernel's to tell.
    enum Phase: String, Sendable {
        /// Written before the first side effect: from here on `delete` knows what to look for.
        case creating
        case created
    }

    var id: String
    var phase: Phase
    /// Absolute.
    var bundle: String
    var rootfs: String
    var created: Moment
    /// The container's init, as seen by mrun; `nil` until it exists.
    var process: ProcessIdentity?
    /// Of the kernel that ran the container: after a reboot pids mean other processes.
    var bootID: String
    var cgroups: CgroupSet
    var annotations: [Annotation]
    /// Whether mrun-init stays and records how the task ends.
    var stayingInit: Bool
    /// Whether the container has a pid namespace of its own, which dies with its init.
    var ownPidNamespace: Bool
    /// Who created it.
    var owner: UInt32
    /// Whether the config has hooks; which, the copy of it tells.
    var hooks: Bool

    var json: JSON {
        .object([
            "version": 1,
            "id": .string(id),
            "phase": .string(phase.rawValue),
            "pid": process.map { .integer(Int64($0.pid)) },
            "startTime": process.map { .integer(Int64(clamping: $0.startTime)) },
            "bootID": .string(bootID),
            "bundle": .string(bundle),
            "rootfs": .string(rootfs),
            "created": .integer(created.nanoseconds),
            "owner": .integer(Int64(owner)),
            "stayingInit": .bool(stayingInit),
            "ownPidNamespace": .bool(ownPidNamespace),
            "hooks": hooks ? true : nil,
            "cgroups": cgroups.json,
            "annotations": annotations.isEmpty ? nil : Annotation.json(annotations),
        ])
    }

    init(
        id: String, bundle: String, rootfs: String, bootID: String, cgroups: CgroupSet, spec: Spec,
        stayingInit: Bool,
        ownPidNamespace: Bool, owner: UInt32
    ) {
        self.id = id
        phase = .creating
        self.bundle = bundle
        self.rootfs = rootfs
        created = Moment.now()
        self.bootID = bootID
        self.cgroups = cgroups
        annotations = spec.annotations
        self.stayingInit = stayingInit
        self.ownPidNamespace = ownPidNamespace
        self.owner = owner
        hooks = spec.hooks?.isEmpty == false
    }

    init(_ c: Cursor) throws(Failure) {
        let version: Int = try c.required("version") { (c) throws(Failure) in try c.integer() }
        guard version == 1 else { throw c.failure("version \(version) of the record is unknown") }
        id = try c.required("id") { (c) throws(Failure) in try c.string() }
        phase = try c.required("phase") { (c) throws(Failure) in try c.word() }
        bundle = try c.required("bundle") { (c) throws(Failure) in try c.string() }
        rootfs = try c.required("rootfs") { (c) throws(Failure) in try c.string() }
        created = Moment(
            nanoseconds: try c.required("created") { (c) throws(Failure) in try c.integer() })
        let pid: Int32? = try c.optional("pid") { (c) throws(Failure) in try c.integer() }
        let startTime: UInt64? = try c.optional("startTime") { (c) throws(Failure) in try c.integer() }
        if let pid, let startTime { process = ProcessIdentity(pid: pid, startTime: startTime) }
        bootID = try c.required("bootID") { (c) throws(Failure) in try c.string() }
        cgroups = try c.required("cgroups", CgroupSet.init)
        annotations =
            try c.optional("annotations") { (c) throws(Failure) in
                try c.stringMap().map { Annotation($0.name, $0.value) }
            } ?? []
        stayingInit = try c.required("stayingInit") { (c) throws(Failure) in try c.bool() }
        ownPidNamespace = try c.required("ownPidNamespace") { (c) throws(Failure) in try c.bool() }
        owner = try c.required("owner") { (c) throws(Failure) in try c.integer() }
        hooks = try c.optional("hooks") { (c) throws(Failure) in try c.bool() } ?? false
    }

    /// The id that the kernel gave itself when it booted.
    static func currentBootID() throws(Failure) -> String {
        String(try Files.read("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" })
    }
}

extension ContainerFolder {
    /// The record; `nil` while there is none yet.
    borrowing func record() throws(Failure) -> Record? {
        guard
            let file = try FileDescriptor.openIfPresent(
                Name.record, at: directory.raw, flags: O_RDONLY | O_NOFOLLOW)
        else { return nil }
        return try attempting("state of container \"\(id)\"") { () throws(Failure) in
            try Record(Cursor(try JSON.parse(try file.readAll())))
        }
    }

    borrowing func write(_ record: Record) throws(Failure) { try write(Name.record, record.json.text()) }
}
