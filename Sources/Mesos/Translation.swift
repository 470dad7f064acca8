package import JSON
internal import Kernel
package import OCI

/// What became of a task.
package struct Translation: Sendable {
    /// The container's config.
    package let spec: Spec
    /// What was left out without harm, a line each, with the JSON pointer of its place.
    package let warnings: [String]
}

/// Turns a Mesos TaskInfo into the config of a container, as Mesos' own containerizer would run it.
///
/// It reads nothing but its arguments, and the same arguments give the same config.
///
/// - Throws: everything that is wrong at once. What shapes the container and cannot be brought about is a problem,
///   never silently left out.
package func translate(_ document: JSON, options: TranslationOptions) throws(Problems) -> Translation {
    let findings = Findings()
    options.check(findings)
    guard case .object(let members) = document else {
        findings.problem("", "expecting a JSON object")
        throw Problems(all: findings.problems)
    }
    let message = Message(members, at: "", findings: findings)
    if let tasks = message.field("tasks") { findings.unsupported(tasks.pointer, "task groups") }
    try findings.settle()
    let task = TaskInfo(message)
    message.finish()
    // What could not be read would only bring up more of the same.
    try findings.settle()
    task.check(findings)
    let translator = Translator(task: task, document: document, options: options, findings: findings)
    let spec = translator.spec()
    task.refuseWhatIsToCome(findings)
    try findings.settle()
    return Translation(spec: spec, warnings: findings.warnings)
}

extension TaskInfo {
    /// Refuses what a later version brings about: better no container than another one than was asked for.
    func refuseWhatIsToCome(_ findings: Findings) {
        for resource in resources {
            if let volume = resource.volume { findings.unsupported(volume, "persistent volumes") }
        }
        if let executor { findings.unsupported(executor, "custom executors") }
        if let uris = command?.uris { findings.unsupported(uris, "URIs to fetch") }
        for secret in (command?.environment ?? []).compactMap(\.secret) {
            findings.unsupported(secret.pointer, "secrets in the environment")
        }
        guard let container, container.kind == .mesos else { return }
        for field in container.unsupported { findings.unsupported(field.pointer, field.what) }
        if let network = container.networks.first(where: { $0.name != nil }) {
            findings.unsupported(network.pointer, "networks")
        }
    }
}
