internal import CommandLine
internal import JSON
internal import Kernel
internal import Runtime

/// The command `mrun plan`.
enum PlanCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        let id = arguments.positionals.isEmpty ? "container" : try invocation.containerID()
        var options = CreateOptions(bundle: arguments.value("bundle") ?? ".")
        if let config = arguments.value("config") { options.config = config }
        options.stayingInit = arguments.flag("init")
        let steps = try invocation.containers.preview(id, options)
        switch arguments.value("format") ?? "table" {
        case "json": try Output.write(JSON.array(steps.map(\.json)).text() + "\n")
        case "table": try Output.write(table(steps))
        case let other: throw .refused("invalid format option: \"\(other)\"")
        }
        return 0
    }

    /// Grouped by who does it.
    private static func table(_ steps: [PlanStep]) -> String {
        var text = ""
        var actor = ""
        for step in steps {
            if step.actor != actor {
                actor = step.actor
                text += "\(headings.first { $0.0 == actor }?.1 ?? actor)\n"
            }
            text += "  \(step.text)\n"
        }
        return text
    }

    private static let headings = [
        ("mrun", "mrun, on the host"), ("child", "the child, in the container's namespaces"),
        ("mrun-init", "mrun-init, in the container"),
    ]
}
