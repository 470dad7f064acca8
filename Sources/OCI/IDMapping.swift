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

    /// The line as `uid_map` takes it.
    package var line: String { "\(containerID) \(hostID) \(size)\n" }

    /// The id outside that `id` inside is.
    fileprivate func outside(_ id: UInt32) -> UInt32? {
        guard id >= containerID, id - containerID < size else { return nil }
        return hostID + (id - containerID)
    }
}

/// A whole map.
package struct IDMap: Sendable, Hashable {
    /// The most lines that the kernel takes.
    package static let limit = 340

    package let lines: [IDMapping]

    package init(_ lines: [IDMapping]) { self.lines = lines }

    /// Reads what `/proc/PID/uid_map` says; lines that are none are left out.
    package init(text: String) {
        lines = text.split(separator: "\n").compactMap { line in
            let numbers = line.split(separator: " ").compactMap { UInt32($0) }
            guard numbers.count == 3 else { return nil }
            return IDMapping(containerID: numbers[0], hostID: numbers[1], size: numbers[2])
        }
    }

    /// The id outside that `id` inside is; `nil` where it is none.
    package func outside(_ id: UInt32) -> UInt32? {
        for line in lines { if let outside = line.outside(id) { return outside } }
        return nil
    }

    /// Whether both map the same ids to the same ids, however they are cut into lines.
    package func isSame(as other: IDMap) -> Bool { merged() == other.merged() }

    private func merged() -> [IDMapping] {
        var merged: [IDMapping] = []
        for line in lines.sorted(by: { $0.containerID < $1.containerID }) {
            if let last = merged.last, last.containerID + last.size == line.containerID,
                last.hostID + last.size == line.hostID,
                case let (size, overflow) = last.size.addingReportingOverflow(line.size), !overflow
            {
                merged[merged.count - 1] = IDMapping(
                    containerID: last.containerID, hostID: last.hostID, size: size)
            } else {
                merged.append(line)
            }
        }
        return merged
    }

    /// What the kernel would refuse without saying why; `pointer` is the place of the list.
    package func problems(at pointer: String) -> [Failure] {
        if lines.count > IDMap.limit {
            let words = "\(lines.count) mappings, the kernel takes \(IDMap.limit)"
            return [Failure(.document(at: pointer, words))]
        }
        var found: [Failure] = []
        for (index, line) in lines.enumerated() {
            for (other, earlier) in lines[..<index].enumerated() {
                let inside = IDMap.overlap(line.containerID, earlier.containerID, line.size, earlier.size)
                guard inside || IDMap.overlap(line.hostID, earlier.hostID, line.size, earlier.size) else {
                    continue
                }
                let words = "it overlaps mapping \(other) \(inside ? "in the container" : "on the host")"
                found.append(Failure(.document(at: "\(pointer)/\(index)", words)))
                break
            }
        }
        return found
    }

    private static func overlap(_ a: UInt32, _ b: UInt32, _ sizeA: UInt32, _ sizeB: UInt32) -> Bool {
        a <= b ? b - a < sizeA : a - b < sizeB
    }
}
