internal import CKernel
internal import Glibc

/// Copies the contents of a folder into another, with owners, permissions, times, extended attributes, holes and hard
/// links.
///
/// Every file is opened before it is looked at, and no link is followed, so that whoever changes the source meanwhile
/// can only spoil the copy.
package struct TreeCopy: ~Copyable {
    /// The top of the copy; borrowed.
    private let top: Int32
    /// Files with several names: the first copy of each, below the top.
    private var linked: [(device: UInt64, inode: UInt64, path: String)] = []

    package init(into top: Int32) { self.top = top }

    /// What a copied folder keeps of the original beside its times and extended attributes.
    package struct Kept: Sendable {
        package var mode = true
        package var owner = true

        package init(mode: Bool = true, owner: Bool = true) {
            self.mode = mode
            self.owner = owner
        }
    }

    /// Copies everything in the open folder `source` into the open folder `target`, which lies at `path` below the top.
    package mutating func fill(
        _ target: borrowing FileDescriptor, from source: borrowing FileDescriptor, at path: String = ""
    ) throws(Failure) {
        for name in try Files.names(in: source.raw) {
            try copy(name, from: source, to: target, at: path)
        }
    }

    private mutating func copy(
        _ name: String, from source: borrowing FileDescriptor, to target: borrowing FileDescriptor,
        at path: String
    ) throws(Failure) {
        let place = path.isEmpty ? name : path + "/" + name
        // One that is gone meanwhile is not there to be copied.
        let opened = try FileDescriptor.openIfPresent(name, at: source.raw, flags: O_PATH | O_NOFOLLOW)
        guard let original = opened else { return }
        let status = try original.status()
        if status.links > 1 && !status.isDirectory {
            if let first = linked.first(where: { $0.inode == status.inode && $0.device == status.device }) {
                try checked("link \"\(place)\"", sys_linkat(top, first.path, target.raw, name))
                return
            }
            linked.append((status.device, status.inode, place))
        }
        let mode = status.mode & 0o7777
        if status.isDirectory {
            try checked("mkdir \"\(place)\"", sys_mkdirat(target.raw, name, 0o700))
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
            let from = try FileDescriptor.open(".", at: original.raw, flags: flags)
            let to = try FileDescriptor.open(name, at: target.raw, flags: flags)
            try fill(to, from: from, at: place)
            try describe(to, like: from)
        } else if status.isRegular {
            let to = try FileDescriptor.open(
                name, at: target.raw, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            // This very file, whatever has its name by now.
            let from = try FileDescriptor.open(original.procPath)
            try attempting("copy \"\(place)\"") { () throws(Failure) in
                try TreeCopy.copyContents(from, to, size: status.size)
                try describe(to, like: from)
            }
        } else {
            if status.isSymbolicLink {
                let link = try Files.link("", at: original.raw)
                try checked("symlink \"\(place)\"", sys_symlinkat(link, target.raw, name))
            } else {
                let (major, minor) = (status.deviceNumber.major, status.deviceNumber.minor)
                try checked(
                    "mknod \"\(place)\"", sys_mknodat(target.raw, name, status.mode & ~0o7777, major, minor))
            }
            try TreeCopy.own(
                sys_fchownat(target.raw, name, status.uid, status.gid, AT_SYMLINK_NOFOLLOW), place)
            if !status.isSymbolicLink {
                try checked("chmod \"\(place)\"", sys_fchmodat(target.raw, name, mode))
            }
            try checked(
                "utimensat \"\(place)\"",
                sys_copy_times(original.raw, target.raw, name, AT_SYMLINK_NOFOLLOW))
        }
    }

    /// In a user namespace, ids that it does not have cannot be given.
    private static func own(_ answer: Int, _ place: String) throws(Failure) {
        if answer == -Int(EPERM) || answer == -Int(EINVAL) { return }
        try checked("chown \"\(place)\"", answer)
    }

    /// Copies what is written, and leaves holes as they are.
    private static func copyContents(
        _ from: borrowing FileDescriptor, _ to: borrowing FileDescriptor, size: UInt64
    ) throws(Failure) {
        let size = Int64(clamping: size)
        var at: Int64 = 0
        while at < size {
            let data = sys_lseek(from.raw, at, Int32(K_SEEK_DATA))
            if data == -Int(ENXIO) { break }
            let start = Int64(try checked("seek", data))
            let end = Int64(try checked("seek", sys_lseek(from.raw, start, Int32(K_SEEK_HOLE))))
            try checked("seek", sys_lseek(from.raw, start, SEEK_SET))
            try checked("seek", sys_lseek(to.raw, start, SEEK_SET))
            at = start
            while at < end {
                let count = try checked("write", sys_sendfile(to.raw, from.raw, Int(min(end - at, 1 << 30))))
                // It has become shorter.
                if count == 0 { return }
                at += Int64(count)
            }
        }
        try checked("truncate", sys_ftruncate(to.raw, size))
    }

    /// Gives an open file or folder the owner, permissions, extended attributes and times of another.
    package borrowing func describe(
        _ to: borrowing FileDescriptor, like from: borrowing FileDescriptor, _ kept: Kept = Kept()
    ) throws(Failure) {
        let status = try from.status()
        // In this order: a new owner takes away set-id bits and capabilities, and everything changes the times.
        if kept.owner {
            try TreeCopy.own(
                sys_fchownat(to.raw, "", status.uid, status.gid, Int32(K_AT_EMPTY_PATH)), "it")
        }
        if kept.mode { try checked("chmod", sys_fchmod(to.raw, status.mode & 0o7777)) }
        try TreeCopy.copyAttributes(from, to)
        try checked("utimensat", sys_copy_times(from.raw, to.raw, "", Int32(K_AT_EMPTY_PATH)))
    }

    private static func copyAttributes(
        _ from: borrowing FileDescriptor, _ to: borrowing FileDescriptor
    ) throws(Failure) {
        var names = [CChar](repeating: 0, count: 65536)
        let filled = sys_flistxattr(from.raw, &names, names.count)
        if filled == -Int(EOPNOTSUPP) || filled == 0 { return }
        try checked("listxattr", filled)
        var value = [UInt8](repeating: 0, count: 65536)
        for name in names[..<filled].split(separator: 0) {
            let name = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let length = sys_fgetxattr(from.raw, name, &value, value.count)
            if length == -Int(ENODATA) { continue }
            try checked("getxattr \"\(name)\"", length)
            let answer = sys_fsetxattr(to.raw, name, value, length)
            // What a tmpfs, or this namespace, has no place for cannot be kept.
            if answer == -Int(EOPNOTSUPP) || answer == -Int(EPERM) { continue }
            try checked("setxattr \"\(name)\"", answer)
        }
    }
}
