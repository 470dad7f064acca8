internal import CommandLine
internal import Kernel
internal import Runtime

extension Invocation {
    /// The containers of the state root that was asked for.
    var containers: Containers {
        var containers = Containers(
            root: settings.root, isRuntimeFolder: settings.isRuntimeFolder,
            rootless: Rootless(rawValue: settings.rootless) ?? .auto
        ) { [log] in log.write(.warning, $0) }
        // Engines read the log as one object, the error: notices are for --debug.
        containers.onNotice = { [log] notice in log.debug(notice) }
        return containers
    }

    /// The first positional argument, as the id of a container.
    func containerID() throws(Failure) -> String { try ContainerID(arguments.positionals[0]).text }
}
