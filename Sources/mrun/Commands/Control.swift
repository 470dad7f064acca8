internal import CommandLine
internal import Kernel
internal import Runtime

/// The command `mrun kill`.
enum KillCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let words = invocation.arguments.positionals
        let signal = try Signals.number(words.count > 1 ? words[1] : "TERM")
        let containers = invocation.containers
        let all = invocation.arguments.flag("all")
        try invocation.forEachContainer { (id) throws(Failure) in
            try containers.kill(id, signal: signal, all: all)
        }
        return 0
    }
}

/// The command `mrun pause`.
enum PauseCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        try invocation.containers.pause(try invocation.containerID())
        return 0
    }
}

/// The command `mrun resume`.
enum ResumeCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        try invocation.containers.resume(try invocation.containerID())
        return 0
    }
}

/// The command `mrun delete`.
enum DeleteCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let containers = invocation.containers
        let force = invocation.arguments.flag("force")
        try invocation.forEachContainer { (id) throws(Failure) in try containers.delete(id, force: force) }
        return 0
    }
}

/// The command `mrun exec`.
enum ExecCommand {
    /// The options that change the config's process: a file that describes one leaves nothing to them.
    private static let describing = [
        "env", "cwd", "user", "no-new-privs", "additional-gids", "cap", "apparmor", "process-label",
    ]

    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        let options: ExecOptions
        do { options = try ExecCommand.options(invocation) } catch {
            var failure = error.during("exec failed")
            failure.exitStatus = 255
            throw failure
        }
        return try invocation.containers.exec(id, options, detach: invocation.arguments.flag("detach"))
    }

    private static func options(_ invocation: Invocation) throws(Failure) -> ExecOptions {
        let arguments = invocation.arguments
        var options = ExecOptions(arguments: Array(arguments.positionals.dropFirst()))
        options.environment = arguments.values("env")
        options.cwd = arguments.value("cwd")
        options.pidFile = arguments.value("pid-file")
        options.noNewPrivileges = arguments.flag("no-new-privs")
        options.ignorePaused = arguments.flag("ignore-paused")
        options.cgroups = arguments.values("cgroup")
        options.additionalGroups = try arguments.values("additional-gids").map(GroupArgument.id)
        options.capabilities = arguments.values("cap")
        options.apparmorProfile = arguments.value("apparmor")
        options.selinuxLabel = arguments.value("process-label")
        options.terminal = arguments.flag("tty")
        options.attachments = try AttachmentArguments.options(invocation, ofContainer: false)
        if let text = arguments.value("user") {
            let user = try UserArgument(text)
            options.user = (uid: user.uid, gid: user.gid)
        }
        guard let file = arguments.value("process") else { return options }
        options.processFile = file
        for name in describing where !arguments.values(name).isEmpty {
            throw .refused("--process says all of the process, there is no room for --\(name)")
        }
        return options
    }
}
