/// What a task asks for; several entries of one name add up.
struct Resource {
    let pointer: String
    let name: String
    let kind: Kind
    let scalar: Scalar?
    let ranges: [Range]?
    let items: [String]?
    let isRevocable: Bool
    /// The role that the resource was offered to.
    let allocationRole: String?
    /// Where `disk` is.
    let disk: String?
    /// Where `disk` asks for a volume in the sandbox.
    let volume: String?

    enum Kind: String, CaseIterable {
        case scalar = "SCALAR"
        case ranges = "RANGES"
        case set = "SET"
        case text = "TEXT"
    }

    /// Whole numbers, both ends included.
    struct Range {
        let begin: UInt64
        let end: UInt64

        init(_ m: Message) {
            begin = m.required("begin")?.integer() ?? 0
            end = m.required("end")?.integer() ?? 0
        }
    }

    init(_ m: Message) {
        pointer = m.pointer
        name = m.required("name")?.string() ?? ""
        kind = m.required("type")?.word() ?? .scalar
        scalar = m.field("scalar")?.message(Scalar.init)
        ranges = m.field("ranges")?.message { $0.field("range")?.list { $0.message(Range.init) } ?? [] }
        items = m.field("set")?.message { $0.field("item")?.list { $0.string() } ?? [] }
        isRevocable = m.field("revocable") != nil
        allocationRole = m.field("allocation_info")?.message { $0.field("role")?.string() } ?? nil
        let disk = m.field("disk")
        self.disk = disk?.pointer
        volume =
            disk?.message { disk in
                disk.skip("source")
                let wishes = [disk.field("persistence"), disk.field("volume")]
                return wishes.contains { $0 != nil } ? disk.pointer : nil
            } ?? nil
        // Who paid for a resource is the master's and the agent's business.
        m.skip("role", "reservation", "reservations", "shared", "provider_id")
    }
}

/// A number with three decimal digits.
struct Scalar {
    let value: Double
    /// Where the message is.
    let place: String
    /// Where the number is.
    let pointer: String

    init(_ m: Message) {
        place = m.pointer
        pointer = m.pointer + "/value"
        value = m.required("value")?.double() ?? 0
    }
}
