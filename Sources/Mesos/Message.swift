internal import JSON

/// A protobuf message written as JSON, while it is being read.
///
/// Names may be spelled as in the schema (snake_case) or as canonical proto JSON has them (lowerCamelCase). The
/// reader takes the fields that it knows; what remains is unknown, and gets a warning. `null` is the same as
/// nothing. Rules: `docs/mesos.md`, "How a document is read".
final class Message {
    let pointer: String
    let findings: Findings
    private var unread: [JSON.Member]

    /// Begins to read an object.
    init(_ members: [JSON.Member], at pointer: String, findings: Findings) {
        self.pointer = pointer
        self.findings = findings
        unread = members
    }

    private func pointer(to member: JSON.Member) -> String { pointer + "/" + Cursor.escaped(member.name) }

    /// Takes the field `name`, or the same field under the `old` name that version 0 of the API has for it.
    ///
    /// - Returns: `nil` where it is missing or null.
    func field(_ name: String, old: String? = nil) -> Field? {
        let spellings = [name, Message.camelCase(name)] + (old.map { [$0, Message.camelCase($0)] } ?? [])
        let given = unread.filter { spellings.contains($0.name) }
        unread.removeAll { spellings.contains($0.name) }
        if given.count > 1 {
            let names = given.map { "'\($0.name)'" }.joined(separator: " and ")
            findings.problem(pointer(to: given[1]), "the same field is given as \(names)")
        }
        guard let member = given.first, member.value != .null else { return nil }
        return Field(name: name, place: Cursor(member.value, at: pointer(to: member)), findings: findings)
    }

    /// Takes the field `name`, without which the message is not one.
    func required(_ name: String, old: String? = nil) -> Field? {
        if let field = field(name, old: old) { return field }
        findings.problem(pointer + "/" + name, "missing required field '\(name)'")
        return nil
    }

    /// Takes the field `name`, unless it is a list that asks for nothing.
    func wish(_ name: String) -> Field? {
        guard let field = field(name), field.place.value != .array([]) else { return nil }
        return field
    }

    /// Takes fields that are known, and have no bearing on anything that mrun does.
    func skip(_ names: String...) {
        for name in names { _ = field(name) }
    }

    /// Warns about what nobody took, as Mesos would ignore it silently.
    func finish() {
        for member in unread { findings.warn(pointer(to: member), "unknown field, ignored") }
        unread = []
    }

    /// `agent_id` is `agentId` in canonical proto JSON.
    static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) {
            $0 + $1.prefix(1).uppercased() + $1.dropFirst()
        }
    }
}
