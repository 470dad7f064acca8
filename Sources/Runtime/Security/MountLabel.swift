internal import CKernel
internal import Kernel

/// `linux.mountLabel`: the SELinux label of the container's file systems.
enum MountLabel {
    /// Refuses a label where nothing would heed it.
    static func check(_ label: String?) throws(Failure) {
        guard let label, !label.isEmpty else { return }
        guard sys_path_filesystem_magic("/sys/fs/selinux") == Int(K_SELINUX_MAGIC) else {
            throw Failure(.document(at: "/linux/mountLabel", "SELinux is not active on this host"))
        }
    }
}
