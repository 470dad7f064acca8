import Glibc
import Kernel
import Testing

@testable import Runtime

struct ConversationTests {
    /// The two sides, each with its descriptor.
    private final class Pair {
        private var one: FileDescriptor?
        private let two: FileDescriptor
        let left: Conversation
        let right: Conversation

        init() throws {
            let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
            left = Conversation(socket: pair.0)
            right = Conversation(socket: pair.1)
            one = FileDescriptor(adopting: pair.0)
            two = FileDescriptor(adopting: pair.1)
        }

        func endLeft() { one = nil }
    }

    private let pair: Pair

    init() throws { pair = try Pair() }

    @Test(arguments: [Word.proceed, .ready, .hooked])
    func `a word is heard as it was said, both ways`(word: Word) throws {
        try pair.left.say(word)
        try pair.right.say(word)
        #expect(try pair.right.hear() == word)
        #expect(try pair.left.hear() == word)
    }

    @Test func `words are heard one at a time, in their order`() throws {
        try pair.left.say(.proceed)
        try pair.left.say(Failure.refused("late"))
        #expect(try pair.right.hear() == .proceed)
        #expect(throws: Failure.self) { try pair.right.hear() }
    }

    @Test(arguments: [nil, 1, 126, 127, 255] as [Int32?])
    func `a failure is thrown on the other side with its words and its exit status`(status: Int32?) throws {
        var failure = Failure(.kernel(call: "mount", errno: EBUSY)).during("mount tmpfs on \"/é\"")
        failure.exitStatus = status
        try pair.left.say(failure)
        let heard = #expect(throws: Failure.self) { try pair.right.hear() }
        #expect(heard?.message == failure.message)
        #expect(heard?.exitStatus == status)
    }

    @Test func `a failure of many words is cut, not refused`() throws {
        try pair.left.say(Failure.refused(String(repeating: "x", count: 100_000)))
        let heard = #expect(throws: Failure.self) { try pair.right.hear() }
        #expect(heard?.message == String(repeating: "x", count: 8190))
    }

    @Test func `a failure without words is one`() throws {
        try pair.left.say(Failure.refused(""))
        #expect(throws: Failure.self) { try pair.right.hear() }
    }

    @Test func `the end of the other side is no word`() throws {
        try pair.left.say(.proceed)
        pair.endLeft()
        #expect(try pair.right.hear() == .proceed)
        #expect(try pair.right.hear() == nil)
        #expect(try pair.right.hear() == nil)
    }

    @Test func `a side that ends with words unread ends all the same`() throws {
        try pair.right.say(.proceed)
        pair.endLeft()
        #expect(try pair.right.next() == [])
    }

    @Test func `what a side said last is heard behind its end, though our word was not`() throws {
        try pair.right.say(.proceed)
        try pair.left.say(Failure.refused("last words"))
        pair.endLeft()
        try pair.right.say(.proceed)
        let heard = #expect(throws: Failure.self) { try pair.right.hear() }
        #expect(heard?.message == "last words")
        #expect(try pair.right.hear() == nil)
    }

    @Test func `a word for a side that is gone is lost, and no failure`() throws {
        pair.endLeft()
        try pair.right.say(.proceed)
        #expect(try pair.right.hear() == nil)
    }

    @Test func `a byte that is no word is none`() throws {
        #expect(write(pair.left.socket, "?", 1) == 1)
        #expect(try pair.right.hear() == nil)
    }
}
