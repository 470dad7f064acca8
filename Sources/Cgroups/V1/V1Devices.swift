package import Kernel
package import OCI

extension V1 {
    /// The devices that may be used.
    package enum Devices: Controller {
        package static let name = "devices"

        package static func writes(for resources: ResourceSpec) throws(Failure) -> [ControlWrite] {
            try writes(for: resources.devices)
        }

        static func writes(for devices: [DeviceRule]) throws(Failure) -> [ControlWrite] {
            let rules = DeviceRules.effective(devices)
            guard let first = rules.first else { return [] }
            var writes = [write("a", allow: first.allow)]
            var exceptions: [DeviceRule] = []
            for rule in rules.dropFirst() {
                let kinds: [DeviceRule.Kind] = rule.kind == .all ? [.character, .block] : [rule.kind]
                for kind in kinds {
                    var rule = rule
                    rule.kind = kind
                    if rule.allow != first.allow {
                        exceptions.append(rule)
                    } else {
                        guard try narrow(&exceptions, by: rule) else { continue }
                    }
                    writes.append(write(text(of: rule), allow: rule.allow))
                }
            }
            return writes
        }

        /// What leads from one list of such writes to another, with nothing denied in between that both allow.
        static func way(from old: [ControlWrite], to new: [ControlWrite]) -> [ControlWrite] {
            let nothingButAllowed = { (writes: [ControlWrite]) in
                writes.first?.file == "devices.deny"
                    && writes.dropFirst().allSatisfy { $0.file == "devices.allow" }
            }
            guard nothingButAllowed(old), nothingButAllowed(new) else { return new }
            let gone = old.dropFirst().filter { !new.contains($0) }
            return gone.map { ControlWrite("devices.deny", $0.text) } + new.dropFirst()
        }

        private static func write(_ text: String, allow: Bool) -> ControlWrite {
            ControlWrite(allow ? "devices.allow" : "devices.deny", text)
        }

        private static func text(of rule: DeviceRule) -> String {
            let major = rule.major.map { String($0) } ?? "*"
            let minor = rule.minor.map { String($0) } ?? "*"
            return "\(rule.kind.rawValue) \(major):\(minor) \(rule.access)"
        }

        /// Takes from the exceptions what `rule` sets back to the default.
        ///
        /// The kernel finds an exception by its exact numbers only; what merely overlaps it would quietly have no
        /// effect, and is refused.
        ///
        /// - Returns: whether there is anything to take back.
        private static func narrow(_ exceptions: inout [DeviceRule], by rule: DeviceRule) throws(Failure)
            -> Bool
        {
            var found = false
            for exception in exceptions where exception.kind == rule.kind {
                if exception.major == rule.major && exception.minor == rule.minor {
                    found = true
                } else if overlaps(exception.major, rule.major) && overlaps(exception.minor, rule.minor)
                    && exception.accessBits & rule.accessBits != 0
                {
                    let (new, old) = (text(of: rule), text(of: exception))
                    throw Failure(
                        .document(
                            at: "/linux/resources/devices",
                            "cgroup v1 cannot \(rule.allow ? "allow" : "deny") \"\(new)\" after \"\(old)\""))
                }
            }
            guard found else { return false }
            exceptions = exceptions.compactMap { exception in
                guard exception.kind == rule.kind, exception.major == rule.major,
                    exception.minor == rule.minor
                else { return exception }
                var rest = exception
                rest.access.removeAll { rule.access.contains($0) }
                return rest.access.isEmpty ? nil : rest
            }
            return true
        }

        private static func overlaps(_ one: Int64?, _ other: Int64?) -> Bool {
            one == nil || other == nil || one == other
        }
    }
}
