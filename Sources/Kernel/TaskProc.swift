internal import CKernel
internal import Glibc

/// A procfs for writing the attributes of a task: mounted nowhere, so nothing of an image lies on top of it.
package enum TaskProc {
    /// A procfs of the caller's own pid namespace.
    ///
    /// It shows processes and nothing else: no switch of the kernel can be reached through it.
    package static func own() throws(Failure) -> FileDescriptor {
        let quiet = K_MOUNT_ATTR_NOSUID | K_MOUNT_ATTR_NODEV | K_MOUNT_ATTR_NOEXEC
        return try DetachedMount(type: "proc", source: nil, parameters: ["subset=pid"], attributes: quiet)
            .take()
    }

    /// A copy of the procfs at `path` of this process' root, without what is mounted below it.
    ///
    /// For one who is not yet in the pid namespace of the task: a procfs of his own would lead whoever gets hold of it
    /// to processes outside. This one has nothing that they do not have already.
    package static func copy(of path: String = "/proc") throws(Failure) -> FileDescriptor {
        let flags = O_DIRECTORY | O_NOFOLLOW | O_PATH
        let place = try FileDescriptor.open(path, flags: flags)
        let magic = try checked("statfs \"\(path)\"", sys_filesystem_magic(place.raw))
        // Number 1 is the root of a procfs: a folder of one, bound there, would have other names in it.
        guard magic == Int(K_PROC_SUPER_MAGIC), try place.status().inode == 1 else {
            throw .refused(
                "\"\(path)\" is not the root of a procfs, which a security label is written through")
        }
        return try DetachedMount(cloning: place, recursive: false).take()
    }
}
