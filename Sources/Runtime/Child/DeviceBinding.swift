internal import Glibc
internal import Kernel
internal import OCI

extension Performer {
    /// Shows the container the device node of the host at the same path: in a user namespace nobody makes one.
    ///
    /// The node is opened first and checked then, so it cannot become another one in between.
    func bindDevice(_ device: DeviceSpec) throws(Failure) {
        try attempting("device \"\(device.path)\"") { () throws(Failure) in
            let node = try FileDescriptor.open(device.path, flags: O_PATH | O_NOFOLLOW)
            let status = try node.status()
            let isKind = device.kind == .block ? status.isBlockDevice : status.isCharacterDevice
            guard isKind, status.deviceNumber == device.number else {
                let number = "\(device.number.major):\(device.number.minor)"
                throw .refused("it is bound from the host, where it is not the device \(number)")
            }
            let tree = try DetachedMount(cloning: node, recursive: false)
            try inRoot { (root) throws(Failure) in
                // No step may be a link: one of the image could lead to a volume.
                let place = try root.mountPoint(device.path, directory: false, links: .none)
                try tree.attach(to: place)
            }
        }
    }
}
