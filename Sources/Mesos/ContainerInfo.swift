/// How to contain a task.
struct ContainerInfo {
    let pointer: String
    let kind: Kind
    /// Where `hostname` is.
    let hostname: String?
    let linux: LinuxInfo?
    /// Where `docker` is.
    let docker: String?
    let networks: [NetworkInfo]
    /// Whether an image may say what to execute.
    let hasImage: Bool
    /// What shapes the container in ways that this version does not bring about.
    let unsupported: [Unsupported]

    enum Kind: String, CaseIterable {
        case docker = "DOCKER"
        case mesos = "MESOS"
    }

    init(_ m: Message) {
        pointer = m.pointer
        kind = m.required("type")?.word() ?? .mesos
        hostname = m.field("hostname").flatMap { $0.string() == nil ? nil : $0.pointer }
        linux = m.field("linux_info")?.message(LinuxInfo.init)
        docker = m.field("docker")?.pointer
        networks = m.field("network_infos")?.list { $0.message(NetworkInfo.init) } ?? []
        let image = m.field("mesos")?.message { $0.field("image") } ?? nil
        hasImage = image != nil || kind == .docker
        let rlimits = m.field("rlimit_info")?.message { $0.wish("rlimits") } ?? nil
        unsupported =
            [
                Unsupported(m.wish("volumes"), "volumes"), Unsupported(image, "images"),
                Unsupported(rlimits, "resource limits"), Unsupported(m.field("tty_info"), "a terminal"),
            ].compactMap { $0 } + (linux?.unsupported ?? [])
    }
}

/// A field that is refused.
struct Unsupported {
    let pointer: String
    let what: String

    /// The field, where it is set.
    init?(_ field: Field?, _ what: String) {
        guard let field else { return nil }
        pointer = field.pointer
        self.what = what
    }
}

/// One network that a container joins; an entry without a name stands for the host's.
struct NetworkInfo {
    let pointer: String
    let name: String?

    init(_ m: Message) {
        pointer = m.pointer
        name = m.field("name")?.string()
        m.skip("ip_addresses", "groups", "labels", "port_mappings")
    }
}

/// What only Linux has.
struct LinuxInfo {
    /// `nil`: not set, which is not the same as private.
    let ipcMode: IPCMode?
    /// Where `ipc_mode` is.
    let ipcPointer: String?
    let sharedMemory: SharedMemory?
    /// `nil`: not set.
    let sharesPID: Bool?
    /// Where `share_pid_namespace` is.
    let pidPointer: String?
    /// Mesos' output says `true` even where nobody wished it.
    let sharesCgroups: Bool
    /// Where `share_cgroups` is.
    let cgroupsPointer: String
    let unsupported: [Unsupported]

    enum IPCMode: String, CaseIterable {
        case unknown = "UNKNOWN"
        case isolated = "PRIVATE"
        case shared = "SHARE_PARENT"
    }

    /// The size of `/dev/shm`.
    struct SharedMemory {
        let mebibytes: UInt32
        let pointer: String
    }

    init(_ m: Message) {
        let ipc = m.field("ipc_mode")
        ipcMode = ipc?.word()
        ipcPointer = ipc?.pointer
        sharedMemory = m.field("shm_size").flatMap { field in
            field.integer().map { SharedMemory(mebibytes: $0, pointer: field.pointer) }
        }
        let pid = m.field("share_pid_namespace")
        sharesPID = pid?.bool()
        pidPointer = pid?.pointer
        sharesCgroups = m.field("share_cgroups")?.bool() ?? true
        cgroupsPointer = m.pointer + "/share_cgroups"
        // An empty set of capabilities is a wish: none.
        unsupported = [
            Unsupported(m.field("capability_info"), "capabilities"),
            Unsupported(m.field("bounding_capabilities"), "capabilities"),
            Unsupported(m.field("effective_capabilities"), "capabilities"),
            Unsupported(m.field("seccomp"), "seccomp"),
        ].compactMap { $0 }
    }
}
