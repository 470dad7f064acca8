internal import CKernel
internal import Glibc
internal import Kernel
internal import Plan

/// The procfs of a pid namespace in which the caller is not.
enum ForeignProc {
    static func mount(_ mount: FilesystemMount, of namespace: Int32) throws(Failure) -> DetachedMount {
        do {
            return try DetachedMount(
                type: mount.type, source: mount.source,
                parameters: mount.parameters + ["pidns=/proc/self/fd/\(namespace)"],
                attributes: mount.attributes.set)
        } catch {
            // Linux before 6.17 does not know the option.
            guard error.errno == EINVAL else { throw error }
        }
        return try MountRequest(mount).perform()
    }
}

/// A mount that is made by a process of its own, born in the pid namespace that children are born in.
///
/// It is there for one moment, not dumpable, and shows whoever may trace it, with rights on the host, an image of mrun;
/// the newer kernel's way does not. A class, because its address crosses clone3.
private final class MountRequest {
    private let mount: FilesystemMount
    /// The number, reserved in both processes, at which the mount's descriptor is to be.
    private let place: FileDescriptor
    private let report: FileDescriptor
    private let reports: FileDescriptor

    init(_ mount: FilesystemMount) throws(Failure) {
        self.mount = mount
        place = try FileDescriptor.open("/", flags: O_PATH)
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        report = FileDescriptor(adopting: pair.0)
        reports = FileDescriptor(adopting: pair.1)
    }

    func perform() throws(Failure) -> DetachedMount {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let code = try checked("clone", sys_run_beside(mountBeside, context))
        if code != 0 { _ = try Conversation(socket: reports.raw).hear() }
        guard code == 0 else { throw .refused("the process that mounts \(mount.type) died") }
        return DetachedMount(adopting: try place.duplicate())
    }

    fileprivate func makeInside() -> Int32 {
        do throws(Failure) {
            let tree = try DetachedMount(
                type: mount.type, source: mount.source, parameters: mount.parameters,
                attributes: mount.attributes.set)
            try checked("dup", sys_dup3(tree.descriptor.raw, place.raw, O_CLOEXEC))
            return 0
        } catch {
            do throws(Failure) { try Conversation(socket: report.raw).say(error) } catch {}
            return 1
        }
    }
}

private func mountBeside(_ context: UnsafeMutableRawPointer?) -> Int32 {
    guard let context else { return 1 }
    return Unmanaged<MountRequest>.fromOpaque(context).takeUnretainedValue().makeInside()
}
