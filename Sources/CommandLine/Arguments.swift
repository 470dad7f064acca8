/// A parsed command line of one command.
package struct Arguments: Sendable, Equatable {
    /// The command whose table was used.
    package let command: Command
    /// What stood beside the options, in order.
    package internal(set) var positionals: [String] = []
    // Two lists of strings, as their metadata is there already: see OptionParser.
    private var names: [String] = []
    private var given: [String] = []

    init(_ command: Command) { self.command = command }

    mutating func add(_ option: Option, _ value: String) {
        names.append(option.name)
        given.append(value)
    }

    /// Whether `name` was given and not taken back; `absent` where it was not given.
    package func flag(_ name: String, absent: Bool = false) -> Bool {
        value(name).map { $0 == "true" } ?? absent
    }

    /// The value of `name`, the last one when there are several; `nil` where it was not given.
    package func value(_ name: String) -> String? {
        assert(isDeclared(name), "\(command.name) has no option \(name)")
        return names.lastIndex(of: name).map { given[$0] }
    }

    /// All values of `name`, in order.
    package func values(_ name: String) -> [String] {
        assert(isDeclared(name), "\(command.name) has no option \(name)")
        return names.indices.filter { names[$0] == name }.map { given[$0] }
    }

    private func isDeclared(_ name: String) -> Bool { command.options.contains { $0.name == name } }
}
