/// `check` or `health_check`: how an executor finds out how a task does.
///
/// Nothing of it shapes the container; it is read to be checked, and kept for the executor as it is.
struct CheckInfo {
    let pointer: String
    let role: Role
    let kind: Kind?
    let command: CommandInfo?
    let http: HTTP?
    let hasTCP: Bool
    /// Times in seconds, with their names.
    let times: [(name: String, seconds: Double)]

    /// Which of the two it is: their schemas differ a little.
    enum Role {
        case check
        case healthCheck
    }

    enum Kind: String, CaseIterable {
        case unknown = "UNKNOWN"
        case command = "COMMAND"
        case http = "HTTP"
        case tcp = "TCP"
    }

    /// The addresses that a request goes to.
    enum NetworkProtocol: String, CaseIterable {
        case ipv4 = "IPv4"
        case ipv6 = "IPv6"
    }

    /// A request that wants an answer.
    struct HTTP {
        let pointer: String
        let path: String?
        let scheme: String?

        init(_ m: Message, _ role: Role) {
            pointer = m.pointer
            path = m.field("path")?.string()
            _ = m.required("port")?.integer(UInt32.self)
            guard role == .healthCheck else {
                scheme = nil
                return
            }
            scheme = m.field("scheme")?.string()
            _ = m.field("protocol")?.word(NetworkProtocol.self)
            _ = m.field("statuses")?.list { $0.integer(UInt32.self) }
        }
    }

    init(_ m: Message, _ role: Role) {
        pointer = m.pointer
        self.role = role
        kind = m.field("type")?.word()
        switch role {
        case .check:
            command = m.field("command")?.message { $0.field("command")?.message(CommandInfo.init) } ?? nil
        case .healthCheck:
            command = m.field("command")?.message(CommandInfo.init)
            _ = m.field("consecutive_failures")?.integer(UInt32.self)
        }
        http = m.field("http")?.message { HTTP($0, role) }
        hasTCP = m.field("tcp")?.message { CheckInfo.tcp($0, role) } != nil
        var names = ["delay_seconds", "interval_seconds", "timeout_seconds"]
        if role == .healthCheck { names.append("grace_period_seconds") }
        times = names.compactMap { name in m.field(name)?.double().map { (name, $0) } }
    }

    private static func tcp(_ m: Message, _ role: Role) {
        _ = m.required("port")?.integer(UInt32.self)
        if role == .healthCheck { _ = m.field("protocol")?.word(NetworkProtocol.self) }
    }
}
