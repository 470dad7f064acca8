internal import CommandLine
internal import Kernel

/// The body of a command: it returns the exit status.
typealias Action = (Invocation) throws(Failure) -> Int32

/// Which body belongs to which command.
enum Dispatch {
    /// The body of the command `name`.
    static func action(_ name: String) -> Action? {
        switch name {
        case "create": CreateCommand.run
        case "start": StartCommand.run
        case "run": RunCommand.run
        case "kill": KillCommand.run
        case "delete": DeleteCommand.run
        case "update": UpdateCommand.run
        case "checkpoint": CheckpointCommand.run
        case "restore": RestoreCommand.run
        case "exec": ExecCommand.run
        case "ps": PsCommand.run
        case "pause": PauseCommand.run
        case "resume": ResumeCommand.run
        case "state": StateCommand.run
        case "list": ListCommand.run
        case "wait": WaitCommand.run
        case "stats": StatsCommand.run
        case "events": EventsCommand.run
        case "spec": SpecCommand.run
        case "translate": TranslateCommand.run
        case "plan": PlanCommand.run
        case "features": FeaturesCommand.run
        case "doctor": DoctorCommand.run
        case "completion": CompletionCommand.run
        case "help": HelpCommand.run
        default: nil
        }
    }
}
