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
///
/// It runs on every call of mrun, so it keeps to arrays of String and Int and to plain memory: for each other element
/// type the Swift runtime would build metadata first, for some 20,000 instructions each.
private struct OptionParser {
    private(set) var arguments: Arguments
    /// All long names that getopt_long knows, and for each the index of its option, twice; plus 1 for `--no-name`.
    private var names: [String] = []
    private var codes: [Int] = []
    private var letters: String

    /// Codes begin where letters end.
    private static let firstCode: Int32 = 256

    init(_ command: Command) {
        arguments = Arguments(command)
        // "+" ends options at the first positional, "-" hands positionals over in order: neither permutes the words,
        // and neither depends on POSIXLY_CORRECT. ":" tells a missing value from an unknown option.
        letters = command.positionals.endOptions ? "+:" : "-:"
        for (index, option) in command.options.enumerated() {
            for name in option.spellings {
                add(name, 2 * index)
                if option.argument == .agentFlag { add("no-" + name, 2 * index + 1) }
            }
            guard let letter = option.letter else { continue }
            letters.append(letter)
            if case .value = option.argument { letters.append(":") }
        }
    }

    private mutating func add(_ name: String, _ code: Int) {
        names.append(name)
        codes.append(code)
    }

    /// getopt_long keeps its place in globals.
    private static let turn = Mutex(())

    /// Reads all of `words`.
    ///
    /// - Returns: what is wrong with them, or `nil`.
    mutating func read(_ words: [String]) -> String? {
        // getopt_long begins with the word after the program's name.
        let argv = CStrings(["mrun"] + words)
        let long = CStrings(names)
        let table = UnsafeMutablePointer<option>.allocate(capacity: names.count + 1)
        defer { table.deallocate() }
        for index in 0..<names.count {
            table[index] = option(
                name: long.pointers[index].map { UnsafePointer($0) }, has_arg: expectation(codes[index]),
                flag: nil,
                val: OptionParser.firstCode + Int32(index))
        }
        table[names.count] = option()
        return OptionParser.turn.withLock { _ in read(argv.pointers, words, table) }
    }

    private func expectation(_ code: Int) -> Int32 {
        if code % 2 == 1 { return no_argument }
        guard case .value = arguments.command.options[code / 2].argument else { return optional_argument }
        return required_argument
    }

    private mutating func read(
        _ argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>, _ words: [String],
        _ table: UnsafeMutablePointer<option>
    ) -> String? {
        optind = 0  // glibc: begin anew
        opterr = 0
        var place = 1
        while true {
            let found = getopt_long(Int32(words.count + 1), argv, letters, table, nil)
            // Where options end, at "--" or at the first positional of "+".
            if found == -1 { break }
            let word = words[place - 1]
            let value = optarg.map { String(cString: $0) }
            if let problem = take(found, from: word, value: value, letter: optopt) { return problem }
            place = max(1, Int(optind))
        }
        arguments.positionals += words[(Int(optind) - 1)...]
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
        case OptionParser.firstCode...:
            let index = Int(found - OptionParser.firstCode)
            // getopt_long takes any unambiguous beginning of a name: a later option would change its meaning.
            guard names[index] == typed else { return "unknown option \"--\(typed ?? word)\"" }
            let isNegative = codes[index] % 2 == 1
            return take(arguments.command.options[codes[index] / 2], isNegative ? "false" : value)
        default:
            for option in arguments.command.options where option.letter?.asciiValue.map(Int32.init) == found {
                return take(option, value)
            }
            return "unknown option \"\(word)\""
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
        let isKnown = typed.map(names.contains) ?? false
        let short = UInt8(exactly: letter).map { "-" + String(UnicodeScalar($0)) } ?? ""
        let spelled = typed.map { "--" + $0 } ?? short
        if wantsValue, isKnown || typed == nil { return "option \"\(spelled)\" wants a value" }
        return isKnown ? "option \"\(spelled)\" takes no value" : "unknown option \"\(spelled)\""
    }
}

/// Strings in the form that C wants: a pointer to each, and a null pointer after the last.
private struct CStrings: ~Copyable {
    /// Valid as long as this value lives.
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let block: UnsafeMutablePointer<CChar>

    init(_ strings: [String]) {
        var size = 0
        for string in strings { size += string.utf8.count + 1 }
        block = .allocate(capacity: max(size, 1))
        pointers = .allocate(capacity: strings.count + 1)
        var end = block
        for (index, string) in strings.enumerated() {
            pointers[index] = end
            for byte in string.utf8 {
                end.pointee = CChar(bitPattern: byte)
                end += 1
            }
            end.pointee = 0
            end += 1
        }
        pointers[strings.count] = nil
    }

    deinit {
        block.deallocate()
        pointers.deallocate()
    }
}
