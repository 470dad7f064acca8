internal import CKernel
internal import Glibc
internal import Kernel

/// The name of a sub-cgroup as the kernel has it, with the NUL at its end: any bytes, chosen by whom it contains.
typealias RawName = [CChar]

extension CgroupDirectory {
    /// Goes through this cgroup and all below it, parents first.
    ///
    /// Holds three descriptors at most, at any depth, and no path: how deep the cgroups are nested and how they are
    /// called is up to those in them. ".." can be trusted, for the kernel lets no cgroup move to another parent.
    ///
    /// - Parameters:
    ///   - deadline: when to give up; cgroups may be made faster than they can be seen.
    ///   - descend: asked in the parent, before a sub-cgroup is entered, whether it shall be.
    ///   - leave: told in the parent, after a sub-cgroup with all below it has been seen.
    ///   - visit: told of every cgroup that is entered, this one included.
    /// - Returns: false when the deadline came first.
    /// - Throws: what the three throw, and what keeps the kernel from showing a cgroup that is there.
    borrowing func walk(
        _ deadline: Deadline,
        descend: (_ name: RawName, _ parent: Int32) throws(Failure) -> Bool = { _, _ in true },
        leave: (_ name: RawName, _ parent: Int32) throws(Failure) -> Void = { _, _ in },
        visit: (borrowing CgroupDirectory) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        try visit(self)
        // The names that are left to see, of all levels down to here; each level's begin at an index of its own. The
        // last name of a level that has been gone through is that of the cgroup entered from it.
        var pending = try subcgroups()
        if pending.isEmpty { return true }
        var levels = [0]
        guard var here = try child(CgroupDirectory.dot) else { return true }
        while let start = levels.last {
            if deadline.isOver { return false }
            if pending.count == start {
                levels.removeLast()
                guard let name = pending.popLast() else { return true }
                guard let parent = try here.child(CgroupDirectory.dotDot) else { return true }
                here = parent
                try leave(name, here.descriptor.raw)
                continue
            }
            let name = pending[pending.count - 1]
            guard try descend(name, here.descriptor.raw), let child = try here.child(name) else {
                pending.removeLast()
                continue
            }
            here = child
            try visit(here)
            levels.append(pending.count)
            pending += try here.subcgroups()
        }
        return true
    }

    private static let dot: RawName = [0x2e, 0]
    private static let dotDot: RawName = [0x2e, 0x2e, 0]

    /// The sub-cgroup `name`, which messages take for this one; `nil` where it is gone.
    private borrowing func child(_ name: RawName) throws(Failure) -> CgroupDirectory? {
        let answer = sys_openat(descriptor.raw, name, CgroupDirectory.flags, 0)
        if isMissing(answer) { return nil }
        let raw = try checking("open a cgroup in it", answer)
        return CgroupDirectory(
            path: path, descriptor: FileDescriptor(adopting: Int32(truncatingIfNeeded: raw)))
    }

    /// The names of the cgroups in this one; a directory without any is not listed at all.
    private borrowing func subcgroups() throws(Failure) -> [RawName] {
        var status = file_status()
        try checking("stat", sys_status(descriptor.raw, "", Int32(K_AT_EMPTY_PATH), &status))
        // cgroupfs counts one link for each sub-directory, beside the two that every directory has.
        if status.links == 2 { return [] }
        guard let listing = try open(".", O_RDONLY | O_DIRECTORY) else { return [] }
        var names: [RawName] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let answer = sys_getdents64(listing.raw, &buffer, buffer.count)
            // The cgroup was removed while it was open.
            if isMissing(answer) { return names }
            let filled = try checking("getdents", answer)
            if filled == 0 { return names }
            // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
            var at = 0
            while at + 19 < filled {
                let length = max(Int(buffer[at + 16]) | Int(buffer[at + 17]) << 8, 20)
                if buffer[at + 18] == UInt8(DT_DIR) {
                    var name: RawName = []
                    var index = at + 19
                    while index < min(at + length, filled), buffer[index] != 0 {
                        name.append(CChar(bitPattern: buffer[index]))
                        index += 1
                    }
                    name.append(0)
                    if name != CgroupDirectory.dot && name != CgroupDirectory.dotDot { names.append(name) }
                }
                at += length
            }
        }
    }
}

/// How a walk says that it did not come to its end in time.
func unseen(_ path: String) -> Failure {
    .refused("\(cgroup(path)): there are too many cgroups in it to see them all in time")
}

/// The processes of a tree of cgroups.
extension CgroupDirectory {
    /// Calls `each` with the pids that one cgroup after the other holds; a process may come more than once.
    ///
    /// - Returns: false when the deadline came first.
    borrowing func forProcesses(
        _ deadline: Deadline, _ each: ([Int32]) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        try walk(deadline) { (cgroup: borrowing CgroupDirectory) throws(Failure) in
            try each(try cgroup.pids())
        }
    }

    /// The pids in this cgroup alone; none where it is gone, or threaded: then one above it lists them.
    borrowing func pids() throws(Failure) -> [Int32] {
        guard let open = try open("cgroup.procs", O_RDONLY) else { return [] }
        do {
            // 0 stands for a process that this pid namespace does not see.
            return numbers(in: try open.readAll()).filter { $0 > 0 }
        } catch {
            if error.errno == ENODEV || error.errno == EOPNOTSUPP { return [] }
            throw error.during("\"cgroup.procs\"").during(cgroup(path))
        }
    }
}

/// The whole numbers in `text`, one a line.
private func numbers(in text: [UInt8]) -> [Int32] {
    var found: [Int32] = []
    var number: Int32 = 0
    for byte in text {
        if byte == UInt8(ascii: "\n") {
            found.append(number)
            number = 0
        } else {
            number = number &* 10 &+ Int32(byte &- UInt8(ascii: "0"))
        }
    }
    return found
}
