package import Kernel

/// The text of `--help`.
package enum Help {
    /// The overview of all commands.
    package static func overview(_ program: String) -> String {
        let global = Command.global
        var text = heading(program, global.summary)
        text += "\nUSAGE:\n   \(program) [GLOBAL OPTION ...] \(global.positionals.usage)\n"
        text += "\nCOMMANDS:\n"
        let commands = Command.all
        let width = commands.map(\.name.count).max() ?? 0
        for group in Command.Group.allCases {
            text += "   \(group.rawValue)\n"
            for command in commands where command.group == group {
                text += "     \(padded(command.name, width))  \(command.summary)\n"
            }
        }
        text += "\nGLOBAL OPTIONS:\n" + table(global.options)
        text += "\nEXAMPLE:\n   \(program) \(global.example)\n"
        return text + "\n\"\(program) COMMAND --help\" shows more on one command.\n"
    }

    /// The help of one command.
    package static func text(_ command: Command, _ program: String) -> String {
        heading("\(program) \(command.name)", command.summary)
            + "\nUSAGE:\n   \(command.usage(program))\n"
            + "\nOPTIONS:\n" + table(command.options)
            + "\nEXAMPLE:\n   \(program) \(command.example)\n"
    }

    /// The help that `mrun help [NAME]` shows.
    package static func text(onCommand name: String?, _ program: String) throws(Failure) -> String {
        guard let name else { return overview(program) }
        guard let command = Command.named(name) else { throw unknown(name) }
        return text(command, program)
    }

    /// There is no command `name`; runc's words and exit status.
    package static func unknown(_ name: String) -> Failure {
        Failure(.refused("No help topic for '\(name)'"), exitStatus: 3)
    }

    private static func heading(_ name: String, _ summary: String) -> String {
        "NAME:\n   \(name) - \(summary)\n"
    }

    private static func table(_ options: [Option]) -> String {
        let rows = options.filter { !$0.isHidden }.map {
            (left: left($0), right: $0.help + ($0.isRepeatable ? " (may be repeated)" : ""))
        }
        let width = rows.map(\.left.count).max() ?? 0
        return rows.map { "   \(padded($0.left, width))  \($0.right)\n" }.joined()
    }

    private static func left(_ option: Option) -> String {
        let short = option.letter.map { "-\($0), " } ?? "    "
        switch option.argument {
        case .nothing: return "\(short)--\(option.name)"
        case .value(let value, _): return "\(short)--\(option.name) \(value)"
        case .agentFlag: return "\(short)--[no-]\(option.name)"
        }
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
