internal import CommandLine
internal import Kernel

/// The body of a command: it returns the exit status.
typealias Action = (Invocation) throws(Failure) -> Int32

/// Which body belongs to which command.
enum Dispatch {
    /// The body of the command `name`.
    static func action(_ name: String) -> Action? {
        switch name {
        case "completion": CompletionCommand.run
        case "help": HelpCommand.run
        default: PendingCommand.run
        }
    }
}
