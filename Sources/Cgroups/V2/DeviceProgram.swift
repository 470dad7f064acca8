internal import OCI

/// The eBPF program that decides which devices a cgroup may use: cgroup v2 has no control file for that.
///
/// The last rule that speaks of a device and an access decides. So the program goes through the rules from the last to
/// the first, keeps the kinds of access that are still open, and ends as soon as one is denied or none is left. A
/// request to read and write is thus allowed by two rules that allow one each, as the specification wants it.
struct DeviceProgram: Sendable, Equatable {
    let instructions: [Instruction]

    /// A program for rules in the order of `DeviceRules.effective`, whose first one speaks of everything.
    init(_ rules: [DeviceRule]) {
        var out: [Instruction] = [
            .load(.type, offset: 0),
            .move(.access, from: .type),
            .and(.type, 0xffff),
            .shiftRight(.access, 16),
            .load(.major, offset: 4),
            .load(.minor, offset: 8),
        ]
        for rule in rules.dropFirst().reversed() { out += DeviceProgram.block(for: rule) }
        instructions = out + DeviceProgram.end(rules.first?.allow ?? true)
    }

    private static func end(_ allow: Bool) -> [Instruction] { [.set(.result, allow ? 1 : 0), .exit] }

    /// The instructions for one rule; what does not match jumps behind them.
    private static func block(for rule: DeviceRule) -> [Instruction] {
        let access = Int32(rule.accessBits)
        let decision: [Instruction] =
            switch (rule.allow, rule.accessBits == DeviceAccess.all) {
            case (_, true): end(rule.allow)
            case (true, false): [.and(.access, ~access), .jumpIfNotEqual(.access, 0, skip: 2)] + end(true)
            case (false, false): [.jumpIfAnySet(.access, access, skip: 1), .jump(skip: 2)] + end(false)
            }
        var conditions: [(Register, UInt32)] = []
        switch rule.kind {
        case .all: break
        case .block: conditions.append((.type, 1))
        case .character: conditions.append((.type, 2))
        }
        if let major = rule.major { conditions.append((.major, UInt32(truncatingIfNeeded: major))) }
        if let minor = rule.minor { conditions.append((.minor, UInt32(truncatingIfNeeded: minor))) }
        let tests = conditions.enumerated().map { index, condition in
            Instruction.jumpIfNotEqual(
                condition.0, Int32(bitPattern: condition.1),
                skip: Int16(conditions.count - 1 - index + decision.count))
        }
        return tests + decision
    }
}

extension DeviceProgram {
    /// The registers, by what is in them.
    enum Register: UInt8, Sendable {
        case result = 0
        /// The kernel's `struct bpf_cgroup_dev_ctx`.
        case context = 1
        /// The kinds of access that no rule has decided on yet.
        case access = 2
        case type = 3
        case major = 4
        case minor = 5
    }

    /// One instruction, as `struct bpf_insn`.
    struct Instruction: Sendable, Equatable {
        let code: UInt8
        let destination: Register
        var source: Register = .result
        var offset: Int16 = 0
        var immediate: Int32 = 0

        /// A 32-bit word of the context.
        static func load(_ into: Register, offset: Int16) -> Instruction {
            Instruction(code: 0x61, destination: into, source: .context, offset: offset)
        }
        static func move(_ into: Register, from: Register) -> Instruction {
            Instruction(code: 0xbc, destination: into, source: from)
        }
        static func set(_ register: Register, _ value: Int32) -> Instruction {
            Instruction(code: 0xb4, destination: register, immediate: value)
        }
        static func and(_ register: Register, _ mask: Int32) -> Instruction {
            Instruction(code: 0x54, destination: register, immediate: mask)
        }
        static func shiftRight(_ register: Register, _ bits: Int32) -> Instruction {
            Instruction(code: 0x74, destination: register, immediate: bits)
        }
        static func jumpIfNotEqual(_ register: Register, _ value: Int32, skip: Int16) -> Instruction {
            Instruction(code: 0x56, destination: register, offset: skip, immediate: value)
        }
        static func jumpIfAnySet(_ register: Register, _ mask: Int32, skip: Int16) -> Instruction {
            Instruction(code: 0x46, destination: register, offset: skip, immediate: mask)
        }
        static func jump(skip: Int16) -> Instruction {
            Instruction(code: 0x05, destination: .result, offset: skip)
        }
        static let exit = Instruction(code: 0x95, destination: .result)

        /// The eight bytes of a little-endian kernel.
        var encoded: UInt64 {
            UInt64(code) | UInt64(destination.rawValue | source.rawValue << 4) << 8
                | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: immediate)) << 32
        }
    }
}
