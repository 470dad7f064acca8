import JSON
import Kernel
import Testing

private let everything: JSON = .object([
    .init("z", .null), .init("a", .array([true, false, 0, -1, .integer(.min), .unsigned(.max)])),
    .init("text", "\"\\/\n\r\t\u{0}\u{1}\u{1f}\u{7f}é😀\u{2028}"),
    .init("numbers", .array([.double(0.1), .double(-1e300), .double(.leastNormalMagnitude)])),
    .init("objects", .array([.object([]), .object([.init("k/~", "v")])])),
    .init("empty", .array([])), .init("", ""),
])

struct WriterTests {
    @Test(
        arguments: [
            (.null, "null"), (true, "true"), (false, "false"), (-5, "-5"),
            (.unsigned(.max), "18446744073709551615"),
            (.double(1024), "1024.0"), (.double(0.1), "0.1"), (.double(.infinity), "null"),
            (.double(.nan), "null"),
            ("", "\"\""), (.array([]), "[]"), (.object([]), "{}"),
            (.array([1, "a", .array([])]), "[1,\"a\",[]]"),
            (.object([.init("b", 1), .init("a", 2)]), "{\"b\":1,\"a\":2}"),
            ("\"\\\n\r\t\u{8}\u{1f}\u{7f}/é", #""\"\\\n\r\t\u0008\u001f\u007f/é""#),
        ] as [(JSON, String)])
    func `a value is written on one line`(value: JSON, want: String) {
        #expect(value.text() == want)
    }

    @Test func `indented, every member has its line, and plain lists keep theirs`() {
        let value: JSON = .object([
            .init("args", .array(["a", "b"])), .init("empty", .object([])), .init("none", .array([])),
            .init("list", .array([.object([.init("x", 1)]), .object([])])),
        ])
        #expect(
            value.text(indent: 2) == """
                {
                  "args": ["a", "b"],
                  "empty": {},
                  "none": [],
                  "list": [
                    {
                      "x": 1
                    },
                    {}
                  ]
                }
                """)
    }

    @Test(arguments: [nil, 0, 1, 4] as [Int?])
    func `what is written is read as the same value`(indent: Int?) throws {
        var members: [JSON.Member] = []
        // NUL may be written, it may not be read.
        if case .object(let all) = everything { members = all.filter { $0.name != "text" } }
        members.append(.init("text", "\"\\/\n\r\t\u{1}\u{1f}\u{7f}é😀\u{2028}"))
        let value = JSON.object(members)
        #expect(try JSON.parse(Array(value.text(indent: indent).utf8)) == value)
    }

    @Test func `the same value is the same text every time, whatever made it`() throws {
        let text = everything.text()
        for _ in 0..<20 { #expect(everything.text() == text) }
        let plain = #"{"z":1,"y":{"b":2,"a":3},"x":[{"d":4,"c":5}]}"#
        #expect(try JSON.parse(Array(plain.utf8)).text() == plain)
    }

    @Test func `a carriage return before a line feed is written as two escapes`() throws {
        #expect(JSON.string("a\r\nb").text() == #""a\r\nb""#)
    }

    @Test func `members without a value are left out, null is kept`() {
        let value = JSON.object(["a": nil, "b": .null, "c": 1])
        #expect(value.text() == #"{"b":null,"c":1}"#)
        #expect(value["c"] == 1)
        #expect(value["a"] == nil)
        #expect(JSON.array([])["a"] == nil)
    }
}
