internal import CKernel

/// Why something did not work: one cause, and the trail of what was being attempted, innermost first.
///
/// Library code throws it and grows the trail; only the command line prints it.
public struct Failure: Error, Sendable, Equatable {
    /// The innermost reason.
    public enum Cause: Sendable, Equatable {
        /// A system call answered `errno`.
        case kernel(call: String, errno: Int32)
        /// A document says something that mrun cannot do; `at` is a JSON pointer.
        case document(at: String, String)
        /// The request does not fit the state of things; the text stands alone.
        case refused(String)
    }

    /// The innermost reason.
    public let cause: Cause
    /// What was being attempted, innermost first.
    public private(set) var trail: [String] = []
    /// Exit status that the command line gives, where the contract with clients asks for a certain one.
    public var exitStatus: Int32?

    /// A failure without a trail yet.
    public init(_ cause: Cause, exitStatus: Int32? = nil) {
        self.cause = cause
        self.exitStatus = exitStatus
    }

    /// A request that cannot be met, in words.
    public static func refused(_ reason: String) -> Failure { Failure(.refused(reason)) }

    /// The same failure, with one more level of what was being attempted.
    public func during(_ what: String) -> Failure {
        var failure = self
        failure.trail.append(what)
        return failure
    }

    /// The errno of the cause; `nil` when no system call is to blame.
    public var errno: Int32? {
        guard case .kernel(_, let errno) = cause else { return nil }
        return errno
    }

    /// One line: what was attempted, outermost first, then the reason in the kernel's words.
    public var message: String {
        (trail.reversed() + [reason]).joined(separator: ": ")
    }

    private var reason: String {
        switch cause {
        case .kernel(let call, let errno): "\(call): \(errorText(errno))"
        case .document(let pointer, let reason): pointer.isEmpty ? reason : "\(pointer): \(reason)"
        case .refused(let reason): reason
        }
    }
}

/// The kernel's words for an errno, as strerror(3) gives them.
package func errorText(_ errno: Int32) -> String { String(cString: sys_error_text(errno)) }

/// Runs `body`; a failure gets `what` added to its trail.
package func attempting<T: ~Copyable>(
    _ what: @autoclosure () -> String, _ body: () throws(Failure) -> T
) throws(Failure) -> T {
    do { return try body() } catch { throw error.during(what()) }
}

/// Turns the answer of a CKernel call (≥ 0, or −errno) into a value or a failure.
@discardableResult
package func checked(_ call: @autoclosure () -> String, _ answer: Int) throws(Failure) -> Int {
    guard answer < 0 else { return answer }
    throw Failure(.kernel(call: call(), errno: Int32(truncatingIfNeeded: -answer)))
}
