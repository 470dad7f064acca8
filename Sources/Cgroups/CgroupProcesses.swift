internal import CKernel
internal import Glibc
package import Kernel

extension CgroupManager {
    /// The pids of all processes of the container, sub-cgroups included; sorted, each once.
    ///
    /// Taken from one hierarchy: the freezer's on v1. Empty where the cgroup is gone.
    package func processes() throws(Failure) -> [Int32] {
        guard let primary = set.primary else { return [] }
        return try Cgroups.processes(below: primary.path)
    }

    /// Puts a process with all its threads into every cgroup of the container.
    ///
    /// It may run on while that happens. One that is single-threaded and knows of this is faster by itself:
    /// see `openDoors`.
    package func attach(pid: Int32) throws(Failure) {
        let text = String(pid)
        for directory in set.directories {
            let answer = sys_openat(AT_FDCWD, "\(directory.path)/cgroup.procs", O_WRONLY, 0)
            let raw = try checking(directory.path, "open \"cgroup.procs\"", answer)
            let file = FileDescriptor(adopting: Int32(truncatingIfNeeded: raw))
            try checking(
                directory.path, "write \"\(text)\" to \"cgroup.procs\"", writeOnce(text, to: file.raw))
        }
    }

    /// Opens what a child needs to put itself into the cgroups.
    ///
    /// A child that is `spawnedInside` the cgroup2 directory of `directoryForSpawn` needs no door to that one.
    package func openDoors(spawnedInside: Bool) throws(Failure) -> CgroupDoors {
        var doors = CgroupDoors()
        for directory in set.directories where !(directory.isUnified && spawnedInside) {
            // v1 moves a lone thread that moves itself without stopping the world; v2 wants whole processes.
            let path = "\(directory.path)/\(directory.isUnified ? "cgroup.procs" : "tasks")"
            doors.add(try FileDescriptor.open(path, flags: O_WRONLY), path: path)
        }
        return doors
    }

    /// The directory in which a child can be born (`CLONE_INTO_CGROUP`); `nil` where the container is in none.
    ///
    /// On a hybrid host it covers the cgroup2 hierarchy alone.
    package func directoryForSpawn() throws(Failure) -> FileDescriptor? {
        guard let unified = set.unified else { return nil }
        return try FileDescriptor.open(unified.path, flags: O_RDONLY | O_DIRECTORY)
    }
}

/// The membership files of a container's cgroups, open for writing.
///
/// A single-threaded child that moves itself takes about a third of the time of `attach`: the kernel need not wait until
/// no process of the host is just being forked. The permission is that of the process that opened the doors.
package struct CgroupDoors: ~Copyable, Sendable {
    private var descriptors: [Int32] = []
    private var paths: [String] = []

    init() {}

    deinit { for descriptor in descriptors { _ = sys_close(descriptor) } }

    mutating func add(_ descriptor: consuming FileDescriptor, path: String) {
        descriptors.append(descriptor.release())
        paths.append(path)
    }

    /// Moves the calling process, which must have one thread only, into all cgroups.
    package borrowing func enter() throws(Failure) {
        for index in descriptors.indices {
            let answer = writeOnce("0", to: descriptors[index])
            if answer < 0 { try checked("write \"0\" to \"\(paths[index])\"", answer) }
        }
    }
}

/// The pids in the cgroup at `path` and below; sorted, each once.
func processes(below path: String) throws(Failure) -> [Int32] {
    let found = try processes(below: path, Deadline(milliseconds: 10000))
    guard found.isAll else { throw unseen(path) }
    return found.pids
}

/// The same, and whether these are all: the deadline may come first.
func processes(below path: String, _ deadline: Deadline) throws(Failure) -> (pids: [Int32], isAll: Bool) {
    guard let directory = try CgroupDirectory.open(path) else { return ([], true) }
    var found: [Int32] = []
    let isAll = try directory.forProcesses(deadline) { (pids) throws(Failure) in found += pids }
    if found.count < 2 { return (found, isAll) }
    found.sort()
    var unique: [Int32] = []
    for pid in found where unique.last != pid { unique.append(pid) }
    return (unique, isAll)
}
