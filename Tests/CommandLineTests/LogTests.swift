import JSON
import Kernel
import Testing

@testable import CommandLine

private let moment = Moment(nanoseconds: 1_795_368_740_123_456_789)

struct LogTests {
    @Test func `a text line has logrus' form, and whole seconds`() {
        let line = Log.line(.error, "container does not exist", format: .text, at: moment)
        #expect(line == "time=\"2026-11-22T17:32:20Z\" level=error msg=\"container does not exist\"\n")
    }

    @Test(arguments: [
        ("plain-._/@^+1", "plain-._/@^+1"), ("", ""), ("a b", "\"a b\""), ("say \"x\"", "\"say \\\"x\\\"\""),
        ("a\nb\t\u{1}\u{7f}\\", "\"a\\nb\\t\\x01\\x7f\\\\\""), ("ü", "\"ü\""), ("a=b", "\"a=b\""),
    ])
    func `a message is quoted where logrus quotes it`(message: String, want: String) {
        let line = Log.line(.debug, message, format: .text, at: moment)
        #expect(line == "time=\"2026-11-22T17:32:20Z\" level=debug msg=\(want)\n")
    }

    @Test func `a JSON line is one object of level, msg and time`() throws {
        let line = Log.line(.error, "open \"x\":\nno", format: .json, at: moment)
        let want = #"{"level":"error","msg":"open \"x\":\nno","time":"2026-11-22T17:32:20Z"}"#
        #expect(line == want + "\n")
        #expect(try JSON.parse(Array(line.utf8))["msg"] == "open \"x\":\nno")
    }

    @Test(arguments: [("say \"x\" \\ ü", "say \"x\" \\ ü"), ("a\nb\u{1b}[1m\t", "a\\nb\\x1b[1m\\t")])
    func `a message for people stays on one line`(message: String, want: String) {
        #expect(Log.onOneLine(message) == want)
    }
}
