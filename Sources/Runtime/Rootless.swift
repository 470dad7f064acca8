internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel
internal import OCI

/// Whether mrun has to do without what only the host's root may do.
public enum Rootless: String, Sendable {
    /// Find out: an ordinary user has to, and root of a user namespace.
    case auto
    case yes = "true"
    case no = "false"

    var isOn: Bool {
        get throws(Failure) {
            switch self {
            case .yes: return true
            case .no: return false
            case .auto:
                if sys_geteuid() != 0 { return true }
                return try !Rootless.isInitialUserNamespace()
            }
        }
    }

    /// Whether all ids are what they are on the host.
    private static func isInitialUserNamespace() throws(Failure) -> Bool {
        IDMap(text: try Files.read("/proc/self/uid_map")).outside(UInt32.max - 1) == UInt32.max - 1
    }

    /// The cgroups to go on with after `failure` to make those of `spec`: none.
    ///
    /// - Throws: the failure, when it is another one or rootless mode is off; a refusal when the config asks for what
    ///   only a cgroup can give. Rules for devices do not count: who makes no device nodes has those that are bound.
    func withoutCgroups(_ set: CgroupSet, _ spec: Spec, after failure: Failure) throws(Failure) -> CgroupSet {
        let errnos = [EACCES, EPERM, EROFS, ENOENT]
        guard let errno = failure.errno, errnos.contains(errno), try isOn else { throw failure }
        if spec.linux.cgroupsPath != nil { throw failure.during("/linux/cgroupsPath") }
        let none = CgroupSet(version: set.version, directories: [])
        var resources = spec.linux.resources
        resources.devices = []
        do { try CgroupManager(none).check(resources) } catch {
            throw .refused("\(error.message), and none could be made (\(failure.message))")
        }
        return none
    }

    /// Sets the out-of-memory score of a process; only root may lower one.
    func setOOMScore(_ score: Int, of pid: Int32) throws(Failure) {
        let path = "/proc/\(pid)/oom_score_adj"
        do { try Files.write(String(score), to: path) } catch {
            guard error.errno == EACCES || error.errno == EPERM else { throw error }
            if try Files.read(path) == "\(score)\n" { return }
            guard try isOn else { throw error }
        }
    }
}

extension Containers {
    /// The pids of a container without cgroups: those in its pid namespace as far as they can be seen, or its init.
    func processesWithoutCgroups(of record: Record) throws(Failure) -> [Int32] {
        guard let process = record.process, try process.isAlive() else { return [] }
        guard record.ownPidNamespace else { return [process.pid] }
        let namespace = try Files.link("/proc/\(process.pid)/ns/pid")
        var pids: [Int32] = []
        for name in try Files.names(inFolder: "/proc") {
            guard let pid = Int32(name) else { continue }
            // Others' processes do not show theirs, and some have just ended.
            do { if try Files.link("/proc/\(pid)/ns/pid") == namespace { pids.append(pid) } } catch {
                continue
            }
        }
        return pids.sorted()
    }
}
