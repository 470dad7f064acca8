/// A task as a framework gives it to Mesos (`include/mesos/v1/mesos.proto`).
struct TaskInfo {
    let name: String
    let taskID: Identifier
    /// Version 0 of the API says `slave_id`.
    let agentID: Identifier
    let resources: [Resource]
    let command: CommandInfo?
    /// Where `executor` is.
    let executor: String?
    let container: ContainerInfo?
    let limits: [Limit]
    let killPolicy: KillPolicy?
    let maxCompletionTime: DurationInfo?
    let check: CheckInfo?
    let healthCheck: CheckInfo?
    let labels: [Label]
    let discovery: DiscoveryInfo?
    /// Where `data` is.
    let data: String?

    init(_ m: Message) {
        taskID = m.required("task_id")?.message(Identifier.init) ?? Identifier()
        name = m.required("name")?.string() ?? ""
        agentID = m.required("agent_id", old: "slave_id")?.message(Identifier.init) ?? Identifier()
        killPolicy = m.field("kill_policy")?.message(KillPolicy.init)
        maxCompletionTime = m.field("max_completion_time")?.message(DurationInfo.init)
        check = m.field("check")?.message { CheckInfo($0, .check) }
        healthCheck = m.field("health_check")?.message { CheckInfo($0, .healthCheck) }
        resources = m.field("resources")?.list { $0.message(Resource.init) } ?? []
        command = m.field("command")?.message(CommandInfo.init)
        executor = m.field("executor")?.pointer
        container = m.field("container")?.message(ContainerInfo.init)
        limits = m.field("limits")?.map { $0.message(Scalar.init) }.map(Limit.init) ?? []
        labels = Label.list(m)
        discovery = m.field("discovery")?.message(DiscoveryInfo.init)
        data = m.field("data").flatMap { $0.base64() == nil ? nil : $0.pointer }
    }
}

/// `kill_policy`: how a task is asked to end.
struct KillPolicy {
    let gracePeriod: DurationInfo?

    init(_ m: Message) { gracePeriod = m.field("grace_period")?.message(DurationInfo.init) }
}

/// An upper bound of a resource, which a task may use when nobody else needs it.
struct Limit {
    let name: String
    /// CPUs or MiB; may be infinite.
    let value: Double
    let pointer: String

    init(name: String, scalar: Scalar) {
        self.name = name
        value = scalar.value
        pointer = scalar.place
    }
}

/// A message that only holds an id.
struct Identifier {
    var value = ""
    var pointer = ""

    init() {}

    init(_ m: Message) {
        pointer = m.pointer + "/value"
        value = m.required("value")?.string() ?? ""
    }
}

/// A span of time.
struct DurationInfo {
    let nanoseconds: Int64
    let pointer: String

    init(_ m: Message) {
        pointer = m.pointer + "/nanoseconds"
        nanoseconds = m.required("nanoseconds")?.integer() ?? 0
    }
}

/// A key, and maybe a value, that mean something to people and frameworks only.
struct Label {
    let key: String
    let value: String?

    init(_ m: Message) {
        key = m.required("key")?.string() ?? ""
        value = m.field("value")?.string()
    }

    /// The field `labels` of a message, which is a message with the field `labels` in it.
    static func list(_ m: Message) -> [Label] {
        m.field("labels")?.message { $0.field("labels")?.list { $0.message(Label.init) } ?? [] } ?? []
    }
}

/// What others may know about how to reach a task; read to be checked, not kept.
struct DiscoveryInfo {
    let pointer: String

    enum Visibility: String, CaseIterable {
        case framework = "FRAMEWORK"
        case cluster = "CLUSTER"
        case external = "EXTERNAL"
    }

    init(_ m: Message) {
        pointer = m.pointer
        _ = m.required("visibility")?.word(Visibility.self)
        for name in ["name", "environment", "location", "version"] { _ = m.field(name)?.string() }
        _ = m.field("ports")?.message { _ = $0.field("ports")?.list { $0.message(DiscoveryInfo.port) } }
        _ = Label.list(m)
    }

    private static func port(_ m: Message) {
        _ = m.required("number")?.integer(UInt32.self)
        for name in ["name", "protocol"] { _ = m.field(name)?.string() }
        _ = m.field("visibility")?.word(Visibility.self)
        _ = Label.list(m)
    }
}
