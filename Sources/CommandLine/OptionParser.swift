// `optind` and its kin are C globals; the mutex below is what keeps their use apart.
@preconcurrency internal import CGetopt
package import Kernel
internal import Synchronization

extension Command {
    /// Parses `words`, what follows the command's name, with getopt_long(3).
    ///
    /// `program` is what mrun was called as, for the usage line of a message. It throws a refusal in words, for an
    /// option that is not in the table, a value too many or too few, or the wrong number of positional arguments; with
    /// `--help` that number is not looked at.
    package func parse(_ words: [String], program: String = "mrun") throws(Failure) -> Arguments {
        var parser = OptionParser(self)
        if let problem = parser.read(words) { throw .refused(problem) }
        let arguments = parser.arguments
        if !arguments.flag("help"), let complaint = complaint(about: arguments.positionals.count) {
            throw .refused("\(complaint) (usage: \(usage(program)))")
        }
        return arguments
    }
}

/// One pass of getopt_long over one command's words.
private struct OptionParser {
    /// A long name that getopt_long knows.
    private struct Long {
        let name: String
        let option: Option
        /// `--no-name`: the value is "false".
        let isNegative: Bool
    }

    private(set) var arguments: Arguments
    private let longs: [Long]
    private let letters: String

    init(_ command: Command) {
        arguments = Arguments(command)
        longs = command.options.flatMap { option in
            option.spellings.flatMap { name in
                let long = Long(name: name, option: option, isNegative: false)
                guard option.argument == .agentFlag else { return [long] }
                return [long, Long(name: "no-" + name, option: option, isNegative: true)]
            }
        }
        // "+" ends options at the first positional, "-" hands positionals over in order: neither permutes the words,
        // and neither depends on POSIXLY_CORRECT. ":" tells a missing value from an unknown option.
        var letters = command.positionals.endOptions ? "+:" : "-:"
        for option in command.options {
            guard let letter = option.letter else { continue }
            letters.append(letter)
            if case .value = option.argument { letters.append(":") }
        }
        self.letters = letters
    }

    /// getopt_long keeps its place in globals.
    private static let turn = Mutex(())

    /// Reads all of `words`.
    ///
    /// - Returns: what is wrong with them, or `nil`.
    mutating func read(_ words: [String]) -> String? {
        let names = CStrings(longs.map(\.name))
        // getopt_long begins with the word after the program's name.
        let argv = CStrings(["mrun"] + words)
        return OptionParser.turn.withLock { _ in
            names.withPointers { names in
                argv.withPointers { argv in
                    var table = zip(longs, names).enumerated().map { index, row in
                        option(
                            name: row.1.map { UnsafePointer($0) }, has_arg: expectation(row.0), flag: nil,
                            val: Int32(256 + index))
                    }
                    table.append(option())
                    return read(argv, words: words, table: table)
                }
            }
        }
    }

    private func expectation(_ long: Long) -> Int32 {
        if long.isNegative { return no_argument }
        guard case .value = long.option.argument else { return optional_argument }
        return required_argument
    }

    private mutating func read(
        _ argv: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>, words: [String], table: [option]
    ) -> String? {
        guard let base = argv.baseAddress else { return nil }
        optind = 0  // glibc: begin anew
        opterr = 0
        var place = 1
        while true {
            let found = getopt_long(Int32(words.count + 1), base, letters, table, nil)
            // Where options end, at "--" or at the first positional of "+".
            if found == -1 { break }
            let word = words[place - 1]
            let value = optarg.map { String(cString: $0) }
            if let problem = take(found, from: word, value: value, letter: optopt) { return problem }
            place = max(1, Int(optind))
        }
        arguments.positionals += words.dropFirst(Int(optind) - 1)
        return nil
    }

    /// Takes one answer of getopt_long; `word` is the word that it was reading.
    private mutating func take(_ found: Int32, from word: String, value: String?, letter: Int32) -> String? {
        let typed = word.hasPrefix("--") ? String(word.dropFirst(2).prefix { $0 != "=" }) : nil
        switch found {
        case 1:
            arguments.positionals.append(value ?? word)
            return nil
        case Int32(UInt8(ascii: "?")), Int32(UInt8(ascii: ":")):
            return complaint(typed, letter, wantsValue: found == Int32(UInt8(ascii: ":")))
        case 256...:
            let long = longs[Int(found) - 256]
            // getopt_long takes any unambiguous beginning of a name: a later option would change its meaning.
            guard long.name == typed else { return "unknown option \"--\(typed ?? word)\"" }
            return take(long.option, long.isNegative ? "false" : value)
        default:
            let option = arguments.command.options.first { $0.letter.map(OptionParser.code) == found }
            guard let option else { return "unknown option \"\(word)\"" }
            return take(option, value)
        }
    }

    private mutating func take(_ option: Option, _ value: String?) -> String? {
        if case .value = option.argument {
            arguments.add(option, value ?? "")
            return nil
        }
        switch value {
        case nil, "true", "1": arguments.add(option, "true")
        case "false", "0": arguments.add(option, "false")
        case let text?: return "option \"--\(option.name)\": \"\(text)\" is neither true nor false"
        }
        return nil
    }

    private func complaint(_ typed: String?, _ letter: Int32, wantsValue: Bool) -> String {
        let known = longs.first { $0.name == typed }
        let short = UInt8(exactly: letter).map { "-" + String(UnicodeScalar($0)) } ?? ""
        let spelled = typed.map { "--" + $0 } ?? short
        if wantsValue, known != nil || typed == nil { return "option \"\(spelled)\" wants a value" }
        return known == nil ? "unknown option \"\(spelled)\"" : "option \"\(spelled)\" takes no value"
    }

    private static func code(_ letter: Character) -> Int32 { Int32(letter.asciiValue ?? 0) }
}

/// Strings in the form that C wants: one block of bytes, and a pointer to the start of each.
struct CStrings {
    private var bytes: [CChar] = []
    private var starts: [Int] = []

    init(_ strings: [String]) {
        for string in strings {
            starts.append(bytes.count)
            bytes.append(contentsOf: string.utf8.lazy.map { CChar(bitPattern: $0) })
            bytes.append(0)
        }
    }

    /// Runs `body` with the pointers, a null pointer after the last.
    func withPointers<T>(_ body: (UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>) -> T) -> T {
        var bytes = bytes
        return bytes.withUnsafeMutableBufferPointer { block in
            var pointers = starts.map { start in block.baseAddress.map { $0 + start } }
            pointers.append(nil)
            return pointers.withUnsafeMutableBufferPointer { body($0) }
        }
    }
}
