internal import CommandLine
internal import Kernel

/// A command whose body does not exist yet.
enum PendingCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 { throw .refused("not built yet") }
}
