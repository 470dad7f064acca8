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

        static func + (left: Fixed, right: Fixed) -> Fixed {
            var sum = left
            let (exact, overflow) = left.thousandths.addingReportingOverflow(right.thousandths)
            sum.thousandths = overflow ? Int64.max : exact
            return sum
        }

        /// Back to floating point, by way of the whole part: a single division gives other bits now and then.
        var value: Double { Double(thousandths / 1000) + Double(thousandths % 1000) / 1000 }
    }

    /// The sum of all scalar entries of a name; `nil`: there is none.
    static func sum(_ name: String, of resources: [Resource]) -> Fixed? {
        let amounts = resources.filter { $0.name == name && $0.kind == .scalar }
            .compactMap { $0.scalar.flatMap { Fixed($0.value) } }
        guard let first = amounts.first else { return nil }
        return amounts.dropFirst().reduce(first, +)
    }

    /// A number without its fraction; what does not fit becomes the nearest number that does.
    ///
    /// Mesos casts, which is undefined for such numbers, and would end the program here.
    static func whole(_ value: Double) -> Int64 {
        if value < 0x1p63 { return value > 0 ? Int64(value) : 0 }
        return Int64.max
    }

    /// Bytes of an amount of memory, cut to whole MiB.
    static func bytes(mebibytes: Double) -> Int64 { min(whole(mebibytes), Int64.max >> 20) << 20 }
}
