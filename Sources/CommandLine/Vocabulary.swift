extension Command {
    /// All commands, in the order of help.
    package static var all: [Command] {
        [
            create, start, run, kill, delete, update, checkpoint, restore, exec, ps, pause, resume, state,
            list,
            wait, stats, events, spec, translate, plan, features, doctor, completion, helpCommand,
        ]
    }

    /// The command called `name`.
    ///
    /// A switch, so that a call builds the one row that it needs.
    package static func named(_ name: String) -> Command? {
        switch name {
        case "create": create
        case "start": start
        case "run": run
        case "kill": kill
        case "delete": delete
        case "update": update
        case "checkpoint": checkpoint
        case "restore": restore
        case "exec": exec
        case "ps": ps
        case "pause": pause
        case "resume": resume
        case "state": state
        case "list": list
        case "wait": wait
        case "stats": stats
        case "events": events
        case "spec": spec
        case "translate": translate
        case "plan": plan
        case "features": features
        case "doctor": doctor
        case "completion": completion
        case "help": helpCommand
        default: nil
        }
    }

    /// What stands before the command; its one positional is the command, and ends these options.
    static let global = Command(
        "", .help, "Open Container Initiative runtime that speaks Mesos", example: "--root /run/mrun list",
        Positionals("COMMAND [ARGUMENT ...]", 0, nil, [.command], endOptions: true),
        [
            .value(
                "root", nil, "DIR", .folder,
                "keep the containers' state in DIR (default: \(Settings.defaultRoot))"),
            .value("log", nil, "FILE", .file, "append messages to FILE (default: standard error)"),
            .value("log-format", nil, "FORMAT", .words(["text", "json"]), "text or json (default: text)"),
            .flag("debug", nil, "log what is being done, too"),
            .value(
                "log-level", nil, "LEVEL", .words(["error", "warning", "debug"]),
                "debug is the same as --debug (default: error)"),
            .flag("systemd-cgroup", nil, "let systemd make the cgroups: cgroupsPath is slice:prefix:name"),
            .value(
                "cgroup-manager", nil, "MANAGER", .words(Settings.cgroupManagers),
                "cgroupfs, systemd or disabled: who makes the cgroups (default: cgroupfs)"),
            .value(
                "rootless", nil, "MODE", .words(["true", "false", "auto"]),
                "do without cgroups that cannot be made: true, false or auto (default: auto)"),
            .flag("version", "v", "print the version"),
        ])

    private static let bundle = Option.value(
        "bundle", "b", "DIR", .folder, "the bundle (default: the working directory)")
    private static let pidFile = Option.value("pid-file", nil, "FILE", .file, "write the task's pid to FILE")
    private static let config = Option.value(
        "config", "f", "FILE", .file, "the config, as a path in the bundle or absolute (default: config.json)"
    )
    private static var attachments: [Option] {
        [
            .value("console-socket", nil, "SOCKET", .file, "send the terminal's master to a unix socket"),
            .value("pidfd-socket", nil, "SOCKET", .file, "send a pidfd of the process to a unix socket"),
            .value("preserve-fds", nil, "N", .anything, "pass N more descriptors, from 3 on (default: 0)"),
        ]
    }
    private static var creation: [Option] {
        attachments + [
            bundle, config, pidFile,
            .flag("no-pivot", nil, "move the root instead of pivot_root, for hosts that run from a ramdisk"),
            .flag("no-new-keyring", nil, "keep the session keyring of the caller"),
            .flag("init", nil, "keep mrun-init as pid 1: it reaps, forwards signals and records the exit"),
        ]
    }

    static let create = Command(
        "create", .lifecycle, "set up a container that waits for start",
        example: "create --bundle /srv/web --pid-file /run/web.pid web", .newContainer, creation)

    static let start = Command(
        "start", .lifecycle, "let the task of a created container run", example: "start web", .container)

    static let run = Command(
        "run", .lifecycle, "create a container, start it, and wait for its end",
        example: "run --bundle /srv/web web", .newContainer,
        creation + [
            .flag("detach", "d", "return as soon as the task runs"),
            .flag("keep", nil, "do not delete the container after its end"),
            .flag("no-subreaper", nil, "changes nothing: mrun is no subreaper"),
        ])

    static let kill = Command(
        "kill", .lifecycle, "send a signal (default: SIGTERM) to the task", example: "kill web KILL",
        Positionals("ID [SIGNAL]", 1, 2, [.container, .signal], endOptions: true),
        [
            .flag("all", "a", "send it to every process of the container"),
            .flag("regex", "r", "ID is a regular expression: send it to every container that it matches"),
        ])

    static let delete = Command(
        "delete", .lifecycle, "remove what is left of a stopped container", example: "delete --force web",
        .container,
        [
            .flag("force", "f", "kill the container first if it still runs"),
            .flag("regex", "r", "ID is a regular expression: remove every container that it matches"),
        ])

    static let exec = Command(
        "exec", .processes, "run one more process in a container", example: "exec --env DEBUG=1 web ps aux",
        Positionals("ID COMMAND [ARGUMENT ...]", 1, nil, [.container], endOptions: true),
        [
            .value(
                "env", "e", "NAME=VALUE", .anything, repeatable: true, "add a variable to the environment"),
            .value("cwd", nil, "DIR", .anything, "the working directory, as a path in the container"),
            .value("user", "u", "UID[:GID]", .anything, "run as these ids"),
            .flag("tty", "t", "give the process a terminal"),
            .flag("detach", "d", "return as soon as the process runs"),
            .value("pid-file", nil, "FILE", .file, "write the process's pid to FILE"),
            .flag("no-new-privs", nil, "let the process gain no privileges"),
        ] + execProcess + attachments)

    private static var execProcess: [Option] {
        [
            .value("process", "p", "FILE", .file, "read the whole process from FILE, instead of COMMAND"),
            .value(
                "additional-gids", "g", "GID", .anything, repeatable: true, "add a group to the process's"),
            .value(
                "cap", "c", "CAPABILITY", .anything, repeatable: true, "add a capability, like CAP_NET_RAW"),
            .value("apparmor", nil, "PROFILE", .anything, "the AppArmor profile of the process"),
            .value("process-label", nil, "LABEL", .anything, "the SELinux label of the process"),
            .value(
                "cgroup", nil, "[CONTROLLER:]PATH", .anything, repeatable: true,
                "run in a cgroup below the container's"),
            .flag("ignore-paused", nil, "enter a paused container, too"),
        ]
    }

    static let ps = Command(
        "ps", .processes, "list the processes of a container", example: "ps --format json web",
        Positionals("ID [PS-ARGUMENT ...]", 1, nil, [.container], endOptions: true),
        [.value("format", "f", "FORMAT", .words(["table", "json"]), "table or json (default: table)")])

    static let pause = Command(
        "pause", .processes, "freeze every process of a container", example: "pause web", .container)

    static let resume = Command(
        "resume", .processes, "let a paused container go on", example: "resume web", .container)

    static let state = Command(
        "state", .observation, "print the state of a container as JSON", example: "state web", .container)

    static let list = Command(
        "list", .observation, "list the containers", example: "list --format json", .none,
        [
            .flag("quiet", "q", "print ids only"),
            .value("format", "f", "FORMAT", .words(["table", "json"]), "table or json (default: table)"),
        ])

    static let wait = Command(
        "wait", .observation, "wait for the task's end and print how it ended", example: "wait web",
        .container)

    static let stats = Command(
        "stats", .observation, "print what a container uses, as JSON", example: "stats web", .container)

    static let events = Command(
        "events", .observation, "print statistics and out-of-memory events as they come",
        example: "events --interval 10s web", .container,
        [
            .flag("stats", nil, "print the statistics once and return"),
            .value(
                "interval", nil, "DURATION", .anything,
                "time between two statistics, like 500ms (default: 5s)"),
        ])

    static let spec = Command(
        "spec", .documents, "write a config.json to begin with", example: "spec --bundle /srv/web", .none,
        [
            .value("bundle", "b", "DIR", .folder, "write it into DIR (default: the working directory)"),
            .flag("rootless", nil, "for a container of an ordinary user"),
        ])

    static let translate = Command(
        "translate", .documents, "turn a Mesos TaskInfo into an OCI bundle",
        example: "translate task.json --bundle /srv/web --isolation cgroups/cpu,cgroups/mem",
        Positionals("TASK.json|-", 1, 1, [.file]),
        [
            .value("bundle", nil, "DIR", .folder, "write config.json into DIR"),
            .value("output", nil, "FILE|-", .file, "write the config to FILE, or to standard output"),
            .value("isolation", nil, "LIST", .anything, "the agent's isolators, separated by commas"),
            .value(
                "cgroups_root", nil, "NAME", .anything,
                "the cgroup below which containers get theirs (default: mesos)"),
            .agentFlag("cgroups_enable_cfs", "limit CPU time to the share, too"),
            .agentFlag("cgroups_limit_swap", "limit memory and swap together"),
            .value("sandbox_directory", nil, "PATH", .anything, "where the sandbox is in the container"),
            .agentFlag("revocable_cpu_low_priority", "give revocable CPUs a low weight (default: true)"),
            .value("container-id", nil, "ID", .anything, "the container's id (default: a new UUID)"),
            .value("sandbox", nil, "DIR", .folder, "the task's sandbox on the host"),
            .value("rootfs", nil, "DIR", .folder, "the unpacked image (default: the host's root filesystem)"),
            .value(
                "cgroup-version", nil, "VERSION", .words(["auto", "1", "2"]),
                "auto, 1 or 2 (default: auto, as this host has it)"),
            .flag("no-executor-overhead", nil, "do not add the resources of the command executor"),
        ])

    static let plan = Command(
        "plan", .documents, "print what create would do for a bundle, step by step; nothing is done",
        example: "plan --bundle /srv/web", Positionals("[ID]", 0, 1, []),
        [
            bundle, config,
            .flag("init", nil, "as with create: mrun-init stays as pid 1"),
            .value("format", nil, "FORMAT", .words(["table", "json"]), "table or json (default: table)"),
        ])

    static let features = Command(
        "features", .observation, "print what this build can do, as the specification's JSON",
        example: "features", .none)

    static let doctor = Command(
        "doctor", .observation, "say what this host has for containers, and what is missing",
        example: "doctor", .none,
        [.value("format", "f", "FORMAT", .words(["table", "json"]), "table or json (default: table)")])

    static let completion = Command(
        "completion", .help, "print a script that completes mrun's command line",
        example: "completion bash > /etc/bash_completion.d/mrun",
        Positionals("bash|zsh|fish", 1, 1, [.words(["bash", "zsh", "fish"])]))

    static let helpCommand = Command(
        "help", .help, "show help, on a command if one is named", example: "help create",
        Positionals("[COMMAND]", 0, 1, [.command]))
}
