package import Kernel
package import OCI

extension V1 {
    /// Shares of the disks, and limits on single ones.
    ///
    /// The files for weights are those of the CFQ scheduler, which is gone since Linux 5.0, or those of BFQ.
    package enum BlockIO: Controller {
        package static let name = "blkio"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let io = resources.blockIO
            if io.isEmpty { return [] }
            var writes: [ControlWrite] = []
            func weigh(_ file: String, _ text: String) {
                let other = ControlWrite.Alternative(file: "blkio.bfq.\(file)", text: text)
                writes.append(ControlWrite("blkio.\(file)", text, or: other))
            }
            if let weight = io.weight { weigh("weight", String(weight)) }
            if let weight = io.leafWeight { writes.append(ControlWrite("blkio.leaf_weight", String(weight))) }
            for entry in io.weightDevices {
                guard let weight = entry.weight else { continue }
                weigh("weight_device", "\(entry.device.text) \(weight)")
            }
            for entry in io.weightDevices {
                guard let weight = entry.leafWeight else { continue }
                writes.append(ControlWrite("blkio.leaf_weight_device", "\(entry.device.text) \(weight)"))
            }
            for (name, devices) in [
                ("read_bps", io.readBytes), ("write_bps", io.writeBytes), ("read_iops", io.readOperations),
                ("write_iops", io.writeOperations),
            ] {
                for entry in devices {
                    let text = "\(entry.device.text) \(entry.rate)"
                    writes.append(ControlWrite("blkio.throttle.\(name)_device", text))
                }
            }
            return writes
        }
    }
}
