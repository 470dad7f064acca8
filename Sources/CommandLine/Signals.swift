package import Kernel

/// The names of signals, as kill(1) knows them.
package enum Signals {
    /// The number of the highest signal.
    package static let maximum: Int32 = 64
    /// The first real-time signal that glibc leaves to programs.
    private static let realTimeMinimum: Int32 = 34

    /// The names without `SIG`, by number (x86 and Arm); real-time signals have none.
    private static let names: KeyValuePairs<StaticString, Int32> = [
        "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
        "USR1": 10,
        "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18,
        "STOP": 19,
        "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27,
        "WINCH": 28,
        "IO": 29, "PWR": 30, "SYS": 31,
        // Other names for the same.
        "IOT": 6, "CLD": 17, "POLL": 29,
    ]

    /// The number that `text` means: a number, or a name in any case, with `SIG` or without.
    ///
    /// - Throws: `unknown signal "…"`.
    package static func number(_ text: String) throws(Failure) -> Int32 {
        guard let number = lookUp(text) else { throw .refused("unknown signal \"\(text)\"") }
        return number
    }

    /// The name with `SIG`; the number for one that has no name.
    package static func name(_ number: Int32) -> String {
        guard let name = names.first(where: { $0.value == number })?.key else { return String(number) }
        return "SIG\(name)"
    }

    /// The names that shells offer, without `SIG`.
    static var offered: [String] { names.map { "\($0.key)" } }

    private static func lookUp(_ text: String) -> Int32? {
        if text.utf8.allSatisfy(isDigit) {
            guard text.utf8.count <= 3, let number = Int32(text), number <= maximum else { return nil }
            return number
        }
        var name = text.uppercased()[...]
        if name.hasPrefix("SIG") { name = name.dropFirst(3) }
        if name.hasPrefix("RT") { return realTime(name.dropFirst(2)) }
        return names.first { "\($0.key)" == name }?.value
    }

    /// `MIN`, `MIN+n`, `MAX` and `MAX-n`.
    private static func realTime(_ text: Substring) -> Int32? {
        let distance = text.dropFirst(3)
        var steps: Int32 = 0
        if let sign = distance.first {
            let digits = distance.dropFirst()
            guard sign == (text.hasPrefix("MIN") ? "+" : "-"), (1...2).contains(digits.utf8.count),
                digits.utf8.allSatisfy(isDigit), let number = Int32(digits)
            else { return nil }
            steps = number
        }
        guard steps <= maximum - realTimeMinimum else { return nil }
        switch text.prefix(3) {
        case "MIN": return realTimeMinimum + steps
        case "MAX": return maximum - steps
        default: return nil
        }
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
