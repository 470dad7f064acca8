internal import CCap
internal import CKernel
package import Kernel
package import OCI

/// The five capability sets as the kernel takes them: bit n for capability n.
package struct CapabilitySets: Sendable, Hashable {
    package let bounding: UInt64
    package let effective: UInt64
    package let permitted: UInt64
    package let inheritable: UInt64
    package let ambient: UInt64
    /// What was asked for and is not given, in words for a log: clients ask for these without meaning them.
    package private(set) var notices: [String] = []

    /// Translates `spec`, which stands at `pointer` in the config.
    ///
    /// Effective capabilities must be permitted: capset(2) would refuse them, and a set that is quietly smaller than
    /// asked for helps nobody. Two things are left out with a notice, as engines rely on it: names that this kernel is
    /// too old for (`isKnown` tells, by number), and ambient capabilities that are not permitted and inheritable.
    package init(
        _ spec: CapabilitySpec, at pointer: String = "/process/capabilities",
        isKnown: (UInt64) -> Bool = CapabilitySets.isKnownToKernel
    ) throws(Failure) {
        var notices: [String] = []
        func mask(_ names: [String], _ set: String) throws(Failure) -> UInt64 {
            var mask: UInt64 = 0
            for (index, name) in names.enumerated() {
                guard let number = CapabilitySets.number(of: name) else {
                    throw Failure(.document(at: "\(pointer)/\(set)/\(index)", "\"\(name)\" is no capability"))
                }
                if isKnown(number) {
                    mask |= 1 << number
                } else {
                    notices.append("ignoring capability \"\(name)\" (\(set)): this kernel does not have it")
                }
            }
            return mask
        }
        bounding = try mask(spec.bounding, "bounding")
        permitted = try mask(spec.permitted, "permitted")
        inheritable = try mask(spec.inheritable, "inheritable")
        effective = try mask(spec.effective, "effective")
        let wanted = try mask(spec.ambient, "ambient")
        ambient = wanted & permitted & inheritable
        for (index, name) in spec.effective.enumerated()
        where effective & ~permitted & CapabilitySets.bit(name) != 0 {
            let place = "\(pointer)/effective/\(index)"
            throw Failure(.document(at: place, "\"\(name)\" is not in the permitted set"))
        }
        for name in spec.ambient where wanted & ~ambient & CapabilitySets.bit(name) != 0 {
            notices.append("can't raise ambient capability \"\(name)\": it is not permitted and inheritable")
        }
        self.notices = notices
    }

    /// Every kernel that mrun runs on has those up to CAP_CHECKPOINT_RESTORE.
    package static func isKnownToKernel(_ number: UInt64) -> Bool {
        number <= 40 || sys_prctl(Int32(K_PR_CAPBSET_READ), UInt(number)) >= 0
    }

    /// Whether `name` is that of a capability, written exactly as in the specification.
    package static func isName(_ name: String) -> Bool { number(of: name) != nil }

    private static func bit(_ name: String) -> UInt64 { number(of: name).map { 1 << $0 } ?? 0 }

    private static func number(of name: String) -> UInt64? {
        // cap_from_name(3) also takes numbers and any case.
        guard name.hasPrefix("CAP_"), name.utf8.allSatisfy(isUpperCase) else { return nil }
        var value: cap_value_t = -1
        guard cap_from_name(name, &value) == 0, (0..<64).contains(value) else { return nil }
        return UInt64(value)
    }

    private static func isUpperCase(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
    }
}
