internal import CKernel
internal import Glibc

/// A mount that is not yet part of any tree.
///
/// It gets its attributes first and its place last, so nobody ever sees it half made; it goes with its
/// descriptor.
package struct DetachedMount: ~Copyable {
    package let descriptor: FileDescriptor

    /// Takes over the descriptor of one.
    package init(adopting descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// A file system of its own.
    ///
    /// `parameters` are `key` or `key=value`, as mount(8) writes them; `attributes` are bits of MOUNT_ATTR_*.
    package init(
        type: String, source: String?, parameters: [String], attributes: UInt64
    ) throws(Failure) {
        let context = try FilesystemContext(type: type)
        if let source, !source.isEmpty { try context.set(source: source) }
        for parameter in parameters { try context.set(parameter) }
        descriptor = try context.create(attributes: attributes)
    }

    /// A copy of the tree at an open place.
    package init(cloning place: borrowing FileDescriptor, recursive: Bool) throws(Failure) {
        let flags =
            K_OPEN_TREE_CLONE | K_OPEN_TREE_CLOEXEC | K_AT_EMPTY_PATH | (recursive ? K_AT_RECURSIVE : 0)
        descriptor = FileDescriptor(
            adopting: try checked("open_tree", sys_open_tree(place.raw, "", flags)))
    }

    /// Gives its descriptor away, which keeps leading to the mount's root wherever it is attached.
    package consuming func take() -> FileDescriptor { descriptor }

    /// Another mount of the same file system: masks share one tmpfs this way.
    package borrowing func clone() throws(Failure) -> DetachedMount {
        try DetachedMount(cloning: descriptor, recursive: false)
    }

    /// Changes attributes or propagation; `recursive` for everything below as well.
    package borrowing func change(
        set: UInt64 = 0, clear: UInt64 = 0, propagation: UInt64 = 0, recursive: Bool = false
    ) throws(Failure) {
        try MountTree.change(
            descriptor, set: set, clear: clear, propagation: propagation, recursive: recursive)
    }

    /// Changes how it shares what is mounted on it; `flags` are those of mount(2).
    package borrowing func propagate(_ flags: UInt64) throws(Failure) {
        try change(propagation: flags & ~K_MS_REC, recursive: flags & K_MS_REC != 0)
    }

    /// Shows its files as owned by the ids that the open user namespace maps theirs to.
    ///
    /// Only for a tree that has no place yet, and only once.
    package borrowing func mapOwners(
        through namespace: Int32, recursive: Bool
    ) throws(Failure) {
        let flags = K_AT_EMPTY_PATH | (recursive ? K_AT_RECURSIVE : 0)
        let answer = sys_mount_idmap(descriptor.raw, flags, namespace)
        if answer == -Int(EINVAL) {
            throw .refused("the file system there, or one below it, cannot be mounted with mapped owners")
        }
        try checked("map the owners", answer)
    }

    /// Puts it at an open place.
    package borrowing func attach(to place: borrowing FileDescriptor) throws(Failure) {
        let flags = K_MOVE_MOUNT_F_EMPTY_PATH | K_MOVE_MOUNT_T_EMPTY_PATH
        try checked("move_mount", sys_move_mount(descriptor.raw, "", place.raw, "", flags))
    }
}

/// The mounts of this process' namespace as a whole.
package enum MountTree {
    /// Changes the mount whose root is open; `recursive` for everything below as well.
    package static func change(
        _ mount: borrowing FileDescriptor, set: UInt64 = 0, clear: UInt64 = 0, propagation: UInt64 = 0,
        recursive: Bool = false
    ) throws(Failure) {
        guard set | clear | propagation != 0 else { return }
        // The access time is one value in several bits: it must be cleared as a whole to be set.
        let atime = K_MOUNT_ATTR__ATIME
        let whole = (set | clear) & atime != 0 ? clear | atime : clear
        let flags = K_AT_EMPTY_PATH | (recursive ? K_AT_RECURSIVE : 0)
        try checked("mount_setattr", sys_mount_setattr(mount.raw, "", flags, set, whole, propagation))
    }

    /// Changes the propagation of the mount at `path`; `flags` are those of mount(2).
    package static func setPropagation(_ flags: UInt64, of path: String) throws(Failure) {
        try checked("change mount propagation of \"\(path)\"", sys_mount(nil, path, nil, UInt(flags)))
    }

    /// Makes the open directory the root, and lets go of the old one and everything in it.
    package static func pivot(into root: borrowing FileDescriptor) throws(Failure) {
        try checked("chdir to the root", sys_fchdir(root.raw))
        // The old root comes to lie on top of the new one: no folder for it is needed in the image.
        try checked("pivot_root", sys_pivot_root(".", "."))
        try checked("unmount the old root", sys_umount2(".", Int32(K_MNT_DETACH)))
        try checked("chdir \"/\"", sys_chdir("/"))
    }
}

extension MountTree {
    /// Makes the folder at `path` the root of this process, without a change to what others see.
    package static func changeRoot(to path: String) throws(Failure) {
        let root = try FileDescriptor.open(path, flags: O_PATH | O_DIRECTORY)
        try checked("chdir to the root", sys_fchdir(root.raw))
        try checked("chroot \"\(path)\"", sys_chroot("."))
    }

    /// Mounts the open directory, a mount of its own, over the root, and makes it this process' root.
    ///
    /// What is below stays mounted, out of reach: the way to the top of the namespace ends on the new root.
    package static func moveToRoot(_ root: borrowing FileDescriptor) throws(Failure) {
        try checked("chdir to the root", sys_fchdir(root.raw))
        try checked("move the root", sys_mount(".", "/", nil, UInt(K_MS_MOVE)))
        try checked("chroot", sys_chroot("."))
        try checked("chdir \"/\"", sys_chdir("/"))
    }
}

/// procfs as the kernel makes it: not the one that an image or a mount may have put at /proc
/// (CVE-2025-52881).
package struct TrustedProc: ~Copyable {
    private let root: FileDescriptor

    /// A procfs of the caller's pid namespace that is mounted nowhere.
    package init() throws(Failure) {
        do {
            let mount = try DetachedMount(type: "proc", source: nil, parameters: [], attributes: 0)
            root = try mount.descriptor.duplicate()
        } catch {
            // In a user namespace nobody mounts the procfs of a pid namespace that is not its own.
            guard error.errno == EPERM else { throw error }
            root = try TrustedProc.mounted()
        }
    }

    /// The procfs that is at /proc, if it is one as a whole: its root has inode number 1.
    private static func mounted() throws(Failure) -> FileDescriptor {
        let place = try FileDescriptor.open("/proc", flags: O_PATH | O_DIRECTORY | O_NOFOLLOW)
        let magic = try checked("statfs", sys_filesystem_magic(place.raw))
        guard magic == Int(K_PROC_SUPER_MAGIC), try place.status().inode == 1 else {
            throw .refused("/proc is no procfs")
        }
        return place
    }

    /// Writes `text` into the file at `path`, which has no leading `/`.
    package borrowing func write(_ text: String, to path: String) throws(Failure) {
        let resolve = K_RESOLVE_BENEATH | K_RESOLVE_NO_MAGICLINKS | K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_XDEV
        let answer = sys_openat2(root.raw, path, UInt64(O_WRONLY), 0, resolve)
        let file = FileDescriptor(adopting: try checked("open \"/proc/\(path)\"", answer))
        try attempting("write \"\(text)\" to \"/proc/\(path)\"") { () throws(Failure) in try file.write(text)
        }
    }
}
