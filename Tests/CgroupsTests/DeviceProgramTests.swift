import OCI
import Testing

@testable import Cgroups

/// Runs a device program as the kernel does; `nil` for anything that the kernel's verifier would refuse.
private func run(_ program: DeviceProgram, block: Bool, access: UInt8, _ major: UInt32, _ minor: UInt32)
    -> UInt32?
{
    let context: [UInt32] = [UInt32(access) << 16 | (block ? 1 : 2), major, minor]
    var registers = [UInt32?](repeating: nil, count: 6)
    var at = 0
    while program.instructions.indices.contains(at) {
        let i = program.instructions[at]
        let to = Int(i.destination.rawValue)
        let immediate = UInt32(bitPattern: i.immediate)
        at += 1
        switch i.code {
        case 0x61:
            guard i.source == .context, i.offset % 4 == 0, context.indices.contains(Int(i.offset / 4)) else {
                return nil
            }
            registers[to] = context[Int(i.offset / 4)]
        case 0xbc: registers[to] = registers[Int(i.source.rawValue)]
        case 0xb4: registers[to] = immediate
        case 0x54:
            guard let value = registers[to] else { return nil }
            registers[to] = value & immediate
        case 0x74:
            guard let value = registers[to] else { return nil }
            registers[to] = value >> immediate
        case 0x56:
            guard let value = registers[to] else { return nil }
            if value != immediate { at += Int(i.offset) }
        case 0x46:
            guard let value = registers[to] else { return nil }
            if value & immediate != 0 { at += Int(i.offset) }
        case 0x05: at += Int(i.offset)
        case 0x95: return registers[0]
        default: return nil
        }
    }
    return nil
}

/// What the specification says: for every kind of access the last rule that matches decides.
private func expected(_ rules: [DeviceRule], block: Bool, access: UInt8, _ major: UInt32, _ minor: UInt32)
    -> UInt32
{
    for bit in [DeviceAccess.mknod, DeviceAccess.read, DeviceAccess.write] where access & bit != 0 {
        let rule = rules.last { rule in
            (rule.kind == .all || (rule.kind == .block) == block) && rule.accessBits & bit != 0
                && (rule.major ?? Int64(major)) == Int64(major)
                && (rule.minor ?? Int64(minor)) == Int64(minor)
        }
        if rule?.allow != true { return 0 }
    }
    return 1
}

struct `The device program` {
    private let read = DeviceAccess.read, write = DeviceAccess.write, mknod = DeviceAccess.mknod

    private func allows(
        _ rules: [DeviceRule], block: Bool = false, _ access: UInt8, _ major: UInt32, _ minor: UInt32
    ) -> Bool? {
        run(DeviceProgram(DeviceRules.effective(rules)), block: block, access: access, major, minor).map {
            $0 == 1
        }
    }

    @Test func `without an exception everything is denied but what every container needs`() {
        let rules = [DeviceRule(allow: false)]
        #expect(allows(rules, read | write, 1, 3) == true)
        #expect(allows(rules, read, 136, 77) == true)
        #expect(allows(rules, read, 1, 1) == false)
        #expect(allows(rules, block: true, read, 8, 0) == false)
        #expect(allows(rules, block: true, mknod, 8, 0) == true)
    }

    @Test func `an allow-all leaves everything allowed`() {
        #expect(allows([DeviceRule(allow: true)], block: true, read | write | mknod, 8, 0) == true)
    }

    @Test func `of two rules the later one wins, for its kinds of access only`() {
        let disk = DeviceRule(allow: true, kind: .block, major: 8)
        let noWrite = DeviceRule(allow: false, kind: .block, major: 8, minor: 1, access: "w")
        #expect(allows([disk, noWrite], block: true, read, 8, 1) == true)
        #expect(allows([disk, noWrite], block: true, write, 8, 1) == false)
        #expect(allows([disk, noWrite], block: true, read | write, 8, 1) == false)
        #expect(allows([disk, noWrite], block: true, write, 8, 2) == true)
        #expect(allows([noWrite, disk], block: true, write, 8, 1) == true)
    }

    @Test func `reading and writing may be allowed by one rule each`() {
        let rules = ["r", "w"].map {
            DeviceRule(allow: true, kind: .character, major: 10, minor: 229, access: $0)
        }
        #expect(allows(rules, read | write, 10, 229) == true)
        #expect(allows(Array(rules.prefix(1)), read | write, 10, 229) == false)
    }

    @Test func `kinds and numbers are told apart, and a missing number is any`() {
        let rule = DeviceRule(allow: true, kind: .all, major: nil, minor: 7, access: "r")
        #expect(allows([rule], block: true, read, 99, 7) == true)
        #expect(allows([rule], read, 99, 7) == true)
        #expect(allows([rule], read, 99, 8) == false)
        let large = DeviceRule(allow: true, kind: .block, major: 4_294_967_295, minor: 3_000_000_000)
        #expect(allows([large], block: true, read, 4_294_967_295, 3_000_000_000) == true)
        #expect(allows([large], read, 4_294_967_295, 3_000_000_000) == false)
    }

    @Test func `any list of rules decides as the specification says`() {
        var random = SystemRandomNumberGenerator()
        let kinds: [DeviceRule.Kind] = [.all, .character, .block]
        let accesses = ["r", "w", "m", "rw", "rm", "wm", "rwm"]
        for _ in 0..<400 {
            let rules = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                DeviceRule(
                    allow: Bool.random(using: &random), kind: kinds[Int.random(in: 0..<3, using: &random)],
                    major: [nil, 1, 2][Int.random(in: 0..<3, using: &random)],
                    minor: [nil, 1, 2][Int.random(in: 0..<3, using: &random)],
                    access: accesses[Int.random(in: 0..<7, using: &random)])
            }
            let effective = DeviceRules.effective(rules)
            let program = DeviceProgram(effective)
            for access in UInt8(1)...7 {
                for (major, minor) in [(UInt32(1), UInt32(1)), (1, 2), (2, 1), (3, 3)] {
                    for block in [false, true] {
                        let got = run(program, block: block, access: access, major, minor)
                        let want = expected(
                            [DeviceRule(allow: false)] + rules + DeviceRules.always, block: block,
                            access: access, major,
                            minor)
                        #expect(
                            got == want, "\(rules) access \(access) \(block ? "b" : "c") \(major):\(minor)")
                    }
                }
            }
        }
    }

    @Test func `an instruction is encoded as the kernel reads it`() {
        // r4 != 8: jump over 3
        #expect(DeviceProgram.Instruction.jumpIfNotEqual(.major, 8, skip: 3).encoded == 0x0000_0008_0003_0456)
        #expect(DeviceProgram.Instruction.move(.access, from: .type).encoded == 0x0000_0000_0000_32bc)
        #expect(DeviceProgram.Instruction.and(.access, ~4).encoded == 0xffff_fffb_0000_0254)
    }
}
