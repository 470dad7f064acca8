import JSON
import Kernel
import Testing

private func parse(_ text: String) throws -> JSON { try JSON.parse(Array(text.utf8)) }

private func refusal(_ text: String) -> String {
    let failure = #expect(throws: Failure.self, "\(text)") { try parse(text) }
    return failure?.message ?? ""
}

struct ParserTests {
    @Test(
        arguments: [
            ("null ", .null), ("[true,false,null]", .array([true, false, .null])), ("\"x\"", "x"),
            ("12 ", 12),
            ("{}", .object([])), ("[]", .array([])), ("[-0]", .array([0])),
            ("\t{ \"b\" : 1 ,\n\"a\":[ ] }\r\n", .object([.init("b", 1), .init("a", .array([]))])),
            ("[9223372036854775807]", .array([.integer(.max)])),
            ("[-9223372036854775808]", .array([.integer(.min)])),
            ("[9223372036854775808]", .array([.unsigned(1 << 63)])),
            ("[18446744073709551615]", .array([.unsigned(.max)])),
            ("[1.5,1e2,-2E-1,1.0]", .array([.double(1.5), .double(100), .double(-0.2), .double(1)])),
            ("{\"\":{\"\":\"\"}}", .object([.init("", .object([.init("", "")]))])),
        ] as [(String, JSON)])
    func `a document becomes a value, its members in their order`(text: String, want: JSON) throws {
        #expect(try parse(text) == want)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\ud83d\ude00""#, "😀"), ("\"é😀\u{7f}\"", "é😀\u{7f}"), (#""\u0001""#, "\u{1}"),
    ])
    func `escapes mean their characters`(text: String, want: String) throws {
        #expect(try parse(text) == .string(want))
    }

    @Test(arguments: ["\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\""])
    func `half of a surrogate pair becomes the replacement character`(text: String) throws {
        guard case .string(let string) = try parse(text) else {
            Issue.record("no string")
            return
        }
        #expect(string.hasPrefix("\u{fffd}"))
    }

    @Test func `an empty document is refused`() {
        #expect(refusal("") == "the document is empty")
    }

    @Test(arguments: [
        "{", "[", "\"", "\"a", "[1,", "[1", "{\"a\"", "{\"a\":", "{\"a\":1", "tru", "nul", " ", "\n", "[[]",
        "{\"a\":{}", "[\"\\u00", "[\"\\", "null", "true", "12",
    ])
    func `a document that stops half-way is refused`(text: String) {
        #expect(refusal(text) == "the document ends too early")
    }

    @Test(arguments: [
        "{} x", "{}{}", "[] []", "{}\n\n1", "null x", "{}]", "{}/* */", "{}//", "{},",
    ])
    func `text after the document is refused`(text: String) {
        #expect(refusal(text).hasPrefix("line "))
    }

    @Test func `bytes after the document are refused, blanks are not`() throws {
        for bytes: [UInt8] in [[0], [32, 0], [10, 0xff], [0x0e]] {
            #expect(throws: Failure.self) { try JSON.parse(Array("{}".utf8) + bytes) }
        }
        #expect(try parse("{} \t\r\n\n") == .object([]))
    }

    @Test(arguments: [
        "{\"a\":1,}", "[1,]", "[,1]", "[1 2]", "{\"a\" 1}", "{a:1}", "{\"a\":'b'}", "{\"a\":}", "[TRUE]",
        "{'a':1}",
        "[True]", "[NULL]", "[nan]", "/**/{}", "[1,/**/2]", "[01]", "[-01]", "[+1]", "[.5]", "[-]", "[1e]",
        "[1e+]", "[0x10]", "[1.2.3]", "[--1]", "[\"\\q\"]", "[\"\\u12g4\"]", "[tru]", "]", "}", ":", ",",
        "\u{feff}{}",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(!refusal(text).isEmpty)
    }

    @Test(
        arguments: [
            [0xff], [0xc3], [0xc3, 0x28], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80],
        ] as [[UInt8]])
    func `bytes that are no UTF-8 are refused, in values and in names`(bytes: [UInt8]) {
        for (before, after) in [("[\"", "\"]"), ("{\"", "\":1}")] {
            #expect(throws: Failure.self) {
                try JSON.parse(Array(before.utf8) + bytes + Array(after.utf8))
            }
        }
    }

    @Test func `an escaped NUL in a string is refused`() {
        #expect(refusal("{\"a\":[\"x\\u0000y\"]}") == "line 1, column 7: the string holds a NUL")
        #expect(refusal("{\"a\":\"\u{0}\"}") != "")
    }

    @Test(arguments: ["{\"a\\u0000b\":1}", "[{\"\\u0000\":1}]", "{\"a\":1,\"a\\u0000b\":2}"])
    func `an escaped NUL in a name is refused, not taken for its end`(text: String) {
        #expect(refusal(text).hasSuffix("the string holds a NUL"))
    }

    @Test(arguments: [
        ("{\"a\":1,\"a\":1}", "a", 8), ("{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "b", 19),
        ("[{\"a\":1},{\"a\":1,\"a\" :2}]", "a", 17), ("{\"a\":1,\"\\u0061\":2}", "a", 8),
        ("{\"\\u0061\":1,\"b\":[{}],\"a\":2}", "a", 22), ("{\"\":1,\"\":2}", "", 7),
        ("{\"x\\\"\":1,\"x\\\"\":2}", "x\"", 10), ("{\"a\":null,\"a\":1}", "a", 11),
    ])
    func `a member that is there twice is refused with its place`(text: String, name: String, column: Int) {
        #expect(refusal(text) == "line 1, column \(column): \"\(name)\" is given twice")
    }

    @Test(arguments: [
        "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "[{\"a\":1},{\"a\":1}]", "{\"a\":\"a\",\"b\":\"a\"}",
        "{\"a\":[\"a\",\"a\"]}", "{\"a:\":1,\"a\":2}", "{\"a\":1,\"A\":2}", "{\"\u{e9}\":1,\"e\u{301}\":2}",
        "{\"a\":\"{\\\"b\\\":1,\\\"b\\\":2}\"}", "{\"a\\\\\":1,\"a\":2}",
    ])
    func `the same name in another object, in a text, or in other bytes is another member`(text: String)
        throws
    {
        _ = try parse(text)
    }

    @Test(arguments: [
        "[18446744073709551616]", "[99999999999999999999]", "[-9223372036854775809]",
        "{\"a\":-99999999999999999999}",
    ])
    func `a whole number that does not fit 64 bits is refused, not bent`(text: String) {
        #expect(refusal(text).hasSuffix("the number does not fit 64 bits"))
    }

    @Test func `a number with a fraction or an exponent may be large, and digits in a string are no number`()
        throws
    {
        #expect(try parse("[1e19]") == .array([.double(1e19)]))
        #expect(try parse("[99999999999999999999.5]") == .array([.double(99999999999999999999.5)]))
        #expect(try parse("[\"99999999999999999999\"]") == .array(["99999999999999999999"]))
    }

    @Test(arguments: ["[\"a\nb\"]", "[\"\t\"]", "{\"a\u{1}\":1}", "[\"\u{1f}\"]"])
    func `a raw control character in a string is refused`(text: String) {
        #expect(refusal(text).hasSuffix("a control character in a string must be escaped"))
    }

    @Test(arguments: [("[", "]"), ("{\"a\":", "}")])
    func `128 levels are read, and one more is refused`(open: String, close: String) throws {
        func nested(_ levels: Int) -> String {
            String(repeating: open, count: levels - 1) + (open == "[" ? "[]" : "{}")
                + String(repeating: close, count: levels - 1)
        }
        _ = try parse(nested(128))
        #expect(refusal(nested(129)).hasSuffix("nesting too deep"))
        #expect(refusal(nested(100_000)).hasSuffix("nesting too deep"))
    }

    @Test(arguments: ["[NaN]", "[Infinity]", "[-Infinity]", "[1e400]", "[-1e400]"])
    func `a number that is not finite is refused`(text: String) {
        #expect(refusal(text) == "/0: the number is not finite")
    }

    @Test(arguments: [
        ("{\"a\":1,}", "line 1, column 8: "), ("{\n \"a\": x\n}", "line 2, column 7: "),
        ("[\n\n\n  1 2]", "line 4, column 5: "), ("\n\n}", "line 3, column 1: "),
        ("{}\n  x", "line 2, column 3: "),
        ("[\"é\", x]", "line 1, column 8: "),
    ])
    func `a syntax error is told with line and column, counted in bytes`(text: String, want: String) {
        #expect(refusal(text).hasPrefix(want), "\(refusal(text))")
    }
}

extension ParserTests {
    /// What fuzzers find: any cut or flipped byte must be refused or read, never crash.
    @Test func `every beginning of a document is refused`() throws {
        let whole = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":{}}}"#.utf8)
        _ = try JSON.parse(whole)
        for end in 0..<whole.count {
            #expect(throws: Failure.self) { try JSON.parse(Array(whole[..<end])) }
        }
    }

    @Test func `a document with any byte changed is refused or read as a value that prints again`() throws {
        let whole = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":{}}}"#.utf8)
        for at in whole.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = whole
                changed[at] = byte
                guard let value = try? JSON.parse(changed) else { continue }
                #expect(try parse(value.text()) == value)
            }
        }
    }
}
