package import JSON
package import Kernel

/// One range of `uidMappings` or `gidMappings`: `size` ids from `containerID` on are `hostID` and those after it.
///
/// Of a mount, the first number is the id that the file system has, the second the one that the host sees.
package struct IDMapping: Sendable, Hashable {
    package let containerID: UInt32
    package let hostID: UInt32
    package let size: UInt32

    package init(containerID: UInt32, hostID: UInt32, size: UInt32) {
        self.containerID = containerID
        self.hostID = hostID
        self.size = size
    }

    package init(_ c: Cursor) throws(Failure) {
        containerID = try c.required("containerID") { (c) throws(Failure) in try c.integer() }
        hostID = try c.required("hostID") { (c) throws(Failure) in try c.integer() }
        size = try c.required("size") { (c) throws(Failure) in try c.integer() }
        if let reason = problem { throw c.failure(reason) }
    }

    /// Why the kernel would not take this range.
    package var problem: String? {
        if size == 0 { return "the range is empty" }
        let last = UInt64(max(containerID, hostID)) + UInt64(size) - 1
        return last < UInt64(UInt32.max) ? nil : "the range goes beyond the last id, \(UInt32.max - 1)"
    }

    package var json: JSON {
        .object([
            "containerID": .integer(Int64(containerID)), "hostID": .integer(Int64(hostID)),
            "size": .integer(Int64(size)),
        ])
    }
}
