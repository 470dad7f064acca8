/// What to run.
struct CommandInfo {
    let pointer: String
    /// Whether `value` is a text for the shell; Mesos' default, and its output says so even where nobody wished it.
    let isShell: Bool
    /// The shell's text, or the file to execute.
    let value: String?
    /// The whole argument vector, with its first element; ignored by a shell command.
    let arguments: [String]
    let user: User?
    let environment: [Variable]
    /// Where `uris` is, when it asks for something.
    let uris: String?

    /// The account to run as, on the host.
    struct User {
        let name: String
        let pointer: String
    }

    init(_ m: Message) {
        pointer = m.pointer
        uris = m.wish("uris")?.pointer
        environment =
            m.field("environment")?.message {
                $0.field("variables")?.list { $0.message(Variable.init) } ?? []
            } ?? []
        isShell = m.field("shell")?.bool() ?? true
        value = m.field("value")?.string()
        arguments = m.field("arguments")?.list { $0.string() } ?? []
        user = m.field("user").flatMap { field in
            field.string().map { User(name: $0, pointer: field.pointer) }
        }
    }
}

/// One variable of `environment`.
struct Variable {
    let pointer: String
    let name: String
    let kind: Kind
    let value: String?
    let secret: Secret?

    enum Kind: String, CaseIterable {
        case unknown = "UNKNOWN"
        case value = "VALUE"
        case secret = "SECRET"
    }

    init(_ m: Message) {
        pointer = m.pointer
        name = m.required("name")?.string() ?? ""
        kind = m.field("type")?.word() ?? .value
        value = m.field("value")?.string()
        secret = m.field("secret")?.message(Secret.init)
    }
}

/// Something to be kept from others: by name, or in the document itself.
struct Secret {
    let pointer: String
    let kind: Kind
    let hasReference: Bool
    let hasValue: Bool

    enum Kind: String, CaseIterable {
        case unknown = "UNKNOWN"
        case reference = "REFERENCE"
        case value = "VALUE"
    }

    init(_ m: Message) {
        pointer = m.pointer
        kind = m.field("type")?.word() ?? .unknown
        let reference = m.field("reference")
        let value = m.field("value")
        hasReference = reference != nil
        hasValue = value != nil
        _ = reference?.message {
            _ = $0.required("name")?.string()
            _ = $0.field("key")?.string()
        }
        _ = value?.message { _ = $0.required("data")?.base64() }
    }
}
