internal import Kernel
internal import OCI

/// `linux.netDevices`: interfaces of the host that become the container's.
enum NetworkDevices {
    /// Moves them, with their addresses; one that was up is up again.
    ///
    /// They go where the kernel sends them when the container's network namespace ends: a physical one comes back.
    static func move(
        _ devices: [NetworkDevice], to namespace: borrowing FileDescriptor
    ) throws(Failure) {
        let host = try Netlink()
        let inside = try Netlink(in: namespace)
        for device in devices {
            try attempting("/linux/netDevices/\(device.name)") { () throws(Failure) in
                try move(device, from: host, to: inside, namespace)
            }
        }
    }

    private static func move(
        _ device: NetworkDevice, from host: borrowing Netlink, to inside: borrowing Netlink,
        _ namespace: borrowing FileDescriptor
    ) throws(Failure) {
        let link = try host.link(device.name)
        let addresses = try host.addresses(of: link)
        // Only one that is down takes another name.
        if link.isUp { try host.takeDown(link) }
        do {
            try host.move(link, to: namespace, as: device.inside)
        } catch {
            if link.isUp { try host.bringUp(link) }
            throw error
        }
        let moved = try inside.link(device.inside)
        for address in addresses { try inside.add(address, to: moved) }
        if link.isUp { try inside.bringUp(moved) }
    }
}
