import Kernel
import Testing

@testable import CommandLine

struct VocabularyTests {
    @Test func `each command is found under its name`() {
        for command in Command.all { #expect(Command.named(command.name) == command) }
        #expect(Set(Command.all.map(\.name)).count == Command.all.count)
        #expect(Command.named("") == nil)
        #expect(Command.named("bogus") == nil)
    }

    @Test func `no command has two options of one name or letter`() {
        for command in Command.all + [Command.global] {
            let names = command.options.flatMap(\.spellings)
            let letters = command.options.compactMap(\.letter)
            #expect(Set(names).count == names.count, "\(command.name)")
            #expect(Set(letters).count == letters.count, "\(command.name)")
            #expect(letters.allSatisfy { $0.isASCII && $0.isLetter })
        }
    }

    @Test func `every example can be parsed`() throws {
        for command in Command.all where command != .completion {
            let words = command.example.split(separator: " ").map(String.init)
            #expect(words.first == command.name)
            _ = try command.parse(Array(words.dropFirst()))
        }
    }

    @Test func `every command has help that begins with its name and fits a screen`() throws {
        for command in Command.all {
            let lines = Help.text(command, "runc").split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines[0] == "NAME:")
            #expect(lines[1].hasPrefix("   runc \(command.name) - "))
            for line in lines { #expect(line.count <= 110, "\(line)") }
        }
        let lines = Help.overview("runc").split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "NAME:")
        #expect(lines[1].hasPrefix("   runc - Open Container Initiative runtime"))
        for line in lines { #expect(line.count <= 110, "\(line)") }
        #expect(try Help.text(onCommand: nil, "runc") == Help.overview("runc"))
    }

    @Test func `help on an unknown command ends with status 3`() {
        let failure = #expect(throws: Failure.self) { try Help.text(onCommand: "foo", "mrun") }
        #expect(failure?.message == "No help topic for 'foo'")
        #expect(failure?.exitStatus == 3)
    }
}
