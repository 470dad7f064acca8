internal import CKernel
internal import CommandLine
internal import Glibc
internal import JSON
internal import Kernel
internal import Runtime

/// The command `mrun update`.
enum UpdateCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let id = try invocation.containerID()
        let arguments = invocation.arguments
        for name in ["kernel-memory", "kernel-memory-tcp"] where arguments.value(name) != nil {
            invocation.log.write(
                .warning, "--\(name): Kernel memory settings are ignored and will be removed")
        }
        let resources: JSON
        if let name = arguments.value("resources") {
            resources = try attempting(name == "-" ? "standard input" : "\"\(name)\"") {
                () throws(Failure) in try JSON.parse(try read(name))
            }
        } else {
            try refuseResourceDirector(arguments)
            resources = try document(arguments)
        }
        try invocation.containers.update(id, resources: resources)
        return 0
    }

    private static func read(_ name: String) throws(Failure) -> [UInt8] {
        if name != "-" { return try Files.readRegular(name) }
        // Descriptor 0 is the caller's; it is read through a copy, which may be closed.
        let answer = sys_fcntl(0, F_DUPFD_CLOEXEC, 3)
        return try FileDescriptor(adopting: Int32(try checked("dup", answer))).readAll()
    }

    /// Intel RDT is the one limit of `update` that is no cgroup.
    private static func refuseResourceDirector(_ arguments: Arguments) throws(Failure) {
        for name in ["l3-cache-schema", "mem-bw-schema"] where arguments.value(name) != nil {
            guard try FileStatus.of("/sys/fs/resctrl/schemata") != nil else {
                throw .refused("--\(name): this host has no Intel RDT (resctrl is not mounted)")
            }
            throw .refused("--\(name): the container has no resctrl group of its own")
        }
    }

    /// The options as a `linux.resources` object.
    private static func document(_ arguments: Arguments) throws(Failure) -> JSON {
        func number(_ name: String) throws(Failure) -> JSON? {
            guard let text = arguments.value(name) else { return nil }
            guard let number = Int64(text) else { throw invalid(name, text) }
            return .integer(number)
        }
        func size(_ name: String) throws(Failure) -> JSON? {
            guard let text = arguments.value(name) else { return nil }
            guard let size = ByteSize(text) else { throw invalid(name, text) }
            return .integer(size.bytes)
        }
        let cpu = JSON.object([
            "shares": try number("cpu-share"), "quota": try number("cpu-quota"),
            "period": try number("cpu-period"), "burst": try number("cpu-burst"),
            "realtimePeriod": try number("cpu-rt-period"), "realtimeRuntime": try number("cpu-rt-runtime"),
            "cpus": arguments.value("cpuset-cpus").map(JSON.string),
            "mems": arguments.value("cpuset-mems").map(JSON.string), "idle": try number("cpu-idle"),
        ])
        let memory = JSON.object([
            "limit": try size("memory"), "reservation": try size("memory-reservation"),
            "swap": try size("memory-swap"),
        ])
        return .object([
            "cpu": cpu, "memory": memory, "pids": .object(["limit": try number("pids-limit")]),
            "blockIO": .object(["weight": try number("blkio-weight")]),
        ])
    }

    private static func invalid(_ name: String, _ text: String) -> Failure {
        .refused("invalid value for \(name): \"\(text)\"")
    }
}
