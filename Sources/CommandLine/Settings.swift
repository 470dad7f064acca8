package import Kernel

/// What the options before the command say.
package struct Settings: Sendable, Equatable {
    /// Where the state of containers is, unless `--root` says otherwise.
    package static let defaultRoot = "/run/mrun"

    /// The folder of all containers' state, absolute.
    package var root = Settings.defaultRoot
    /// Whether `--root` was given: then a folder that is missing is an error to `list`.
    package var isRootGiven = false
    /// Where messages go; `nil`: standard error.
    package var logFile: String?
    package var logFormat = Log.Format.text
    package var isDebugging = false
    /// `--cgroup-manager`, or `systemd` by `--systemd-cgroup`: every call takes it, creating a container heeds it.
    package var cgroupManager = "cgroupfs"
    package static let cgroupManagers = ["cgroupfs", "systemd", "disabled"]
    /// `--rootless`: `true`, `false` or `auto`.
    package var rootless = "auto"
    /// Whether the state lies in `$XDG_RUNTIME_DIR`.
    package var isRuntimeFolder = false
    package var wantsHelp = false
    package var wantsVersion = false

    package init() {}

    /// crun's `--log` also takes `file:PATH`, `journald:NAME` and `syslog:NAME`.
    private static func logFile(_ text: String) throws(Failure) -> String {
        if text.hasPrefix("file:") { return String(text.dropFirst(5)) }
        if text.hasPrefix("journald:") || text.hasPrefix("syslog:") {
            throw .refused("option \"--log\": \"\(text)\": mrun writes to files only")
        }
        return text
    }

    /// Reads the options before the command.
    ///
    /// - Returns: the command's name and what follows it; empty where there is none.
    package mutating func read(_ words: [String]) throws(Failure) -> [String] {
        let arguments = try Command.global.parse(words)
        logFile = try arguments.value("log").map(Settings.logFile)
        isDebugging = arguments.flag("debug")
        switch arguments.value("log-level") {
        case nil, "error", "warning": break
        case "debug": isDebugging = true
        case let other?: throw .refused("unknown log level \"\(other)\": error, warning or debug")
        }
        if let given = arguments.value("cgroup-manager") {
            guard Settings.cgroupManagers.contains(given) else {
                throw .refused(
                    "option \"--cgroup-manager\": \"\(given)\" is none of cgroupfs, systemd and disabled")
            }
            cgroupManager = given
        }
        // As with crun, it wins.
        if arguments.flag("systemd-cgroup") { cgroupManager = "systemd" }
        wantsHelp = arguments.flag("help")
        wantsVersion = arguments.flag("version")
        if let format = arguments.value("log-format") {
            guard let known = Log.Format(rawValue: format) else {
                throw .refused("invalid log-format: \(format)")
            }
            logFormat = known
        }
        if let given = arguments.value("root") {
            guard !given.isEmpty else { throw .refused("option \"--root\" wants a folder") }
            guard given.utf8.contains(where: { $0 != UInt8(ascii: "/") }) else {
                throw .refused("Option --root argument should not be set to /")
            }
            root = try Files.absolute(given)
            isRootGiven = true
        } else if let folder = RuntimeFolder.find() {
            root = try Files.absolute(folder + "/mrun")
            isRuntimeFolder = true
        }
        if let mode = arguments.value("rootless") {
            guard ["true", "false", "auto"].contains(mode) else {
                throw .refused("option \"--rootless\" is true, false or auto, not \"\(mode)\"")
            }
            rootless = mode
        }
        return arguments.positionals
    }
}

/// One call of one command: all that its body gets to see.
package struct Invocation: Sendable {
    /// What mrun was called as, without folders.
    package let program: String
    package let settings: Settings
    package let arguments: Arguments
    package let log: Log

    package init(program: String, settings: Settings, arguments: Arguments, log: Log) {
        self.program = program
        self.settings = settings
        self.arguments = arguments
        self.log = log
    }
}
