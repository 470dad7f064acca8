internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel

/// criu(8), which writes processes into files and makes them again; mrun drives its command line.
struct Criu {
    private let program: String

    /// Looks for it in `PATH`.
    init() throws(Failure) {
        let search = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        for folder in search.split(separator: ":") where folder.utf8.first == UInt8(ascii: "/") {
            let path = folder + "/criu"
            guard sys_faccessat2(AT_FDCWD, String(path), X_OK, 0) >= 0 else { continue }
            program = String(path)
            return
        }
        throw .refused("criu is not in PATH: checkpoint and restore need it (Debian: apt-get install criu)")
    }

    /// What a call takes beside its arguments.
    struct Surroundings {
        /// Numbers of descriptors that criu gets.
        var descriptors: [Int32] = []
        /// A folder that is to be a mount of its own, in a mount namespace that goes with criu.
        var root: String?
        /// The cgroups to be in.
        var cgroups: CgroupManager?
    }

    /// Runs it and waits; `folder` is where it writes `log`.
    ///
    /// - Throws: what its log says last of errors, and where the log is.
    func run(
        _ arguments: [String], folder: String, log: String, _ surroundings: Surroundings = Surroundings()
    ) throws(Failure) {
        let path = folder + "/" + log
        // Of an earlier call with the same folder.
        let answer = sys_unlinkat(AT_FDCWD, path, 0)
        if answer != -Int(ENOENT) { try checked("unlink \"\(path)\"", answer) }
        let words = [program] + arguments + ["--work-dir", folder, "--log-file", log, "-v4"]
        let status = try CriuCall(words, surroundings).perform()
        guard status.raw != 0 else { return }
        let reason =
            try Criu.lastErrors(in: path) ?? "exit status \(status.shellStatus), and no word in its log"
        throw .refused("criu \(arguments.first ?? "") failed: \(reason) (all of its log: \(path))")
    }

    /// What a log says of errors at its end; `nil` where it says nothing.
    static func lastErrors(in path: String) throws(Failure) -> String? {
        guard let file = try FileDescriptor.openIfPresent(path, flags: O_RDONLY | O_NONBLOCK) else {
            return nil
        }
        return lastErrors(of: String(decoding: try file.readAll(limit: 64 << 20), as: UTF8.self))
    }

    /// The last two lines that tell of an error, without their times, in one.
    ///
    /// The cause often stands before its consequence. A line that says no more than that all failed does not count where there are others.
    static func lastErrors(of log: String) -> String? {
        let mark = Array("Error".utf8)
        var found: [String] = []
        for line in log.utf8.split(separator: UInt8(ascii: "\n")) {
            var rest = line
            while !rest.isEmpty && !rest.starts(with: mark) { rest = rest.dropFirst() }
            if !rest.isEmpty { found.append(String(Substring(rest))) }
        }
        while found.count > 1, found[found.count - 1].hasSuffix(" FAILED.") { found.removeLast() }
        return found.isEmpty ? nil : found.suffix(2).joined(separator: "; ")
    }
}

/// One call of criu; a class, for its address crosses clone3.
private final class CriuCall {
    private let words: [String]
    private let surroundings: Criu.Surroundings
    private let parentEnd: FileDescriptor
    private var childEnd: FileDescriptor?
    private let childEndNumber: Int32

    init(_ words: [String], _ surroundings: Criu.Surroundings) throws(Failure) {
        self.words = words
        self.surroundings = surroundings
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        childEndNumber = pair.0
        childEnd = FileDescriptor(adopting: pair.0)
        parentEnd = FileDescriptor(adopting: pair.1)
    }

    func perform() throws(Failure) -> WaitStatus {
        var pidfd: Int32 = -1
        let flags = surroundings.root == nil ? 0 : UInt64(K_CLONE_NEWNS)
        let context = Unmanaged.passUnretained(self).toOpaque()
        try checked("make a process for criu", sys_spawn(flags, -1, &pidfd, criuEntry, context))
        let handle = ProcessHandle(adopting: FileDescriptor(adopting: pidfd))
        childEnd = nil
        var failure: Failure?
        do throws(Failure) {
            // Its end comes with the exec.
            _ = try Conversation(socket: parentEnd.raw).hear()
        } catch {
            failure = error
        }
        let status = try handle.reap()
        if let failure { throw failure }
        return status
    }

    /// In the child; returns only when criu could not be executed.
    func become() -> Int32 {
        let parent = Conversation(socket: childEndNumber)
        do throws(Failure) {
            try checked("PR_SET_PDEATHSIG", sys_prctl(Int32(K_PR_SET_PDEATHSIG), UInt(SIGKILL)))
            try surroundings.cgroups?.openDoors(spawnedInside: false).enter()
            if let root = surroundings.root { try mount(root) }
            for raw in surroundings.descriptors { try checked("fcntl", sys_fcntl(raw, F_SETFD, 0)) }
            try checked("sigprocmask", sys_signal_mask(SIG_SETMASK, 0, nil))
            try checked("sigaction", sys_signal_default(SIGPIPE))
            try checked("sigaction", sys_signal_default(SIGXFSZ))
            throw Failure(.kernel(call: "execute \"\(words[0])\"", errno: Int32(-execute())))
        } catch {
            do throws(Failure) { try parent.say(error) } catch {}
        }
        return 1
    }

    /// criu wants the root of what it restores to be a mount.
    private func mount(_ root: String) throws(Failure) {
        try MountTree.setPropagation(K_MS_PRIVATE | K_MS_REC, of: "/")
        try attempting("rootfs \"\(root)\"") { () throws(Failure) in
            let place = try FileDescriptor.open(root, flags: O_PATH | O_DIRECTORY)
            try DetachedMount(cloning: place, recursive: true).attach(to: place)
        }
    }

    /// Returns −errno, if at all.
    private func execute() -> Int {
        let arguments = words.map { UnsafePointer<CChar>(strdup($0)) } + [nil]
        var environment: [UnsafePointer<CChar>?] = []
        var next = environ
        while let entry = next.pointee {
            environment.append(UnsafePointer(entry))
            next += 1
        }
        environment.append(nil)
        return sys_execve(words[0], arguments, environment)
    }
}

private func criuEntry(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 1 }
    return Unmanaged<CriuCall>.fromOpaque(context).takeUnretainedValue().become()
}
