internal import JSON
internal import Kernel

/// `resources.blockIO`: shares of the disks, and limits on single ones.
package struct BlockIOResources: Sendable, Equatable {
    /// Weight against other cgroups, 10 to 1000; `nil` also where the document says 0.
    package var weight: UInt16?
    /// Weight of the cgroup's own processes against its sub-cgroups.
    package var leafWeight: UInt16?
    package var weightDevices: [WeightDevice] = []
    package var readBytes: [ThrottleDevice] = []
    package var writeBytes: [ThrottleDevice] = []
    package var readOperations: [ThrottleDevice] = []
    package var writeOperations: [ThrottleDevice] = []

    package init() {}

    init(_ c: Cursor) throws(Failure) {
        weight = try c.optional("weight", BlockIOResources.weight) ?? nil
        leafWeight = try c.optional("leafWeight", BlockIOResources.weight) ?? nil
        weightDevices = try c.list("weightDevice", WeightDevice.init)
        readBytes = try c.list("throttleReadBpsDevice", ThrottleDevice.init)
        writeBytes = try c.list("throttleWriteBpsDevice", ThrottleDevice.init)
        readOperations = try c.list("throttleReadIOPSDevice", ThrottleDevice.init)
        writeOperations = try c.list("throttleWriteIOPSDevice", ThrottleDevice.init)
    }

    /// 0 means "leave as it is", as the peers take it.
    fileprivate static func weight(_ c: Cursor) throws(Failure) -> UInt16? {
        let weight: UInt16 = try c.integer()
        if weight == 0 { return nil }
        guard (10...1000).contains(weight) else { throw c.failure("\(weight) is outside 10 to 1000") }
        return weight
    }

    package var isEmpty: Bool {
        weight == nil && leafWeight == nil && weightDevices.isEmpty && readBytes.isEmpty
            && writeBytes.isEmpty && readOperations.isEmpty && writeOperations.isEmpty
    }

    var json: JSON? {
        func list(_ devices: [ThrottleDevice]) -> JSON? {
            devices.isEmpty ? nil : .array(devices.map(\.json))
        }
        if isEmpty { return nil }
        return .object([
            "weight": weight.map { .integer(Int64($0)) },
            "leafWeight": leafWeight.map { .integer(Int64($0)) },
            "weightDevice": weightDevices.isEmpty ? nil : .array(weightDevices.map(\.json)),
            "throttleReadBpsDevice": list(readBytes),
            "throttleWriteBpsDevice": list(writeBytes),
            "throttleReadIOPSDevice": list(readOperations),
            "throttleWriteIOPSDevice": list(writeOperations),
        ])
    }
}

/// The number of a block device, as a rule for it begins.
package struct BlockDevice: Sendable, Hashable {
    package let major: UInt32
    package let minor: UInt32

    package init(_ major: UInt32, _ minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    init(_ c: Cursor) throws(Failure) {
        major = try c.required("major") { (c) throws(Failure) in try c.integer() }
        minor = try c.required("minor") { (c) throws(Failure) in try c.integer() }
    }

    /// `MAJOR:MINOR`, as the kernel takes it.
    package var text: String { "\(major):\(minor)" }
}

/// One entry of `weightDevice`.
package struct WeightDevice: Sendable, Hashable {
    package let device: BlockDevice
    package let weight: UInt16?
    package let leafWeight: UInt16?

    package init(_ device: BlockDevice, weight: UInt16?, leafWeight: UInt16? = nil) {
        self.device = device
        self.weight = weight
        self.leafWeight = leafWeight
    }

    init(_ c: Cursor) throws(Failure) {
        device = try BlockDevice(c)
        weight = try c.optional("weight", BlockIOResources.weight) ?? nil
        leafWeight = try c.optional("leafWeight", BlockIOResources.weight) ?? nil
        if weight == nil && leafWeight == nil { throw c.failure("it has neither weight nor leafWeight") }
    }

    var json: JSON {
        .object([
            "major": .integer(Int64(device.major)), "minor": .integer(Int64(device.minor)),
            "weight": weight.map { .integer(Int64($0)) },
            "leafWeight": leafWeight.map { .integer(Int64($0)) },
        ])
    }
}

/// One entry of the `throttle…Device` lists.
package struct ThrottleDevice: Sendable, Hashable {
    package let device: BlockDevice
    /// Bytes or operations a second; 0: no limit.
    package let rate: UInt64

    package init(_ device: BlockDevice, rate: UInt64) {
        self.device = device
        self.rate = rate
    }

    init(_ c: Cursor) throws(Failure) {
        device = try BlockDevice(c)
        rate = try c.required("rate") { (c) throws(Failure) in try c.integer() }
    }

    var json: JSON {
        .object([
            "major": .integer(Int64(device.major)), "minor": .integer(Int64(device.minor)),
            "rate": .number(rate),
        ])
    }
}
