internal import Kernel
package import OCI

/// What is to be written for one controller.
struct LimitWrites: Equatable {
    let controller: String
    var writes: [ControlWrite]
    /// Whether this is on the cgroup2 hierarchy of a hybrid host.
    var isBesideLegacy = false
    /// Whether the config names the file itself.
    var isUnified = false

    /// Stands for the files that every cgroup2 directory has: no controller.
    static let core = "cgroup"

    /// The JSON pointer of what one of the writes comes from.
    func pointer(of write: ControlWrite) -> String {
        isUnified
            ? "\(LimitPointer.resources)/unified/\(write.file)" : LimitPointer.of(write.file)
    }
}

/// All limits of a container, checked against what its cgroups can do.
struct Limits: Equatable {
    var writes: [LimitWrites] = []
    /// The device rules for an eBPF program; on v1 they are writes like the others.
    var devices: [DeviceRule] = []

    /// - Throws: a failure with a JSON pointer; nothing has been touched then.
    init(_ resources: ResourceSpec, for set: CgroupSet) throws(Failure) {
        switch set.version {
        case .v1: try addLegacy(resources, set)
        case .v2: try addUnified(resources, set)
        }
    }

    private mutating func addLegacy(_ resources: ResourceSpec, _ set: CgroupSet) throws(Failure) {
        guard resources.unified.isEmpty else {
            throw Failure(.document(at: "\(LimitPointer.resources)/unified", "this host has cgroup v1"))
        }
        for controller in V1.all {
            let texts = try controller.writes(for: resources)
            if texts.isEmpty { continue }
            if set.directory(for: controller.name) != nil {
                writes.append(LimitWrites(controller: controller.name, writes: texts))
                continue
            }
            guard set.unified != nil,
                let other = V2.besideLegacy.first(where: { $0.name == controller.name })
            else { throw Limits.missing(controller.name) }
            writes.append(
                LimitWrites(
                    controller: controller.name, writes: try other.writes(for: resources),
                    isBesideLegacy: true))
        }
    }

    private mutating func addUnified(_ resources: ResourceSpec, _ set: CgroupSet) throws(Failure) {
        if resources.network.classID != nil || !resources.network.priorities.isEmpty {
            let field = resources.network.classID != nil ? "classID" : "priorities"
            throw Failure(
                .document(
                    at: "\(LimitPointer.resources)/network/\(field)",
                    "cgroup v2 has no network classes and priorities"))
        }
        for controller in V2.all {
            let texts = try controller.writes(for: resources).filter { write in
                !resources.unified.contains { $0.name == write.file }
            }
            if !texts.isEmpty { writes.append(LimitWrites(controller: controller.name, writes: texts)) }
        }
        for file in resources.unified {
            let controller = String(file.name.prefix { $0 != "." })
            writes.append(
                LimitWrites(
                    controller: controller, writes: [ControlWrite(file.name, file.value)], isUnified: true))
        }
        devices = DeviceRules.effective(resources.devices)
        guard set.directories.isEmpty else { return }
        if let first = writes.first { throw Limits.missing(first.controller) }
        if !devices.isEmpty { throw Limits.missing("devices") }
    }

    private static func missing(_ controller: String) -> Failure {
        Failure(
            .document(
                at: LimitPointer.of(controller: controller),
                "the container has no cgroup of the controller \"\(controller)\""))
    }

    /// Those that are written into `directory`.
    func belonging(to directory: CgroupSet.Directory, on version: CgroupLayout.Version) -> [LimitWrites] {
        if version == .v2 { return writes }
        return writes.filter {
            $0.isBesideLegacy ? directory.isUnified : directory.has($0.controller)
        }
    }
}

extension ResourceSpec {
    /// Controllers for these limits that a hybrid host may have on cgroup2 alone.
    package var controllersBesideLegacy: [String] {
        if hugepageLimits.isEmpty && rdma.isEmpty { return [] }
        return (hugepageLimits.isEmpty ? [] : [V2.Hugetlb.name]) + (rdma.isEmpty ? [] : [V2.RDMA.name])
    }
}
