internal import CommandLine
internal import Kernel
internal import Runtime

/// `mrun create`, and what `run` shares with it.
enum CreateCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        try attempting("create failed") { () throws(Failure) in
            try invocation.containers.create(id, try options(invocation))
        }
        return 0
    }

    static func options(_ invocation: Invocation) throws(Failure) -> CreateOptions {
        var options = CreateOptions(bundle: invocation.arguments.value("bundle") ?? ".")
        options.cgroupDriver = CgroupDriver(rawValue: invocation.settings.cgroupManager) ?? .cgroupfs
        options.pidFile = invocation.arguments.value("pid-file")
        options.stayingInit = invocation.arguments.flag("init")
        if let config = invocation.arguments.value("config") { options.config = config }
        options.movesRoot = invocation.arguments.flag("no-pivot")
        options.newKeyring = !invocation.arguments.flag("no-new-keyring")
        options.attachments = try AttachmentArguments.options(invocation, ofContainer: true)
        return options
    }
}

/// The command `mrun run`.
enum RunCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        let arguments = invocation.arguments
        return try attempting("run failed") { () throws(Failure) in
            try invocation.containers.run(
                id, try CreateCommand.options(invocation), detach: arguments.flag("detach"),
                keep: arguments.flag("keep"))
        }
    }
}

/// The command `mrun start`.
enum StartCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        try invocation.containers.start(
            try invocation.containerID(), notifySocket: AttachmentArguments.variable("NOTIFY_SOCKET"))
        return 0
    }
}
