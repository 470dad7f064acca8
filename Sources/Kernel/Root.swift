internal import CKernel
internal import Glibc

/// The root directory of a container, opened once.
///
/// Every path inside goes through its descriptor with openat2, so a symbolic link that the image or a racing
/// process put there cannot lead out of it (CVE-2021-30465 and its kin).
package struct Root: ~Copyable {
    package let directory: FileDescriptor

    package init(adopting directory: consuming FileDescriptor) { self.directory = directory }

    /// How links may behave on the way.
    package enum Links: Sendable {
        /// Followed, as if this root were `/`.
        case inside
        /// Refused: every step must be what it says.
        case none
    }

    /// Opens `path`, which begins with `/`.
    package borrowing func open(
        _ path: String, flags: Int32 = O_PATH, mode: UInt32 = 0, links: Links = .inside
    ) throws(Failure) -> FileDescriptor {
        let answer = resolve(path, flags: flags, mode: mode, links: links)
        return FileDescriptor(adopting: try checked("open \"\(path)\" in the root", answer))
    }

    /// The same, or `nil` where nothing is there.
    package borrowing func openIfPresent(
        _ path: String, flags: Int32 = O_PATH, links: Links = .inside
    ) throws(Failure) -> FileDescriptor? {
        let answer = resolve(path, flags: flags, mode: 0, links: links)
        if answer == -Int(ENOENT) || answer == -Int(ENOTDIR) { return nil }
        return FileDescriptor(adopting: try checked("open \"\(path)\" in the root", answer))
    }

    private borrowing func resolve(_ path: String, flags: Int32, mode: UInt32, links: Links) -> Int {
        var resolve = K_RESOLVE_IN_ROOT | K_RESOLVE_NO_MAGICLINKS
        if links == .none { resolve |= K_RESOLVE_NO_SYMLINKS }
        var answer = 0
        // EAGAIN: a rename or mount went on while ".." was being resolved; the kernel asks for another try.
        for _ in 0..<128 {
            answer = sys_openat2(
                directory.raw, path, UInt64(UInt32(bitPattern: flags)), UInt64(mode), resolve)
            if answer != -Int(EAGAIN) && answer != -Int(EINTR) { break }
        }
        return answer
    }

    /// Opens the place for a mount, making what is missing: folders on the way, and at the end a folder, or
    /// an empty file where `directory` is false.
    ///
    /// Where `overLink` is true, a link that is the last step is the place itself.
    package borrowing func mountPoint(
        _ path: String, directory: Bool, links: Links = .inside, overLink: Bool = false
    ) throws(Failure) -> FileDescriptor {
        if overLink, let place = try openIfPresent(path, flags: O_PATH | O_NOFOLLOW, links: links),
            try place.status().isSymbolicLink
        {
            return place
        }
        let flags = O_PATH | (directory ? O_DIRECTORY : 0)
        if let place = try openIfPresent(path, flags: flags, links: links) { return place }
        // Images have links that lead to what only exists once the container runs (/etc/resolv.conf): the place is
        // where such a link leads, inside the root. From here on no step may be a link.
        let settled = links == .inside ? try whereLinksLead(path) : path
        let steps = Path.steps(settled)
        var parent = ""
        for step in steps.dropLast() {
            try makeFolder(String(step), in: parent)
            parent += "/" + step
        }
        guard let last = steps.last else { return try open("/", flags: flags) }
        if directory {
            try makeFolder(String(last), in: parent)
        } else {
            let folder = try open(parent.isEmpty ? "/" : parent, flags: O_PATH | O_DIRECTORY, links: .none)
            let answer = sys_openat(folder.raw, String(last), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
            _ = FileDescriptor(adopting: try checked("create \"\(path)\" in the root", answer))
        }
        return try open(settled, flags: flags, links: .none)
    }

    /// `path` with every link in it replaced by its target, whether that exists or not.
    private borrowing func whereLinksLead(_ path: String) throws(Failure) -> String {
        var pending = Array(Path.steps(path).reversed())
        var settled: [Substring] = []
        var links = 0
        while let step = pending.popLast() {
            if step == "." { continue }
            if step == ".." {
                _ = settled.popLast()
                continue
            }
            settled.append(step)
            let place = try openIfPresent("/" + settled.joined(separator: "/"), flags: O_PATH | O_NOFOLLOW)
            guard let place, try place.status().isSymbolicLink else { continue }
            links += 1
            if links > 40 { throw Failure(.kernel(call: "follow \"\(path)\" in the root", errno: ELOOP)) }
            settled.removeLast()
            let target = try Files.link("", at: place.raw)
            if target.utf8.first == UInt8(ascii: "/") { settled = [] }
            pending.append(contentsOf: Path.steps(target).reversed())
        }
        return "/" + settled.joined(separator: "/")
    }

    private borrowing func makeFolder(_ name: String, in parent: String) throws(Failure) {
        let folder = try open(parent.isEmpty ? "/" : parent, flags: O_PATH | O_DIRECTORY, links: .none)
        let answer = sys_mkdirat(folder.raw, name, 0o755)
        if answer == -Int(EEXIST) { return }
        try checked("mkdir \"\(parent)/\(name)\" in the root", answer)
    }

    /// The folder in which `path` lies, made where it is missing, for a call that works on a name in it.
    ///
    /// Without links on the way, unless `links` says otherwise: one in the image could lead to a volume, whose
    /// folder is the host's.
    package borrowing func folder(of path: String, links: Links = .none) throws(Failure) -> FolderEntry {
        let steps = Path.steps(path)
        guard let name = steps.last else { throw .refused("\"\(path)\" names no file") }
        let parent = "/" + steps.dropLast().joined(separator: "/")
        return FolderEntry(folder: try mountPoint(parent, directory: true, links: links), name: String(name))
    }
}

/// A name in an open folder.
package struct FolderEntry: ~Copyable {
    package let folder: FileDescriptor
    package let name: String

    /// Makes a device node; one that is there must be the same.
    package borrowing func makeNode(
        mode: UInt32, device: DeviceNumber, uid: UInt32, gid: UInt32
    ) throws(Failure) {
        let answer = sys_mknodat(folder.raw, name, mode, device.major, device.minor)
        if answer == -Int(EEXIST) {
            guard let status = try FileStatus.of(name, at: folder.raw), status.deviceNumber == device,
                status.mode & UInt32(S_IFMT) == mode & UInt32(S_IFMT)
            else { throw .refused("\"\(name)\" is there already, and is another file") }
            return
        }
        try checked("mknod \"\(name)\"", answer)
        guard uid != 0 || gid != 0 else { return }
        try checked("chown \"\(name)\"", sys_fchownat(folder.raw, name, uid, gid, AT_SYMLINK_NOFOLLOW))
    }

    /// Makes a symbolic link, unless something has the name.
    package borrowing func makeLink(to target: String) throws(Failure) {
        let answer = sys_symlinkat(target, folder.raw, name)
        if answer == -Int(EEXIST) { return }
        try checked("symlink \"\(name)\"", answer)
    }
}
