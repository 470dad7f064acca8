internal import CommandLine
internal import Kernel

/// The body of `help`.
enum HelpCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        try Output.write(try Help.text(onCommand: invocation.arguments.positionals.first, invocation.program))
        return 0
    }
}
