internal import CommandLine
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// The command `mrun spec`.
enum SpecCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let folder = invocation.arguments.value("bundle") ?? "."
        let path = folder + "/config.json"
        if try FileStatus.of(path) != nil { throw .refused("File config.json exists. Remove it first") }
        let file = try FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
        let spec =
            invocation.arguments.flag("rootless")
            ? Spec.rootlessExample(uid: geteuid(), gid: getegid()) : Spec.example
        try file.write(spec.json.text(indent: 4) + "\n")
        return 0
    }
}
