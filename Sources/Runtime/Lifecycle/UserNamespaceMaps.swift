internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// The parent's part of a user namespace: its maps, and what the child cannot do from inside.
struct UserNamespaceMaps {
    private let linux: LinuxSpec
    private let pid: Int32

    /// The user namespace of process `pid`.
    init(_ linux: LinuxSpec, of pid: Int32) {
        self.linux = linux
        self.pid = pid
    }

    /// Gives a new user namespace its maps.
    func write() throws(Failure) {
        let uid = UInt32(sys_geteuid())
        let gid = UInt32(sys_getegid())
        let isOrdinary = uid != 0
        try write("uid", linux.uidMappings, throughHelper: isOrdinary && !isAlone(linux.uidMappings, uid))
        let groupsAlone = isAlone(linux.gidMappings, gid)
        if isOrdinary && groupsAlone {
            // An ordinary user could leave groups that keep him from something (CVE-2014-8989).
            try Files.write("deny", to: "/proc/\(pid)/setgroups")
        }
        try write("gid", linux.gidMappings, throughHelper: isOrdinary && !groupsAlone)
    }

    /// Compares the maps of a user namespace that is joined with those of the config, where it has some.
    func check() throws(Failure) {
        for (kind, lines) in [("uid", linux.uidMappings), ("gid", linux.gidMappings)] where !lines.isEmpty {
            guard try !current(kind).isSame(as: IDMap(lines)) else { continue }
            let words = "the existing user namespace has other mappings"
            throw Failure(.document(at: "/linux/\(kind)Mappings", words))
        }
    }

    /// The map as the kernel has it, `kind` being `uid` or `gid`.
    private func current(_ kind: String) throws(Failure) -> IDMap {
        IDMap(text: try Files.read("/proc/\(pid)/\(kind)_map"))
    }

    /// What an ordinary user may map by himself: his own id, and nothing else.
    private func isAlone(_ lines: [IDMapping], _ own: UInt32) -> Bool {
        lines.count == 1 && lines[0].size == 1 && lines[0].hostID == own
    }

    private func write(_ kind: String, _ lines: [IDMapping], throughHelper: Bool) throws(Failure) {
        try attempting("/linux/\(kind)Mappings") { () throws(Failure) in
            if throughHelper { return try IDMapHelper.run("new\(kind)map", pid, lines, kind) }
            let text = lines.map(\.line).joined()
            // More than the kernel reads in one piece, and it takes one piece only.
            let page = sys_sysconf(Int32(_SC_PAGESIZE))
            guard text.utf8.count < page else {
                throw .refused(
                    "\(lines.count) mappings in \(text.utf8.count) bytes, the kernel takes \(page - 1)")
            }
            try Files.write(text, to: "/proc/\(pid)/\(kind)_map")
        }
    }

    /// Lets the container's user reopen the pipes that are its standard input, output and error (`/dev/stderr`).
    ///
    /// Pipes alone: a terminal is the caller's, a file or a device of the host is not ours to give away.
    func giveStandardPipes(to user: UserSpec) throws(Failure) {
        var uid: UInt32?
        for number: Int32 in 0...2 {
            var status = file_status()
            guard sys_status(number, "", Int32(K_AT_EMPTY_PATH), &status) >= 0,
                status.mode & UInt32(S_IFMT) == UInt32(S_IFIFO),
                sys_filesystem_magic(number) == Int(K_PIPEFS_MAGIC)
            else { continue }
            if uid == nil { uid = try current("uid").outside(user.uid) }
            guard let uid, status.uid != uid else { continue }
            // Only root may; where it is not possible, the task still has the pipe itself.
            _ = sys_fchownat(number, "", uid, UInt32.max, Int32(K_AT_EMPTY_PATH))
        }
    }

    /// Hard limits above mrun's own are set by root outside: inside of a user namespace nobody may raise one.
    func raiseLimits(_ limits: [RlimitSpec]) throws(Failure) {
        for limit in limits {
            let answer = sys_raise_limit(pid, limit.number ?? 0, limit.hard)
            // Without the right to it, mrun-init says which one it could not set.
            if answer == -Int(EPERM) { continue }
            try checked("raise \(limit.type) to \(limit.hard)", answer)
        }
    }
}

/// The set-user-ID programs newuidmap and newgidmap, which map what /etc/subuid and /etc/subgid grant.
enum IDMapHelper {
    static func run(_ name: String, _ pid: Int32, _ lines: [IDMapping], _ kind: String) throws(Failure) {
        var words = [name, String(pid)]
        for line in lines { words += [String(line.containerID), String(line.hostID), String(line.size)] }
        let (status, said) = try output(of: words)
        if status == 0 { return }
        // 127 is what a shell and posix_spawn say of a program that is not there.
        let reason = said.split(separator: "\n").joined(separator: "; ")
        throw .refused(
            "\(name) refused (/etc/sub\(kind) must grant \(kind)s to the user with uid \(sys_geteuid())): "
                + (reason.isEmpty ? "exit status \(status)" : reason))
    }

    private static func output(of words: [String]) throws(Failure) -> (status: Int32, text: String) {
        var ends: [Int32] = [-1, -1]
        try checked("pipe", sys_pipe2(&ends, O_CLOEXEC))
        let reading = FileDescriptor(adopting: ends[0])
        let writing = FileDescriptor(adopting: ends[1])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The container's input is not the helper's to read.
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        for number: Int32 in 1...2 { posix_spawn_file_actions_adddup2(&actions, ends[1], number) }
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        _ = consume writing
        if error == ENOENT {
            throw .refused(
                "\(words[0]) is not in $PATH: an ordinary user cannot map other ids than his own without it")
        }
        guard error == 0 else { throw Failure(.kernel(call: "run \"\(words[0])\"", errno: error)) }
        let text = String(decoding: try reading.readAll(limit: 1 << 16), as: UTF8.self)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return (WaitStatus(raw: status).shellStatus, text)
    }
}
