/// One command of mrun, as data: parsing, help and completions all read it.
package struct Command: Sendable, Hashable {
    /// Headings of the overview, in its order.
    package enum Group: String, Sendable, CaseIterable {
        case lifecycle = "Life of a container"
        case processes = "Inside a container"
        case observation = "What goes on"
        case documents = "Bundles"
        case help = "Help"
    }

    /// What may stand beside the options.
    package struct Positionals: Sendable, Hashable {
        /// As the usage line shows them.
        package let usage: String
        package let minimum: Int
        /// `nil`: any number.
        package let maximum: Int?
        /// What each names; more arguments than that are free text.
        package let subjects: [Subject]
        /// Whether options end at the first one, so that what follows can have options of its own.
        package let endOptions: Bool

        init(
            _ usage: String, _ minimum: Int, _ maximum: Int?, _ subjects: [Subject], endOptions: Bool = false
        ) {
            self.usage = usage
            self.minimum = minimum
            self.maximum = maximum
            self.subjects = subjects
            self.endOptions = endOptions
        }

        static var none: Positionals { Positionals("", 0, 0, []) }
        static var container: Positionals { Positionals("ID", 1, 1, [.container]) }
        static var newContainer: Positionals { Positionals("ID", 1, 1, []) }
    }

    package let name: String
    package let group: Group
    /// One line for people.
    package let summary: String
    /// A call worth copying, without the program's name.
    package let example: String
    package let positionals: Positionals
    /// In the order of help; `--help` is the last of every command.
    package let options: [Option]

    init(
        _ name: String, _ group: Group, _ summary: String, example: String, _ positionals: Positionals,
        _ options: [Option] = []
    ) {
        self.name = name
        self.group = group
        self.summary = summary
        self.example = example
        self.positionals = positionals
        self.options = options + [.flag("help", "h", "show this help")]
    }

    /// The usage line; `program` is what mrun was called as.
    package func usage(_ program: String) -> String {
        let places = options.count > 1 ? "[OPTION ...] " : ""
        let line = "\(program) \(name) \(places)\(positionals.usage)"
        return line.hasSuffix(" ") ? String(line.dropLast()) : line
    }

    /// Says what is wrong with `count` positional arguments; `nil` when nothing is.
    func complaint(about count: Int) -> String? {
        let (minimum, maximum) = (positionals.minimum, positionals.maximum)
        if minimum == maximum, count != minimum {
            return "\"\(name)\" requires exactly \(minimum) argument(s)"
        }
        if count < minimum { return "\"\(name)\" requires a minimum of \(minimum) argument(s)" }
        if let maximum, count > maximum { return "\"\(name)\" requires a maximum of \(maximum) argument(s)" }
        return nil
    }
}
