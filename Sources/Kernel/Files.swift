internal import CKernel
internal import Glibc

/// Paths as the kernel reads them.
package enum Path {
    /// The steps between the slashes, without empty ones.
    ///
    /// By bytes: to Swift a slash and a combining mark after it are one character that is no slash, and `..`
    /// or a second step would hide behind it from every check.
    package static func steps(_ path: String) -> [Substring] {
        var steps: [Substring] = []
        let bytes = path.utf8
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
            if end > start { steps.append(Substring(bytes[start..<end])) }
            start = end < bytes.endIndex ? bytes.index(after: end) : end
        }
        return steps
    }

    /// Whether a path is absolute and has neither empty nor `.` steps: then there is nothing to clean.
    static func isClean(_ path: String) -> Bool {
        let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
        guard path.utf8.first == slash else { return false }
        // How many bytes the current step has, and whether they are a single dot.
        var (length, isDot, isFirst) = (1, false, true)
        for byte in path.utf8 {
            if byte != slash {
                length += 1
                isDot = length == 1 && byte == dot
                continue
            }
            if !isFirst && (length == 0 || isDot) { return false }
            (length, isDot, isFirst) = (0, false, false)
        }
        return length > 0 && !isDot
    }
}

/// Reads of whole files and folders of the host.
package enum Files {
    /// Reads a regular file; a FIFO, a device or a folder is refused before anything can block.
    ///
    /// - Throws: a refusal when it is larger than `limit` bytes.
    package static func readRegular(
        _ path: String, at directory: Int32 = AT_FDCWD, limit: Int = 16 << 20
    ) throws(Failure) -> [UInt8] {
        let file = try FileDescriptor.open(path, at: directory, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        return try attempting("\"\(path)\"") { () throws(Failure) in
            guard try file.status().isRegular else { throw .refused("not a regular file") }
            return try file.readAll(limit: limit)
        }
    }

    /// The text of a small file of procfs, sysfs or cgroupfs; `nil` where there is none.
    package static func readIfPresent(
        _ path: String, at directory: Int32 = AT_FDCWD
    ) throws(Failure) -> String? {
        guard let file = try FileDescriptor.openIfPresent(path, at: directory) else { return nil }
        return try attempting("\"\(path)\"") { () throws(Failure) in
            String(decoding: try file.readAll(), as: UTF8.self)
        }
    }

    /// The text of a small file of procfs, sysfs or cgroupfs.
    package static func read(_ path: String, at directory: Int32 = AT_FDCWD) throws(Failure) -> String {
        guard let text = try readIfPresent(path, at: directory) else {
            throw Failure(.kernel(call: "open \"\(path)\"", errno: ENOENT))
        }
        return text
    }

    /// Writes `text` into an existing file with one write, as kernel files want it.
    package static func write(_ text: String, to path: String, at directory: Int32 = AT_FDCWD) throws(Failure)
    {
        let file = try FileDescriptor.open(path, at: directory, flags: O_WRONLY)
        try attempting("write \"\(text)\" to \"\(path)\"") { () throws(Failure) in try file.write(text) }
    }

    /// Puts `text` at `name` in `directory` in one step: a temporary file, synced, then renamed over it.
    ///
    /// A symbolic link that is there is replaced, never followed.
    package static func replace(
        _ name: String, in directory: Int32, with text: String, mode: UInt32 = 0o600, sync: Bool
    ) throws(Failure) {
        let temporary = ".\(name).\(sys_getpid())"
        let answer = sys_openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode)
        let file = FileDescriptor(adopting: try checked("create \"\(name)\"", answer))
        do {
            try file.write(text)
            if sync { try checked("fsync \"\(name)\"", sys_fsync(file.raw)) }
            try checked("rename \"\(name)\"", sys_renameat(directory, temporary, directory, name))
        } catch {
            _ = sys_unlinkat(directory, temporary, 0)
            throw error
        }
    }

    /// The same, by path; not synced.
    package static func replace(path: String, with text: String, mode: UInt32) throws(Failure) {
        let absolute = try absolute(path)
        let slash = absolute.utf8.lastIndex(of: UInt8(ascii: "/")) ?? absolute.startIndex
        let folder = try FileDescriptor.open(
            String(Substring(absolute.utf8[...slash])), flags: O_RDONLY | O_DIRECTORY)
        let name = String(Substring(absolute.utf8[absolute.utf8.index(after: slash)...]))
        try replace(name, in: folder.raw, with: text, mode: mode, sync: false)
    }

    /// The names in a folder, without `.` and `..`, in the kernel's order.
    package static func names(in directory: Int32) throws(Failure) -> [String] {
        try checked("lseek", sys_lseek(directory, 0, SEEK_SET))
        var names: [String] = []
        var buffer = [UInt8](repeating: 0, count: 32768)
        while true {
            let answer = sys_getdents64(directory, &buffer, buffer.count)
            // The folder was removed while it was open.
            if answer == -Int(ENOENT) { return names }
            let filled = try checked("getdents", answer)
            if filled == 0 { return names }
            // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
            var at = 0
            while at + 19 < filled {
                let length = Int(buffer[at + 16]) | Int(buffer[at + 17]) << 8
                let name = buffer[(at + 19)..<min(at + length, filled)].prefix { $0 != 0 }
                let text = String(decoding: name, as: UTF8.self)
                if text != "." && text != ".." { names.append(text) }
                at += max(length, 19)
            }
        }
    }

    /// The names in the folder at `path`; empty where there is none.
    package static func names(inFolder path: String) throws(Failure) -> [String] {
        guard let folder = try FileDescriptor.openIfPresent(path, flags: O_RDONLY | O_DIRECTORY) else {
            return []
        }
        return try names(in: folder.raw)
    }

    /// The target of a symbolic link.
    package static func link(_ path: String, at directory: Int32 = AT_FDCWD) throws(Failure) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = try checked(
            "readlink \"\(path)\"", sys_readlinkat(directory, path, &buffer, buffer.count))
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The working directory of this process.
    package static func workingDirectory() throws(Failure) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = try checked("getcwd", sys_getcwd(&buffer, buffer.count))
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `path` made absolute against the working directory, without empty and `.` steps.
    ///
    /// `..` stays: what it means depends on links.
    package static func absolute(_ path: String) throws(Failure) -> String {
        let whole = path.hasPrefix("/") ? path : try workingDirectory() + "/" + path
        if Path.isClean(whole) { return whole }
        return "/" + Path.steps(whole).filter { $0 != "." }.joined(separator: "/")
    }
}
