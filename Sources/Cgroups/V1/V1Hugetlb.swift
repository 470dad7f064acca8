package import Kernel
package import OCI

extension V1 {
    /// Huge pages: those in use, and where the kernel counts them (5.7), those set aside.
    package enum Hugetlb: Controller {
        package static let name = "hugetlb"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            hugetlbWrites(resources.hugepageLimits, suffix: "limit_in_bytes")
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

func hugetlbWrites(_ limits: [HugepageLimit], suffix: String) -> [ControlWrite] {
    var writes: [ControlWrite] = []
    for limit in limits {
        let text = String(limit.limit)
        writes.append(ControlWrite("hugetlb.\(limit.pageSize).\(suffix)", text))
        writes.append(ControlWrite("hugetlb.\(limit.pageSize).rsvd.\(suffix)", text, onlyIfPresent: true))
    }
    return writes
}

/// The same file on v1 and v2.
func rdmaWrites(_ limits: [RDMALimit]) -> [ControlWrite] {
    var writes: [ControlWrite] = []
    for limit in limits {
        var text = limit.device
        if let handles = limit.handles { text += " hca_handle=\(handles)" }
        if let objects = limit.objects { text += " hca_object=\(objects)" }
        writes.append(ControlWrite("rdma.max", text))
    }
    return writes
}
