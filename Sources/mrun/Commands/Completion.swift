internal import CommandLine
internal import Kernel

/// The body of `completion`.
enum CompletionCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let shell = invocation.arguments.positionals[0]
        guard let script = Completion.script(shell) else {
            throw .refused("\"\(shell)\": no completions for this shell")
        }
        try Output.write(script)
        return 0
    }
}
