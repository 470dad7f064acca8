internal import CKernel
internal import Glibc
internal import Kernel

/// What the creating process and its child say to each other over one socket pair, a message at a time.
///
///     child                    parent
///     mounts                   makes the cgroups, writes the record
///                      <-      proceed
///     moves itself into the cgroups (on v2 it was born there), pivots
///     exec of mrun-init: the child's end passes to it, and it reports there
///     (or failed)      ->
///
/// With hooks in `create`, and only then, there are more:
///
///                      <-      proceed, before the record says `created`
///     mounts, moves
///     ready            ->
///                              prestart, createRuntime
///                      <-      hooked
///     createContainer
///     hooked           ->
///
/// Where a user namespace and existing namespaces come together, `entered` and `mapped` go to and fro after `proceed`.
///
/// Else one word only: on a machine whose cores sleep in between, each costs a wake-up. Either side's end of the stream
/// means that the other one has died: the child then exits, the parent cleans up.
enum Word: UInt8 {
    case proceed = 80  // P
    case failed = 70  // F
    case ready = 82  // R
    case hooked = 72  // H
    /// The child is in its user namespace, which has no maps yet.
    case entered = 69  // E
    case mapped = 77  // M
}

/// One side of the conversation; the descriptor belongs to the `Launch`.
struct Conversation {
    let socket: Int32

    /// Where the other side is gone already, what it said last tells why: that is for `hear`.
    func say(_ word: Word) throws(Failure) {
        var byte = word.rawValue
        let answer = sys_write(socket, &byte, 1)
        if answer == -Int(EPIPE) || answer == -Int(ECONNRESET) { return }
        try checked("tell \(word)", answer)
    }

    /// Tells that `pid`, a child of the other side, is in its user namespace.
    func say(entered pid: Int32) throws(Failure) {
        var message = [Word.entered.rawValue]
        withUnsafeBytes(of: pid) { message += $0 }
        try checked("tell entered", sys_write(socket, &message, message.count))
    }

    /// Waits for `entered`.
    ///
    /// - Returns: the pid that was told with it, 0 where there was none; `nil` at the end of the stream.
    func hearEntered() throws(Failure) -> Int32? {
        let message = try next()
        guard message.first == Word.entered.rawValue else { return nil }
        guard message.count == 5 else { return 0 }
        return message[1...].withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
    }

    /// Tells a failure: its exit status, then the words.
    func say(_ failure: Failure) throws(Failure) {
        let status = UInt8(truncatingIfNeeded: failure.exitStatus ?? 0)
        let bytes =
            [Word.failed.rawValue, status] + Array(failure.message.utf8.prefix(Conversation.limit - 2))
        let answer = bytes.withUnsafeBytes { buffer in
            buffer.baseAddress.map { sys_write(socket, $0, buffer.count) } ?? 0
        }
        try checked("tell a failure", answer)
    }

    /// Waits for a word.
    ///
    /// - Returns: `nil` at the end of the stream.
    /// - Throws: what the other side says has failed.
    func hear() throws(Failure) -> Word? {
        let message = try next()
        return message.first.flatMap(Word.init(rawValue:))
    }

    /// Waits for a message of any kind; empty at the end of the stream.
    ///
    /// A told failure is thrown.
    func next() throws(Failure) -> [UInt8] {
        var sender: Int32 = 0
        return try next(from: &sender)
    }

    /// The same, with the pid of who has said it; 0 unless the socket was asked to tell (`sys_tell_senders`).
    func next(from sender: inout Int32) throws(Failure) -> [UInt8] {
        var answer = 0
        var pid: Int32 = 0
        let message = [UInt8](unsafeUninitializedCapacity: Conversation.limit) { buffer, filled in
            guard let start = buffer.baseAddress else { return }
            // A peer that died with our word unread resets the connection, once; its own last words are behind that.
            var resets = 0
            repeat {
                answer = sys_receive(socket, start, buffer.count, &pid)
                if answer == -Int(ECONNRESET) { resets += 1 }
            } while answer == -Int(EINTR) || answer == -Int(ECONNRESET) && resets < 2
            filled = max(0, answer)
        }
        sender = pid
        if answer == -Int(ECONNRESET) { return [] }
        try checked("hear", answer)
        guard message.first == Word.failed.rawValue else { return message }
        let status = message.count > 1 ? Int32(message[1]) : 0
        throw Failure(
            .refused(String(decoding: message.dropFirst(2), as: UTF8.self)),
            exitStatus: status == 0 ? nil : status)
    }

    private static let limit = 8192
}
