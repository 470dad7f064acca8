import Glibc
import Kernel
import Testing

struct FailureTests {
    @Test(arguments: [
        (Failure(.kernel(call: "open \"/x\"", errno: ENOENT)), "open \"/x\": No such file or directory"),
        (Failure(.kernel(call: "clone3", errno: EPERM)), "clone3: Operation not permitted"),
        (Failure(.kernel(call: "clone3", errno: 9999)), "clone3: unknown error"),
        (
            Failure(.document(at: "/process/args", "args must not be empty")),
            "/process/args: args must not be empty"
        ),
        (Failure(.document(at: "", "the document is empty")), "the document is empty"),
        (.refused("container \"a\" does not exist"), "container \"a\" does not exist"),
    ])
    func `a failure tells its reason in one line`(failure: Failure, want: String) {
        #expect(failure.message == want)
    }

    @Test func `the trail stands before the reason, outermost first`() {
        let failure = Failure(.kernel(call: "mount", errno: EBUSY)).during("inner").during("outer")
        #expect(failure.trail == ["inner", "outer"])
        #expect(failure.message == "outer: inner: mount: Device or resource busy")
    }

    @Test func `a longer trail changes neither the cause nor the exit status nor the original`() {
        let original = Failure(.refused("no"), exitStatus: 126)
        let longer = original.during("exec failed")
        #expect(longer.cause == original.cause)
        #expect(longer.exitStatus == 126)
        #expect(original.trail.isEmpty)
        #expect(longer != original)
    }

    @Test func `only a system call has an errno`() {
        #expect(Failure(.kernel(call: "mount", errno: EBUSY)).during("x").errno == EBUSY)
        #expect(Failure.refused("no").errno == nil)
        #expect(Failure(.document(at: "/a", "no")).errno == nil)
    }

    @Test(arguments: [0, 1, Int.max])
    func `an answer that is not negative is a value`(answer: Int) throws {
        #expect(try checked("call", answer) == answer)
    }

    @Test(arguments: [EPERM, ENOENT, EOVERFLOW, 4095])
    func `a negative answer is the errno`(errno: Int32) {
        let failure = #expect(throws: Failure.self) { try checked("call", -Int(errno)) }
        #expect(failure == Failure(.kernel(call: "call", errno: errno)))
    }

    @Test func `what was attempted is put into words only when it fails`() throws {
        var asked = 0
        func words() -> String {
            asked += 1
            return "attempt"
        }
        #expect(try attempting(words()) { () throws(Failure) in 7 } == 7)
        #expect(asked == 0)
        let failure = #expect(throws: Failure.self) {
            try attempting(words()) { () throws(Failure) in throw .refused("no") }
        }
        #expect(failure?.message == "attempt: no")
        #expect(asked == 1)
    }
}
