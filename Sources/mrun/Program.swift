internal import CKernel
internal import CStart
internal import CommandLine
internal import Glibc
internal import Kernel

/// The life of one call of mrun.
enum Program {
    /// Runs it.
    ///
    /// - Returns: the exit status.
    static func run() -> Int32 {
        var log = Log(program: "mrun")
        do throws(Failure) {
            // First of all: descriptors that the caller leaked must reach nobody, whatever comes next.
            try checked("close_range", sys_close_range(3, UInt32.max, K_CLOSE_RANGE_CLOEXEC))
            try becomeOrdinary()
            var words = try words()
            let program = words.isEmpty ? "mrun" : baseName(words.removeFirst())
            log = Log(program: program)
            var settings = Settings()
            words = try settings.read(words)
            log = try Log(program: program, settings: settings)
            return try perform(words, program, settings, log)
        } catch {
            log.report(error)
            return error.exitStatus ?? 1
        }
    }

    /// Undoes what the caller may have set up, and what would let others look in.
    private static func becomeOrdinary() throws(Failure) {
        guard sys_secure_execution() == 0 else {
            throw .refused("mrun does not run setuid, setgid or with file capabilities")
        }
        start_caller_environment()
        // Unreadable to the processes of a container that mrun enters: CVE-2016-9962.
        try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 0))
        // With SIGCHLD ignored or blocked, the end of a child would be lost.
        try checked("sigaction", sys_signal_default(SIGCHLD))
        try checked("sigprocmask", sys_signal_mask(SIG_UNBLOCK, 1 << UInt64(SIGCHLD - 1), nil))
        // A peer that is gone and a file that is too large are errors to clean up after, not ends of this process.
        for signal in [SIGPIPE, SIGXFSZ] { try checked("sigaction", sys_signal_ignore(signal)) }
        // Where 0, 1 or 2 is closed, the next file that mrun opens would become the task's.
        for descriptor: Int32 in 0...2 where sys_fcntl(descriptor, F_GETFD, 0) == -Int(EBADF) {
            try occupy(descriptor)
        }
    }

    /// Opens the null device as `descriptor`, the lowest number that is free.
    private static func occupy(_ descriptor: Int32) throws(Failure) {
        let null = try FileDescriptor.open("/dev/null", flags: O_RDWR)
        try null.inherit()
        guard null.release() == descriptor else { throw .refused("descriptor \(descriptor) is closed") }
    }

    /// The words of the command line, the program's name first.
    private static func words() throws(Failure) -> [String] {
        var count: Int32 = 0
        let pointers = start_words(&count)
        var words: [String] = []
        for index in 0..<Int(count) {
            guard let word = String(validatingCString: pointers[index]) else {
                throw .refused("argument \(index) is not UTF-8")
            }
            words.append(word)
        }
        return words
    }

    private static func baseName(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? "mrun"
    }

    /// Runs the command that `words` begin with.
    private static func perform(
        _ words: [String], _ program: String, _ settings: Settings, _ log: Log
    ) throws(Failure) -> Int32 {
        if settings.wantsVersion { return try Version.print(program) }
        guard let name = words.first, !settings.wantsHelp else {
            try Output.write(Help.overview(program))
            return 0
        }
        guard let command = Command.named(name), let action = Dispatch.action(name) else {
            throw Help.unknown(name)
        }
        let arguments = try command.parse(Array(words.dropFirst()), program: program)
        if arguments.flag("help") {
            try Output.write(Help.text(command, program))
            return 0
        }
        return try action(Invocation(program: program, settings: settings, arguments: arguments, log: log))
    }
}
