internal import CKernel
internal import Glibc
internal import Kernel

/// One cgroup directory, open: its files are reached without looking the path up again.
struct CgroupDirectory: ~Copyable {
    let path: String
    let descriptor: FileDescriptor

    static let flags = K_O_PATH | O_DIRECTORY | O_NOFOLLOW

    /// The directory at `path`; `nil` where there is none.
    static func open(_ path: String) throws(Failure) -> CgroupDirectory? {
        do {
            guard let descriptor = try FileDescriptor.openIfPresent(path, flags: flags) else { return nil }
            return CgroupDirectory(path: path, descriptor: descriptor)
        } catch { throw error.during(cgroup(path)) }
    }

    /// The sub-cgroup `name`, or the parent `..`; `nil` where there is none.
    borrowing func child(_ name: String) throws(Failure) -> CgroupDirectory? {
        do {
            guard
                let descriptor = try FileDescriptor.openIfPresent(
                    name, at: self.descriptor.raw, flags: CgroupDirectory.flags)
            else { return nil }
            return CgroupDirectory(path: "\(path)/\(name)", descriptor: descriptor)
        } catch { throw error.during(cgroup(path)) }
    }

    /// Turns a kernel's answer into a value or a failure that names this cgroup.
    @discardableResult
    borrowing func checking(_ call: @autoclosure () -> String, _ answer: Int) throws(Failure) -> Int {
        try Cgroups.checking(path, call(), answer)
    }

    /// Opens `file`; `nil` where there is none, or where the cgroup has been removed meanwhile.
    borrowing func open(_ file: String, _ flags: Int32) throws(Failure) -> FileDescriptor? {
        let answer = sys_openat(descriptor.raw, file, flags, 0)
        if isMissing(answer) { return nil }
        return FileDescriptor(adopting: Int32(truncatingIfNeeded: try checking("open \"\(file)\"", answer)))
    }

    /// Writes `text` with one write.
    ///
    /// - Returns: false where there is no such file.
    @discardableResult
    borrowing func write(_ text: String, to file: String) throws(Failure) -> Bool {
        guard let open = try open(file, O_WRONLY) else { return false }
        try checking("write \"\(text)\" to \"\(file)\"", writeOnce(text, to: open.raw))
        return true
    }

    /// The text of a small file, up to a page; `nil` where there is none.
    borrowing func read(_ file: String) throws(Failure) -> String? {
        guard let open = try open(file, O_RDONLY) else { return nil }
        do { return String(decoding: try open.readSome(), as: UTF8.self) } catch {
            if error.errno == ENODEV { return nil }
            throw error.during("\"\(file)\"").during(cgroup(path))
        }
    }
}

/// How messages name a cgroup.
func cgroup(_ path: String) -> String { "cgroup \"\(path)\"" }

/// Turns a kernel's answer into a value or a failure that names the cgroup at `path`.
@discardableResult
func checking(_ path: String, _ call: @autoclosure () -> String, _ answer: Int) throws(Failure) -> Int {
    guard answer < 0 else { return answer }
    throw Failure(.kernel(call: call(), errno: Int32(truncatingIfNeeded: -answer))).during(cgroup(path))
}

/// Whether the answer says that there is no such file, or that its cgroup has been removed.
func isMissing(_ answer: Int) -> Bool { answer == -Int(ENOENT) || answer == -Int(ENODEV) }

/// One write, as control files want it; the answer of write(2).
func writeOnce(_ text: String, to descriptor: Int32) -> Int {
    var text = text
    return text.withUTF8 { bytes in
        guard let start = bytes.baseAddress else { return 0 }
        var answer = 0
        repeat { answer = sys_write(descriptor, start, bytes.count) } while answer == -Int(EINTR)
        return answer
    }
}
