internal import CKernel
internal import CommandLine
internal import Glibc
internal import Kernel
internal import Runtime

/// What `create`, `run` and `exec` are told of terminals, descriptors and the service manager.
enum AttachmentArguments {
    /// Reads the options, and with `ofContainer` the variables by which a service manager passes things on.
    ///
    /// Must come before mrun opens anything but its log: later a number that the caller left free may be in use.
    static func options(_ invocation: Invocation, ofContainer: Bool) throws(Failure) -> AttachmentOptions {
        var options = AttachmentOptions()
        options.program = invocation.program
        options.consoleSocket = try path(invocation.arguments, "console-socket")
        options.pidfdSocket = try path(invocation.arguments, "pidfd-socket")
        let asked = try count(invocation.arguments.value("preserve-fds"))
        if ofContainer {
            options.listening = activated()
            options.notifySocket = variable("NOTIFY_SOCKET")
        }
        options.preserved = options.listening + asked
        for index in 0..<options.preserved where !isCallers(3 + index, invocation.log) {
            if index < options.listening {
                throw Failure(.kernel(call: "LISTEN_FDS: descriptor \(3 + index)", errno: EBADF))
            }
            let words = "unable to stat preserved-fd \(index - options.listening) (of \(asked))"
            throw Failure(.kernel(call: words, errno: EBADF))
        }
        return options
    }

    /// A variable of the caller's; an empty one is as good as none.
    static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value[0] != 0 else { return nil }
        return String(validatingCString: value)
    }

    /// Whether the caller has passed this number; the log is the first file that mrun opens, at the lowest free one.
    private static func isCallers(_ number: Int32, _ log: Log) -> Bool {
        number != log.descriptor && sys_fcntl(number, F_GETFD, 0) >= 0
    }

    /// How many sockets were passed to this very process.
    private static func activated() -> Int32 {
        guard let pid = variable("LISTEN_PID"), Int(pid) == sys_getpid(),
            let count = variable("LISTEN_FDS").flatMap({ Int32($0) }), (1...most).contains(count)
        else { return 0 }
        return count
    }

    private static func count(_ text: String?) throws(Failure) -> Int32 {
        guard let text else { return 0 }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let count = Int32(text), count <= most else {
            throw .refused("invalid value \"\(text)\" for --preserve-fds: it must be a number")
        }
        return count
    }

    /// More than any process has open.
    private static let most: Int32 = 1 << 19

    private static func path(_ arguments: Arguments, _ name: String) throws(Failure) -> String? {
        guard let path = arguments.value(name) else { return nil }
        guard !path.isEmpty else { throw .refused("option \"--\(name)\" wants the path of a socket") }
        return path
    }
}
