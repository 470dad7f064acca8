internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

extension Performer {
    func make(_ device: DeviceSpec) throws(Failure) {
        let kind =
            switch device.kind {
            case .character, .unbuffered: S_IFCHR
            case .block: S_IFBLK
            case .fifo: S_IFIFO
            }
        try attempting("device \"\(device.path)\"") { () throws(Failure) in
            try inRoot { (root) throws(Failure) in
                let entry = try root.folder(of: device.path)
                do throws(Failure) {
                    try entry.makeNode(
                        mode: UInt32(kind) | device.mode & 0o7777, device: device.number, uid: device.uid,
                        gid: device.gid)
                } catch {
                    // Without the privilege to make nodes, as in a user namespace, the host's is shown.
                    guard error.errno == EPERM, device.kind != .fifo else { throw error }
                    try bindDevice(device, kind: UInt32(kind), in: root)
                }
            }
        }
    }

    private func bindDevice(
        _ device: DeviceSpec, kind: UInt32, in root: borrowing Root
    ) throws(Failure) {
        let source = try FileDescriptor.open(device.path, flags: O_PATH | O_NOFOLLOW)
        let status = try source.status()
        guard status.mode & UInt32(S_IFMT) == kind, status.deviceNumber == device.number else {
            let number = "\(device.number.major):\(device.number.minor)"
            throw .refused("none can be made here, and the host's at that path is not the device \(number)")
        }
        let tree = try DetachedMount(cloning: source, recursive: false)
        let place = try root.mountPoint(device.path, directory: false, links: .none)
        guard try !place.status().isDirectory else { throw .refused("a folder is there") }
        try tree.attach(to: place)
    }

    func makeLink(_ path: String, _ target: String) throws(Failure) {
        try attempting("link \"\(path)\"") { () throws(Failure) in
            try inRoot { (root) throws(Failure) in try root.folder(of: path).makeLink(to: target) }
        }
    }
}
