internal import CommandLine
internal import JSON
internal import Kernel
internal import Runtime

/// The command `mrun doctor`.
enum DoctorCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let findings = try Doctor(root: invocation.settings.root).examine()
        let fatal = findings.filter { $0.verdict == .needed }
        switch invocation.arguments.value("format") ?? "table" {
        case "json": try Output.write(JSON.array(findings.map(\.json)).text() + "\n")
        case "table": try Output.write(table(findings) + verdict(fatal))
        case let other: throw .refused("invalid format option: \"\(other)\"")
        }
        return fatal.isEmpty ? 0 : 1
    }

    private static func verdict(_ fatal: [Finding]) -> String {
        fatal.isEmpty
            ? "\nContainers can run here.\n"
            : "\nNo container can run here without: \(fatal.map(\.name).joined(separator: ", ")).\n"
    }

    /// A heading, then a line for each finding, and one below it on what is amiss.
    private static func table(_ findings: [Finding]) -> String {
        var text = ""
        var topic = ""
        for finding in findings {
            if finding.topic != topic {
                topic = finding.topic
                text += "\(topic)\n"
            }
            let mark =
                switch finding.verdict {
                case .ok: "ok"
                case .missing: "missing"
                case .needed: "NEEDED"
                case .note: "-"
                }
            let padding = String(repeating: " ", count: max(1, 9 - mark.count))
            text +=
                "  \(mark)\(padding)\(finding.name)\(finding.detail.isEmpty ? "" : ": \(finding.detail)")\n"
            if !finding.cost.isEmpty { text += "           \(finding.cost)\n" }
        }
        return text
    }
}
