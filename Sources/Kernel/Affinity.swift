internal import CKernel

/// The processors that this thread, and the children it makes, may run on.
package struct Affinity: Sendable, Equatable {
    /// Bit n of all words in a row is processor n.
    package let words: [UInt64]

    package init(words: [UInt64]) { self.words = words }

    /// What it is now.
    package static func current() throws(Failure) -> Affinity {
        // Room for 8192 processors, more than any kernel is built for.
        var words = [UInt64](repeating: 0, count: 128)
        let filled = try checked("sched_getaffinity", sys_get_affinity(&words, UInt32(words.count)))
        return Affinity(words: Array(words[..<filled]))
    }

    /// Makes it so.
    package func take() throws(Failure) {
        try checked("sched_setaffinity", sys_set_affinity(words, UInt32(words.count)))
    }
}
