import JSON
import Kernel
import Testing

private func extent(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    guard let extent = JSON.extent(of: "seccomp", in: "linux", bytes) else { return nil }
    return String(decoding: bytes[extent], as: UTF8.self)
}

struct ExtentTests {
    @Test(arguments: [
        (#"{"linux":{"seccomp":{}}}"#, "{}"),
        (
            #" { "a" : [ "linux" , {"linux":{"seccomp":{"no":1}}} ] , "linux" : { "x" : 1 , "seccomp" : {"y":[{}]} , "z":2} } "#,
            #"{"y":[{}]}"#
        ),
        (
            #"{"linux":{"a":"}{\"","b":"\\","seccomp":{"c":"}}\"]","d":"\\\\"},"e":1}}"#,
            #"{"c":"}}\"]","d":"\\\\"}"#
        ),
        (#"{"seccomp":{"wrong":1},"linux":{"seccomp":{"right":1}}}"#, #"{"right":1}"#),
        (#"{"linuxx":{"seccomp":{"a":1}},"linux":{"seccom":{},"seccomp":{"b":-1.5e3}}}"#, #"{"b":-1.5e3}"#),
        ("{\"n\":null,\"t\":true,\"linux\":{\n\"seccomp\"\n:\n{\n}\n}}", "{\n}"),
    ])
    func `the object is found where it stands`(text: String, want: String) {
        #expect(extent(text) == want)
    }

    @Test(arguments: [
        "", "[]", "{", "{}", #"{"linux":{}}"#, #"{"linux":{"seccomp":null}}"#, #"{"linux":{"seccomp":[{}]}}"#,
        #"{"linux":[{"seccomp":{}}]}"#, #"{"l\u0069nux":{"seccomp":{}}}"#, #"{"linux":{"seccomp":{"#,
        #"{"linux":{"seccomp":{"a":"}"#, #"{"linux":{"a":{"seccomp":{}}}}"#, #"{"linux":{"seccomp" {}}}"#,
        #"{"linux":{"a":1 "seccomp":{}}}"#, #"{"annotations":{"linux":{"seccomp":{}}}}"#,
        #"{linux:{seccomp:{}}}"#,
        "{\"linux\":{\"a\":\"\\", #"{"a":"#,
    ])
    func `where there is none, or the document is broken before it, there is no answer`(text: String) {
        #expect(extent(text) == nil)
    }

    @Test func `a document read without it has a null there, and is the same otherwise`() throws {
        let text = #"{"a":[1,{"b":"}"}],"linux":{"c":2,"seccomp":{"d":[{},"\"}"]},"e":{}},"f":null}"#
        let bytes = Array(text.utf8)
        let extent = try #require(JSON.extent(of: "seccomp", in: "linux", bytes))
        let rest = try JSON.parse(bytes, without: extent)
        #expect(rest.text() == #"{"a":[1,{"b":"}"}],"linux":{"c":2,"seccomp":null,"e":{}},"f":null}"#)
        #expect(try JSON.parse(Array(bytes[extent])) == JSON.parse(bytes)["linux"]?["seccomp"])
    }

    @Test(arguments: [
        (
            #"{"linux":{"seccomp":{"a":1},"seccomp":{"a":1}}}"#,
            "line 1, column 29: \"seccomp\" is given twice"
        ),
        (
            #"{"linux":{"seccomp":{"a":1}},"linux":{"seccomp":{"a":1}}}"#,
            "line 1, column 30: \"linux\" is given twice"
        ),
        (
            "{\"linux\":{\"seccomp\":{\"a\":\n[\n1]}},\n\"x\":01}",
            "line 4, column 7: a number begins with a superfluous zero"
        ),
        (
            "{\"linux\":{\"seccomp\":{\"a\":1}\n,,}}",
            "line 2, column 2: object property name separator ':' expected"
        ),
    ])
    func `what is wrong around it is told with its own place`(text: String, want: String) throws {
        let bytes = Array(text.utf8)
        let extent = try #require(JSON.extent(of: "seccomp", in: "linux", bytes))
        let whole = #expect(throws: Failure.self) { try JSON.parse(bytes) }
        let rest = #expect(throws: Failure.self) { try JSON.parse(bytes, without: extent) }
        #expect(rest?.message == whole?.message)
        #expect(rest?.message.prefix(16) == want.prefix(16))
    }

    /// Whatever is cut out of a document or put into it: the two parts are accepted only if the whole is.
    @Test func `the parts of a broken document are not accepted where the whole is refused`() throws {
        let text =
            #"{"a":"\"","linux":{"c":[{"x":"}"}],"seccomp":{"d":[{"e":"\\"},"\"}"],"f":-1},"g":{}},"h":"{"}"#
        let good = Array(text.utf8)
        var generator = SystemRandomNumberGenerator()
        let pieces = Array(#"{}[]",:\ 1a"#.utf8)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: at)
                case 1: bytes.insert(pieces.randomElement(using: &generator) ?? 0, at: at)
                default: bytes[at] = pieces.randomElement(using: &generator) ?? 0
                }
            }
            guard let extent = JSON.extent(of: "seccomp", in: "linux", bytes), extent.count >= 4,
                let rest = try? JSON.parse(bytes, without: extent),
                let part = try? JSON.parse(Array(bytes[extent]))
            else { continue }
            accepted += 1
            let whole = try? JSON.parse(bytes)
            #expect(whole != nil, "\(String(decoding: bytes, as: UTF8.self))")
            #expect(whole?["linux"]?["seccomp"] == part)
            #expect(rest["linux"]?["seccomp"] == .null)
        }
        #expect(accepted > 100)
    }
}
