internal import CKernel
internal import Glibc
package import Kernel

/// Wakes up whoever polls it when the container runs out of memory.
package struct OOMWatch: ~Copyable {
    /// Readable when there is news; `nil` where the kernel tells none, or the container has no cgroup for memory.
    package let descriptor: FileDescriptor?
    /// v1 tells of the cgroup that this file belongs to for as long as it is open.
    private let source: FileDescriptor?

    fileprivate init(_ descriptor: consuming FileDescriptor?, source: consuming FileDescriptor?) {
        self.descriptor = descriptor
        self.source = source
    }

    /// Takes the news in, so that only later ones wake again.
    package borrowing func drain() throws(Failure) {
        switch descriptor {
        case .some(let descriptor): _ = try descriptor.readSome()
        case .none: break
        }
    }
}

extension CgroupManager {
    /// Whether processes stand still for want of memory, since the kernel is not to kill for it (v1).
    package func waitsForMemory() throws(Failure) -> Bool {
        guard set.version == .v1, let directory = set.directory(for: "memory"),
            let open = try CgroupDirectory.open(directory.path)
        else { return false }
        return FlatKeyed(try open.read("memory.oom_control") ?? "")["under_oom"] == 1
    }

    /// A watch from now on.
    ///
    /// v1 tells of the container's own limit, v2 of those of its sub-cgroups as well.
    package func watchOOM() throws(Failure) -> OOMWatch {
        let directory = set.version == .v1 ? set.directory(for: "memory") : set.unified
        guard let directory, let open = try CgroupDirectory.open(directory.path) else {
            return OOMWatch(nil, source: nil)
        }
        if set.version == .v2 {
            let inotify = FileDescriptor(
                adopting: Int32(try checked("inotify_init", sys_inotify_init(O_CLOEXEC | O_NONBLOCK))))
            let modified: UInt32 = 2
            let answer = sys_inotify_add_watch(inotify.raw, "\(directory.path)/memory.events", modified)
            if isMissing(answer) { return OOMWatch(nil, source: nil) }
            try open.checking("watch \"memory.events\"", answer)
            return OOMWatch(inotify, source: nil)
        }
        guard let source = try open.open("memory.oom_control", O_RDONLY) else {
            return OOMWatch(nil, source: nil)
        }
        let counter = FileDescriptor(adopting: Int32(try checked("eventfd", sys_eventfd())))
        let isWatched = try open.write("\(counter.raw) \(source.raw)", to: "cgroup.event_control")
        return isWatched ? OOMWatch(counter, source: source) : OOMWatch(nil, source: nil)
    }
}
