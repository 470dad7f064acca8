internal import JSON
internal import Kernel

/// One entry of `resources.hugepageLimits`.
package struct HugepageLimit: Sendable, Hashable {
    /// As the kernel's files are called: `2MB`, `1GB`, `64KB`.
    package let pageSize: String
    /// In bytes.
    package let limit: UInt64

    package init(pageSize: String, limit: UInt64) {
        self.pageSize = pageSize
        self.limit = limit
    }

    init(_ c: Cursor) throws(Failure) {
        pageSize = try c.required("pageSize") { (c) throws(Failure) in
            let text = try c.string()
            guard HugepageLimit.isSize(text) else {
                throw c.failure("\"\(text)\" is no page size like 2MB or 1GB")
            }
            return text
        }
        limit = try c.required("limit") { (c) throws(Failure) in try c.integer() }
    }

    /// It becomes part of a file's name.
    private static func isSize(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count >= 3, bytes[bytes.count - 1] == UInt8(ascii: "B") else { return false }
        let unit = bytes[bytes.count - 2]
        guard unit == UInt8(ascii: "K") || unit == UInt8(ascii: "M") || unit == UInt8(ascii: "G") else {
            return false
        }
        let digits = bytes.dropLast(2)
        return digits.first != UInt8(ascii: "0")
            && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    var json: JSON { .object(["pageSize": .string(pageSize), "limit": .number(limit)]) }
}

/// One member of `resources.rdma`: what may be held of one device.
package struct RDMALimit: Sendable, Hashable {
    /// The device's name, like `mlx5_1`.
    package let device: String
    package let handles: UInt32?
    package let objects: UInt32?

    package init(device: String, handles: UInt32?, objects: UInt32?) {
        self.device = device
        self.handles = handles
        self.objects = objects
    }

    static func list(_ c: Cursor) throws(Failure) -> [RDMALimit] {
        var limits: [RDMALimit] = []
        for (name, value) in try c.members() {
            guard isWord(name) else { throw value.failure("\"\(name)\" is no name of a device") }
            let limit = RDMALimit(
                device: name,
                handles: try value.optional("hcaHandles") { (c) throws(Failure) in try c.integer() },
                objects: try value.optional("hcaObjects") { (c) throws(Failure) in try c.integer() })
            if limit.handles == nil && limit.objects == nil {
                throw value.failure("it has neither hcaHandles nor hcaObjects")
            }
            limits.append(limit)
        }
        return limits
    }

    var member: JSON.Member {
        JSON.Member(
            device,
            .object([
                "hcaHandles": handles.map { .integer(Int64($0)) },
                "hcaObjects": objects.map { .integer(Int64($0)) },
            ]))
    }
}

/// `resources.network`: marks for traffic control, which only cgroup v1 has.
package struct NetworkResources: Sendable, Equatable {
    /// One entry of `priorities`.
    package struct Priority: Sendable, Hashable {
        package let name: String
        package let priority: UInt32

        package init(name: String, priority: UInt32) {
            self.name = name
            self.priority = priority
        }

        init(_ c: Cursor) throws(Failure) {
            name = try c.required("name") { (c) throws(Failure) in
                let name = try c.string()
                guard isWord(name) else { throw c.failure("\"\(name)\" is no name of an interface") }
                return name
            }
            priority = try c.required("priority") { (c) throws(Failure) in try c.integer() }
        }
    }

    /// `nil` also where the document says 0, which marks nothing.
    package var classID: UInt32?
    package var priorities: [Priority] = []

    package init() {}

    init(_ c: Cursor) throws(Failure) {
        classID = try c.optional("classID") { (c) throws(Failure) in try c.integer() }
        if classID == 0 { classID = nil }
        priorities = try c.list("priorities", Priority.init)
    }

    var json: JSON? {
        if classID == nil && priorities.isEmpty { return nil }
        let list = priorities.map { entry in
            JSON.object(["name": .string(entry.name), "priority": .integer(Int64(entry.priority))])
        }
        return .object([
            "classID": classID.map { .integer(Int64($0)) },
            "priorities": list.isEmpty ? nil : .array(list),
        ])
    }
}

/// Whether the kernel will take `text` for one word of a line.
private func isWord(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
}
