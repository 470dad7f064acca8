package import Kernel
package import OCI

extension V2 {
    /// Shares of the disks, and limits on single ones.
    package enum IO: Controller {
        package static let name = "io"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            let io = resources.blockIO
            if io.isEmpty { return [] }
            var writes: [ControlWrite] = []
            try refuseLeafWeights(io)
            if let weight = io.weight { writes.append(weigh("", weight)) }
            for entry in io.weightDevices {
                if let weight = entry.weight { writes.append(weigh(entry.device.text + " ", weight)) }
            }
            for (name, devices) in [
                ("rbps", io.readBytes), ("wbps", io.writeBytes), ("riops", io.readOperations),
                ("wiops", io.writeOperations),
            ] {
                for entry in devices {
                    let rate = entry.rate == 0 ? "max" : String(entry.rate)
                    writes.append(ControlWrite("io.max", "\(entry.device.text) \(name)=\(rate)"))
                }
            }
            return writes
        }

        /// BFQ has the range of v1; the other weight goes from 1 to 10000.
        private static func weigh(_ device: String, _ weight: UInt16) -> ControlWrite {
            ControlWrite(
                "io.bfq.weight", "\(device)\(weight)",
                or: ControlWrite.Alternative(file: "io.weight", text: "\(device)\(converted(weight))"))
        }

        /// 10 to 1000 as 1 to 10000, in a straight line, as runc and crun do it.
        package static func converted(_ weight: UInt16) -> UInt64 {
            1 + (UInt64(max(weight, 10)) - 10) * 9999 / 990
        }

        private static func refuseLeafWeights(_ io: BlockIOResources) throws(Failure) {
            let why = "cgroup v2 has no leaf weights: no process is beside a sub-cgroup"
            if io.leafWeight != nil {
                throw Failure(.document(at: "/linux/resources/blockIO/leafWeight", why))
            }
            guard let index = io.weightDevices.firstIndex(where: { $0.leafWeight != nil }) else { return }
            throw Failure(
                .document(at: "/linux/resources/blockIO/weightDevice/\(index)/leafWeight", why))
        }
    }

    /// Huge pages: those in use, and where the kernel counts them (5.7), those set aside.
    package enum Hugetlb: Controller {
        package static let name = "hugetlb"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            hugetlbWrites(resources.hugepageLimits, suffix: "max")
        }
    }

    /// Handles and objects of RDMA devices.
    package enum RDMA: Controller {
        package static let name = "rdma"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            rdmaWrites(resources.rdma)
        }
    }
}
