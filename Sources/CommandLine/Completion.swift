/// Scripts that complete mrun's command line in a shell, made from the table of commands.
package enum Completion {
    /// The script for `shell`; `nil` for a shell that is not known.
    package static func script(_ shell: String) -> String? {
        switch shell {
        case "bash": bash
        case "zsh": zsh
        case "fish": fish
        default: nil
        }
    }

    /// The options before the command, then those of each command.
    static var tables: [Command] { [.global] + Command.all }

    /// All that can be typed for `option`, with its dashes.
    static func spellings(_ option: Option) -> [String] {
        var all = ["--" + option.name]
        if case .agentFlag = option.argument { all.append("--no-" + option.name) }
        if let letter = option.letter { all.append("-\(letter)") }
        return all
    }

    /// The subject of the option's value; `nil` for a flag.
    static func subject(_ option: Option) -> Subject? {
        guard case .value(_, let subject) = option.argument else { return nil }
        return subject
    }

    /// `text` between single quotes, for any shell.
    static func quoted(_ text: String) -> String {
        "'" + text.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
    }
}
