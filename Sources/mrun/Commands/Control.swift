internal import CommandLine
internal import Kernel
internal import Runtime

/// The command `mrun kill`.
enum KillCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let words = invocation.arguments.positionals
        let signal = try Signals.number(words.count > 1 ? words[1] : "TERM")
        try invocation.containers.kill(
            try invocation.containerID(), signal: signal, all: invocation.arguments.flag("all"))
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
        try invocation.containers.delete(
            try invocation.containerID(), force: invocation.arguments.flag("force"))
        return 0
    }
}

/// The command `mrun exec`.
enum ExecCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        var options = ExecOptions(arguments: Array(arguments.positionals.dropFirst()))
        options.environment = arguments.values("env")
        options.cwd = arguments.value("cwd")
        options.pidFile = arguments.value("pid-file")
        options.noNewPrivileges = arguments.flag("no-new-privs")
        options.terminal = arguments.flag("tty")
        options.attachments = try AttachmentArguments.options(invocation, ofContainer: false)
        if let text = arguments.value("user") {
            let user = try UserArgument(text)
            options.user = (uid: user.uid, gid: user.gid)
        }
        return try invocation.containers.exec(
            try invocation.containerID(), options, detach: arguments.flag("detach"))
    }
}
