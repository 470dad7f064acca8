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
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        var options = ExecOptions(arguments: Array(arguments.positionals.dropFirst()))
        options.environment = arguments.values("env")
        options.cwd = arguments.value("cwd")
        options.pidFile = arguments.value("pid-file")
        options.noNewPrivileges = arguments.flag("no-new-privs")
        if let text = arguments.value("user") {
            let user = try UserArgument(text)
            options.user = (uid: user.uid, gid: user.gid)
        }
        return try invocation.containers.exec(
            try invocation.containerID(), options, detach: arguments.flag("detach"))
    }
}
