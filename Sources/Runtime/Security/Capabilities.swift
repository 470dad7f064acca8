internal import CCap
package import Kernel
package import OCI

/// The five capability sets as the kernel takes them: bit n for capability n.
package struct CapabilitySets: Sendable, Hashable {
    package let bounding: UInt64
    package let effective: UInt64
    package let permitted: UInt64
    package let inheritable: UInt64
    package let ambient: UInt64

    /// Translates `spec`, which stands at `pointer` in the config.
    ///
    /// Effective capabilities must be permitted, and ambient ones permitted and inheritable: capset(2) and
    /// PR_CAP_AMBIENT_RAISE would refuse them, and a set that is quietly smaller than asked for helps nobody.
    package init(_ spec: CapabilitySpec, at pointer: String = "/process/capabilities") throws(Failure) {
        bounding = try CapabilitySets.mask(spec.bounding, at: pointer + "/bounding")
        permitted = try CapabilitySets.mask(spec.permitted, at: pointer + "/permitted")
        inheritable = try CapabilitySets.mask(spec.inheritable, at: pointer + "/inheritable")
        effective = try CapabilitySets.mask(
            spec.effective, at: pointer + "/effective", within: [("permitted", permitted)])
        ambient = try CapabilitySets.mask(
            spec.ambient, at: pointer + "/ambient",
            within: [("permitted", permitted), ("inheritable", inheritable)])
    }

    private static func mask(
        _ names: [String], at pointer: String, within limits: [(name: String, mask: UInt64)] = []
    ) throws(Failure) -> UInt64 {
        var mask: UInt64 = 0
        for (index, name) in names.enumerated() {
            let place = "\(pointer)/\(index)"
            guard let bit = bit(name) else {
                throw Failure(.document(at: place, "\"\(name)\" is no capability"))
            }
            for limit in limits where limit.mask & bit == 0 {
                throw Failure(.document(at: place, "\"\(name)\" is not in the \(limit.name) set"))
            }
            mask |= bit
        }
        return mask
    }

    /// The bit of the capability `name`, written exactly as in the specification; `nil` for one that is not known.
    private static func bit(_ name: String) -> UInt64? {
        // cap_from_name(3) also takes numbers and any case.
        guard name.hasPrefix("CAP_"), name.utf8.allSatisfy(isUpperCase) else { return nil }
        var value: cap_value_t = -1
        guard cap_from_name(name, &value) == 0, (0..<64).contains(value) else { return nil }
        return 1 << UInt64(value)
    }

    private static func isUpperCase(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
    }
}
