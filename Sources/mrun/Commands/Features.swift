internal import CommandLine
internal import JSON
internal import Kernel
internal import Runtime

/// The command `mrun features`.
enum FeaturesCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        try Output.write(Features.json(version: Version.number).text(indent: 4) + "\n")
        return 0
    }
}
