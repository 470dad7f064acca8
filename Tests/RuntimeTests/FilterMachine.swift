/// Runs a seccomp filter as the kernel does: classic BPF over `struct seccomp_data`.
struct FilterMachine {
    struct Instruction {
        let code: UInt16
        let jumpTrue: UInt8
        let jumpFalse: UInt8
        let k: UInt32
    }

    let program: [Instruction]

    init(_ bytes: [UInt8]) {
        program = stride(from: 0, to: bytes.count, by: 8).map { at in
            Instruction(
                code: UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8, jumpTrue: bytes[at + 2],
                jumpFalse: bytes[at + 3],
                k: (4..<8).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * ($1 - 4)) })
        }
    }

    static let x86 = UInt32(0x4000_0003)
    static let x8664 = UInt32(0xc000_003e)

    /// What the filter returns for one call; `nil` when it leaves the program or has an instruction of another kind.
    func run(_ number: Int32, _ arguments: [UInt64] = [], architecture: UInt32 = FilterMachine.x8664)
        -> UInt32?
    {
        var data = [UInt32(bitPattern: number), architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            data += [UInt32(truncatingIfNeeded: argument), UInt32(truncatingIfNeeded: argument >> 32)]
        }
        var (place, accumulator) = (0, UInt32(0))
        while place < program.count {
            let instruction = program[place]
            place += 1
            func jump(_ condition: Bool) {
                place += Int(condition ? instruction.jumpTrue : instruction.jumpFalse)
            }
            switch instruction.code {
            case 0x20:  // ld [k]
                guard instruction.k % 4 == 0, instruction.k / 4 < data.count else { return nil }
                accumulator = data[Int(instruction.k / 4)]
            case 0x54: accumulator &= instruction.k
            case 0x05: place += Int(instruction.k)
            case 0x15: jump(accumulator == instruction.k)
            case 0x25: jump(accumulator > instruction.k)
            case 0x35: jump(accumulator >= instruction.k)
            case 0x45: jump(accumulator & instruction.k != 0)
            case 0x06: return instruction.k
            default: return nil
            }
        }
        return nil
    }
}
