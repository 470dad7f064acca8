internal import Kernel
internal import OCI

/// Properties of the scope by annotation: `org.systemd.property.TimeoutStopUSec: uint64 5000000`.
enum AnnotatedProperties {
    static let prefix = "org.systemd.property."

    /// What the scope is found by again, and what makes it this container's.
    private static let reserved = ["Description", "Slice", "PIDs", "Delegate"]

    /// The properties in `annotations`; a name that ends in `Sec` becomes one in `USec`, its seconds microseconds.
    static func all(_ annotations: [Annotation]) throws(Failure) -> [BusProperty] {
        var properties: [BusProperty] = []
        for annotation in annotations where annotation.name.hasPrefix(prefix) {
            do throws(Failure) { properties.append(try property(annotation)) } catch {
                throw error.during("annotation \"\(annotation.name)\"")
            }
        }
        return properties
    }

    private static func property(_ annotation: Annotation) throws(Failure) -> BusProperty {
        let name = String(annotation.name.dropFirst(prefix.count))
        let letters = name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
        }
        guard letters, name.utf8.count >= 3 else { throw .refused("\"\(name)\" is no name of a property") }
        guard !reserved.contains(name) else { throw .refused("\"\(name)\" is mrun's to set") }
        let value = try GVariantText.value(annotation.value)
        if name.hasSuffix("Sec"), !name.hasSuffix("USec") {
            return BusProperty(String(name.dropLast(3)) + "USec", .uint64(try microseconds(value)))
        }
        return BusProperty(name, value)
    }

    private static func microseconds(_ value: BusValue) throws(Failure) -> UInt64 {
        let seconds: UInt64?
        switch value {
        case .int16(let number): seconds = UInt64(exactly: number)
        case .uint16(let number): seconds = UInt64(number)
        case .int32(let number): seconds = UInt64(exactly: number)
        case .uint32(let number): seconds = UInt64(number)
        case .int64(let number): seconds = UInt64(exactly: number)
        case .uint64(let number): seconds = number
        case .double(let number):
            guard let exact = UInt64(exactly: (number * 1_000_000).rounded()) else {
                throw .refused("\(number) is no number of seconds")
            }
            return exact
        default: throw .refused("it is no number of seconds")
        }
        guard let product = seconds?.multipliedReportingOverflow(by: 1_000_000), !product.overflow else {
            throw .refused("it is no number of seconds")
        }
        return product.partialValue
    }
}
