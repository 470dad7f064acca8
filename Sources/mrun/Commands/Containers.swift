internal import CommandLine
internal import Kernel
internal import Runtime

extension Invocation {
    /// The containers of the state root that was asked for.
    var containers: Containers {
        Containers(
            root: settings.root, isRuntimeFolder: settings.isRuntimeFolder,
            rootless: Rootless(rawValue: settings.rootless) ?? .auto)
    }

    /// The first positional argument, as the id of a container.
    func containerID() throws(Failure) -> String { try ContainerID(arguments.positionals[0]).text }
}
