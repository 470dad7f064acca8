/// One option of a command: a row of its table.
package struct Option: Sendable, Hashable {
    /// What follows the option's name.
    package enum Argument: Sendable, Hashable {
        /// Nothing; `--name=false` takes an earlier `--name` back.
        case nothing
        /// A value, under the name that help shows.
        case value(String, Subject)
        /// A flag of the Mesos agent: `--name`, `--name=true`, `--name=false` or `--no-name`.
        case agentFlag
    }

    /// The long name, without dashes; a `_` in it may also be typed as `-`.
    package let name: String
    /// The short form.
    package let letter: Character?
    package let argument: Argument
    /// Whether all values count; otherwise the last one does.
    package let isRepeatable: Bool
    /// One line for people.
    package let help: String
    /// Whether help and completions keep quiet about it.
    package let isHidden: Bool

    private init(
        _ name: String, _ letter: Character?, _ argument: Argument, repeatable: Bool = false,
        hidden: Bool = false, _ help: String
    ) {
        isHidden = hidden
        self.name = name
        self.letter = letter
        self.argument = argument
        self.isRepeatable = repeatable
        self.help = help
    }

    /// An option without a value.
    static func flag(_ name: String, _ letter: Character?, _ help: String) -> Option {
        Option(name, letter, .nothing, help)
    }

    /// An option with a value.
    static func value(
        _ name: String, _ letter: Character?, _ value: String, _ subject: Subject,
        repeatable: Bool = false, _ help: String
    ) -> Option {
        Option(name, letter, .value(value, subject), repeatable: repeatable, help)
    }

    /// An option with a value that only old callers know.
    static func hidden(_ name: String, _ value: String, _ help: String) -> Option {
        Option(name, nil, .value(value, .anything), hidden: true, help)
    }

    /// A flag that the Mesos agent has under the same name.
    static func agentFlag(_ name: String, _ help: String) -> Option {
        Option(name, nil, .agentFlag, help)
    }

    /// The long names that stand for this option: its own, and with `-` where that has `_`.
    var spellings: [String] {
        guard name.utf8.contains(UInt8(ascii: "_")) else { return [name] }
        return [name, String(name.map { $0 == "_" ? "-" : $0 })]
    }
}

/// What a value or a positional argument names: shells complete it accordingly.
package enum Subject: Sendable, Hashable {
    /// Free text.
    case anything
    case file
    case folder
    /// The id of a container.
    case container
    case signal
    /// A command of mrun.
    case command
    /// One of a few words.
    case words([String])
}
