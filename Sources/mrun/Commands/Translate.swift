internal import CKernel
internal import Cgroups
internal import CommandLine
internal import Glibc
internal import JSON
internal import Kernel
internal import Mesos
internal import OCI

/// The command `mrun translate`: Mesos in, OCI out.
enum TranslateCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        let name = arguments.positionals[0]
        let options = try options(arguments, systemd: invocation.settings.cgroupManager == "systemd")
        let translation = try attempting(name == "-" ? "standard input" : "\"\(name)\"") {
            () throws(Failure) in
            try translated(try JSON.parse(try read(name)), options)
        }
        for warning in translation.warnings { invocation.log.write(.warning, warning) }
        let text = translation.spec.json.text(indent: 4) + "\n"
        switch arguments.value("output") {
        case "-": try Output.write(text)
        case let file:
            try Files.replace(
                path: file ?? (arguments.value("bundle") ?? ".") + "/config.json", with: text, mode: 0o644)
        }
        return 0
    }

    /// All that is wrong, on one line.
    private static func translated(
        _ document: JSON, _ options: TranslationOptions
    ) throws(Failure) -> Translation {
        do { return try translate(document, options: options) } catch {
            if error.all.count == 1 { throw error.all[0] }
            throw .refused(error.all.map(\.message).joined(separator: "; "))
        }
    }

    private static func read(_ name: String) throws(Failure) -> [UInt8] {
        if name != "-" { return try Files.readRegular(name) }
        // Descriptor 0 is the caller's; it is read through a copy, which may be closed.
        let answer = sys_fcntl(0, F_DUPFD_CLOEXEC, 3)
        return try FileDescriptor(adopting: Int32(try checked("dup", answer))).readAll()
    }

    private static func options(
        _ arguments: Arguments, systemd: Bool
    ) throws(Failure) -> TranslationOptions {
        var id = arguments.value("container-id") ?? ""
        if arguments.value("container-id") == nil { id = try newUUID() }
        let passwd = try Files.readIfPresent("/etc/passwd")
        let group = try Files.readIfPresent("/etc/group")
        var options = TranslationOptions(
            containerID: id,
            cgroupVersion: try cgroupVersion(arguments.value("cgroup-version") ?? "auto"),
            totalMemory: UInt64(try checked("sysinfo", sys_sysinfo_total_memory())),
            users: UserDatabase(passwd: passwd ?? "", group: group ?? ""))
        if let list = arguments.value("isolation") { options.isolation = try Isolation(list: list) }
        if let root = arguments.value("cgroups_root") { options.cgroupsRoot = root }
        if let folder = arguments.value("sandbox_directory") { options.sandboxDirectory = folder }
        options.systemd = systemd
        options.enableCFS = arguments.flag("cgroups_enable_cfs")
        options.limitSwap = arguments.flag("cgroups_limit_swap")
        options.revocableCPULowPriority = arguments.flag("revocable_cpu_low_priority", absent: true)
        options.executorOverhead = !arguments.flag("no-executor-overhead")
        if let path = arguments.value("sandbox") { options.sandbox = try Files.absolute(path) }
        if let path = arguments.value("rootfs") { options.rootfs = try Files.absolute(path) }
        return options
    }

    private static func cgroupVersion(_ word: String) throws(Failure) -> TranslationOptions.CgroupVersion {
        switch word {
        case "1": return .v1
        case "2": return .v2
        case "auto": return try CgroupLayout.detect().version == .v2 ? .v2 : .v1
        default: throw .refused("--cgroup-version: \"\(word)\" is none of auto, 1 and 2")
        }
    }

    /// A random UUID, version 4.
    private static func newUUID() throws(Failure) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        try checked("getrandom", sys_getrandom(&bytes, bytes.count))
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return text
    }
}
