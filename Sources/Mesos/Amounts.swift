/// How Mesos computes with resources, to the bit.
enum Amounts {
    /// A number in thousandths: Mesos adds resources up in them.
    struct Fixed {
        var thousandths: Int64

        /// The nearest thousandths; `nil` where they do not fit.
        init?(_ value: Double) {
            guard let exact = Int64(exactly: (value * 1000).rounded(.toNearestOrAwayFromZero)) else {
                return nil
            }
            thousandths = exact
        }

        /// Back to floating point, by way of the whole part: a single division gives other bits now and then.
        var value: Double { Double(thousandths / 1000) + Double(thousandths % 1000) / 1000 }
    }

    /// The sum of all scalar entries of a name; `nil`: there is none.
    static func sum(_ name: String, of resources: [Resource]) -> Fixed? {
        let amounts = resources.filter { $0.name == name && $0.kind == .scalar }
            .compactMap { $0.scalar.flatMap { Fixed($0.value) } }
        guard var total = amounts.first else { return nil }
        for amount in amounts.dropFirst() {
            total.thousandths = total.thousandths.addingReportingOverflow(amount.thousandths).partialValue
        }
        return total
    }

    /// Bytes of an amount of memory, cut to whole MiB; what is too large to count becomes the largest number.
    static func bytes(mebibytes: Double) -> Int64 {
        let largest = Int64.max >> 20
        guard mebibytes < Double(largest) else { return largest << 20 }
        return max(Int64(mebibytes), 0) << 20
    }
}
