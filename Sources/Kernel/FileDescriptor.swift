internal import CKernel
internal import Glibc

/// An open file, owned: closed when the value goes.
///
/// Every descriptor that mrun opens is close-on-exec.
///
/// `deinit` does not run at `execve` or `_exit`; close-on-exec does that work.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number; valid as long as this value lives.
    public let raw: Int32

    /// Takes over `raw`: open, close-on-exec, and owned by nobody else.
    public init(adopting raw: Int32) { self.raw = raw }

    init(adopting raw: Int) { self.raw = Int32(truncatingIfNeeded: raw) }

    deinit { _ = sys_close(raw) }

    /// Gives up ownership: the caller closes it, or an exec inherits it.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// The path under which this process reaches the same file through procfs.
    package var procPath: String { "/proc/self/fd/\(raw)" }
}

extension FileDescriptor {
    /// The directory to which relative paths refer in `open`: the working directory.
    package static var workingDirectory: Int32 { AT_FDCWD }

    /// Opens `path` below `directory`, following symbolic links: for paths of the host that the caller
    /// trusts.
    package static func open(
        _ path: String, at directory: Int32 = AT_FDCWD, flags: Int32 = O_RDONLY, mode: UInt32 = 0
    ) throws(Failure) -> FileDescriptor {
        FileDescriptor(
            adopting: try checked("open \"\(path)\"", sys_openat(directory, path, flags, mode)))
    }

    /// The same, or `nil` where there is no such file.
    package static func openIfPresent(
        _ path: String, at directory: Int32 = AT_FDCWD, flags: Int32 = O_RDONLY
    ) throws(Failure) -> FileDescriptor? {
        let answer = sys_openat(directory, path, flags, 0)
        if answer == -Int(ENOENT) { return nil }
        return FileDescriptor(adopting: try checked("open \"\(path)\"", answer))
    }

    /// Two connected unix sockets, close-on-exec.
    ///
    /// The caller adopts both: a tuple cannot hold owned descriptors.
    package static func socketPair(type: Int32) throws(Failure) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try checked("socketpair", sys_socketpair(type, &ends))
        return (ends[0], ends[1])
    }

    /// A file in memory; `executable` says whether it may be run from.
    package static func memory(named name: String, executable: Bool) throws(Failure) -> FileDescriptor {
        let base = K_MFD_CLOEXEC | K_MFD_ALLOW_SEALING
        var answer = sys_memfd_create(name, base | (executable ? K_MFD_EXEC : K_MFD_NOEXEC_SEAL))
        // Before Linux 6.3 there are no exec flags, and every memfd may be run from.
        if answer == -Int(EINVAL) { answer = sys_memfd_create(name, base) }
        return FileDescriptor(adopting: try checked("memfd_create", answer))
    }

    /// Makes a memory file unchangeable for everyone, for ever.
    package borrowing func seal() throws(Failure) {
        try checked("seal memory file", sys_fcntl(raw, Int32(K_F_ADD_SEALS), Int(K_F_ALL_SEALS)))
    }

    /// A second descriptor for the same open file.
    package borrowing func duplicate() throws(Failure) -> FileDescriptor {
        FileDescriptor(adopting: try checked("dup", sys_fcntl(raw, F_DUPFD_CLOEXEC, 3)))
    }

    /// Lets an exec inherit it.
    package borrowing func inherit() throws(Failure) {
        try checked("fcntl", sys_fcntl(raw, F_SETFD, 0))
    }

    /// Writes all of `bytes`.
    package borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var done = 0
        while done < bytes.count {
            guard let start = bytes.baseAddress else { return }
            let answer = sys_write(raw, start + done, bytes.count - done)
            if answer == -Int(EINTR) { continue }
            done += try checked("write", answer)
        }
    }

    /// Writes all of `bytes`.
    package borrowing func write(_ bytes: [UInt8]) throws(Failure) {
        var failure: Failure?
        bytes.withUnsafeBytes { buffer in
            do throws(Failure) { try write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Writes all of `text` as UTF-8.
    package borrowing func write(_ text: String) throws(Failure) {
        var text = text
        var failure: Failure?
        text.withUTF8 { bytes in
            do throws(Failure) { try write(UnsafeRawBufferPointer(bytes)) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// One read of at most `count` bytes; empty at the end of the file.
    package borrowing func readSome(_ count: Int = 4096) throws(Failure) -> [UInt8] {
        var answer = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            guard let start = buffer.baseAddress else { return }
            repeat { answer = sys_read(raw, start, count) } while answer == -Int(EINTR)
            filled = max(0, answer)
        }
        try checked("read", answer)
        return bytes
    }

    /// Everything up to the end of the file.
    ///
    /// - Throws: a refusal when there are more than `limit` bytes.
    package borrowing func readAll(limit: Int = 16 << 20) throws(Failure) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let more = try readSome(all.isEmpty ? 8192 : 65536)
            if more.isEmpty { return all }
            all += more
            if all.count > limit { throw .refused("more than \(limit) bytes") }
        }
    }

    /// What kind of file this is, and whose.
    package borrowing func status() throws(Failure) -> FileStatus {
        var status = file_status()
        try checked("stat", sys_status(raw, "", Int32(K_AT_EMPTY_PATH), &status))
        return FileStatus(status)
    }
}

/// What mrun asks about a file.
package struct FileStatus: Sendable, Equatable {
    package let mode: UInt32
    package let uid: UInt32
    package let gid: UInt32
    /// How many names it has.
    package let links: UInt32
    package let device: UInt64
    package let inode: UInt64
    package let deviceNumber: DeviceNumber
    package let size: UInt64
    /// Nanoseconds since the epoch.
    package let modified: Int64

    init(_ raw: file_status) {
        mode = raw.mode
        uid = raw.uid
        gid = raw.gid
        links = raw.links
        device = raw.device
        inode = raw.inode
        deviceNumber = DeviceNumber(
            major: UInt32(truncatingIfNeeded: raw.rdev_major),
            minor: UInt32(truncatingIfNeeded: raw.rdev_minor))
        size = raw.size
        modified = raw.modified
    }

    package var isDirectory: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFDIR) }
    package var isRegular: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
    package var isSymbolicLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }
    package var isBlockDevice: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFBLK) }
    package var isFIFO: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFIFO) }
    package var isCharacterDevice: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFCHR) }

    /// The status of `path`; `nil` where there is nothing.
    ///
    /// A symbolic link at the end is not followed.
    package static func of(_ path: String, at directory: Int32 = AT_FDCWD) throws(Failure) -> FileStatus? {
        var status = file_status()
        let answer = sys_status(directory, path, AT_SYMLINK_NOFOLLOW, &status)
        if answer == -Int(ENOENT) || answer == -Int(ENOTDIR) { return nil }
        try checked("stat \"\(path)\"", answer)
        return FileStatus(status)
    }
}

/// Major and minor number of a device node.
package struct DeviceNumber: Sendable, Hashable {
    package let major: UInt32
    package let minor: UInt32

    package init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }
}
