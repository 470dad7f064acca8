internal import CKernel
internal import CommandLine
internal import Glibc
internal import JSON
internal import Kernel
internal import Runtime

/// `mrun ps`: the container's rows of ps(1), or its pids.
enum PsCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        let pids = try invocation.containers.processes(of: id)
        switch invocation.arguments.value("format") ?? "table" {
        case "json": try Output.write(JSON.array(pids.map { .integer(Int64($0)) }).text() + "\n")
        case "table":
            let given = Array(invocation.arguments.positionals.dropFirst())
            try Output.write(try rows(of: pids, given.isEmpty ? ["-ef"] : given))
        case let other: throw .refused("invalid format option: \"\(other)\"")
        }
        return 0
    }

    private static func rows(of pids: [Int32], _ arguments: [String]) throws(Failure) -> String {
        let lines = try output(of: ["ps"] + arguments).split(separator: "\n")
        guard let header = lines.first,
            let column = header.split(separator: " ").firstIndex(of: "PID")
        else { throw .refused("couldn't find PID field in ps output") }
        let wanted = Set(pids)
        let rows = lines.dropFirst().filter { line in
            let fields = line.split(separator: " ")
            guard column < fields.count, let pid = Int32(fields[column]) else { return false }
            return wanted.contains(pid)
        }
        return ([header] + rows).map { $0 + "\n" }.joined()
    }

    /// What a program of the host writes to its standard output.
    private static func output(of command: [String]) throws(Failure) -> String {
        var ends: [Int32] = [-1, -1]
        try checked("pipe", sys_pipe2(&ends, O_CLOEXEC))
        let reading = FileDescriptor(adopting: ends[0])
        let writing = FileDescriptor(adopting: ends[1])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, command[0], &actions, nil, &arguments, environ)
        // The end of the output is the end of the last holder of this.
        _ = consume writing
        guard error == 0 else { throw Failure(.kernel(call: "run \"\(command[0])\"", errno: error)) }
        let text = String(decoding: try reading.readAll(), as: UTF8.self)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        guard status == 0 else { throw .refused("\"\(command.joined(separator: " "))\" failed") }
        return text
    }
}
