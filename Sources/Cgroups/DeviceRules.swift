package import OCI

/// The device rules of a container in the order in which they are applied: later ones win.
package enum DeviceRules {
    /// What every container may use, appended to the rules of its config.
    ///
    /// Nodes may be made of anything, but only these opened: null, zero, full, random, urandom, tty, ptmx, pseudo
    /// terminals, and net/tun, which the other runtimes keep for old containers.
    package static let always: [DeviceRule] = [
        DeviceRule(allow: true, kind: .character, access: "m"),
        DeviceRule(allow: true, kind: .block, access: "m"),
        DeviceRule(allow: true, kind: .character, major: 1, minor: 3),
        DeviceRule(allow: true, kind: .character, major: 1, minor: 5),
        DeviceRule(allow: true, kind: .character, major: 1, minor: 7),
        DeviceRule(allow: true, kind: .character, major: 1, minor: 8),
        DeviceRule(allow: true, kind: .character, major: 1, minor: 9),
        DeviceRule(allow: true, kind: .character, major: 5, minor: 0),
        DeviceRule(allow: true, kind: .character, major: 5, minor: 2),
        DeviceRule(allow: true, kind: .character, major: 10, minor: 200),
        DeviceRule(allow: true, kind: .character, major: 136),
    ]

    /// All rules to apply; empty where the config has none, which leaves all devices allowed.
    ///
    /// What no rule speaks of is denied. Rules before the last one for everything have no effect and are left out.
    package static func effective(_ rules: [DeviceRule]) -> [DeviceRule] {
        guard !rules.isEmpty else { return [] }
        let all = [DeviceRule(allow: false)] + rules + always
        let start = all.lastIndex(where: \.isEverything) ?? 0
        return Array(all[start...])
    }
}

extension DeviceRule {
    /// Whether it speaks of every device and every access.
    var isEverything: Bool {
        kind == .all && major == nil && minor == nil && accessBits == DeviceAccess.all
    }

    var accessBits: UInt8 {
        access.utf8.reduce(0) { bits, letter in
            switch letter {
            case UInt8(ascii: "m"): bits | DeviceAccess.mknod
            case UInt8(ascii: "r"): bits | DeviceAccess.read
            default: bits | DeviceAccess.write
            }
        }
    }
}

/// The kinds of access, with the bits of `BPF_DEVCG_ACC_*`.
enum DeviceAccess {
    static let mknod: UInt8 = 1
    static let read: UInt8 = 2
    static let write: UInt8 = 4
    static let all: UInt8 = 7
}
