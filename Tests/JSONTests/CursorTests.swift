import JSON
import Kernel
import Testing

private let document: JSON = .object([
    .init("name", "web"), .init("count", 3), .init("negative", -1), .init("nothing", .null),
    .init("list", .array(["a", 2])), .init("map", .object([.init("x/y", "1"), .init("m~n", 5)])),
    .init("flag", true), .init("whole", .double(1024)), .init("half", .double(0.5)),
    .init("big", .unsigned(.max)), .init("", .object([.init("", 1)])),
])

private enum Colour: String { case red, green }

private func message<T>(_ body: (Cursor) throws(Failure) -> T) -> String {
    do throws(Failure) {
        _ = try body(Cursor(document))
        Issue.record("nothing was thrown")
        return ""
    } catch { return error.message }
}

struct CursorPointerTests {
    @Test(arguments: [
        ("", ""), ("a", "a"), ("a/b", "a~1b"), ("a~b", "a~0b"), ("~1", "~01"), ("/", "~1"), ("~/~", "~0~1~0"),
        ("é", "é"),
    ])
    func `slashes and tildes are escaped in a pointer`(token: String, want: String) {
        #expect(Cursor.escaped(token) == want)
    }

    @Test func `members, elements and empty names add their step to the pointer`() throws {
        let root = Cursor(document)
        #expect(root.pointer == "")
        #expect(try root.member("map")?.member("x/y")?.pointer == "/map/x~1y")
        #expect(try root.member("map")?.members().map(\.value.pointer) == ["/map/x~1y", "/map/m~0n"])
        #expect(try root.list("list") { (c) throws(Failure) in c.pointer } == ["/list/0", "/list/1"])
        #expect(try root.member("")?.member("")?.pointer == "//")
        #expect(Cursor(document, at: "/base").pointer == "/base")
    }

    @Test func `every message begins with the pointer`() {
        #expect(Cursor(document, at: "/a/b").failure("no").message == "/a/b: no")
    }
}

struct CursorAccessTests {
    let root = Cursor(document)

    @Test func `a null member is a missing one`() throws {
        #expect(try root.member("nothing") == nil)
        #expect(try root.member("none") == nil)
        #expect(try root.optional("nothing") { (c) throws(Failure) in try c.string() } == nil)
        #expect(try root.list("nothing") { (c) throws(Failure) in try c.string() } == [])
        #expect(
            message { (c) throws(Failure) in try c.required("nothing") { (_) throws(Failure) in 1 } }
                == "\"nothing\" is missing")
    }

    @Test func `what has the right kind is read`() throws {
        #expect(try root.member("name")?.string() == "web")
        #expect(try root.member("flag")?.bool() == true)
        #expect(try root.member("count")?.integer() == 3)
        #expect(try root.member("half")?.double() == 0.5)
        #expect(try root.member("count")?.double() == 3)
        #expect(try root.member("big")?.integer() == UInt64.max)
        #expect(try root.member("big")?.double() == Double(UInt64.max))
    }

    @Test func `a whole number may be written with a fraction of nothing`() throws {
        #expect(try root.member("whole")?.integer() == Int64(1024))
    }

    @Test func `what has another kind is told with both`() {
        #expect(
            message { (c) throws(Failure) in try c.required("count") { (c) throws(Failure) in try c.string() }
            }
                == "/count: expected a string, found a number")
        #expect(
            message { (c) throws(Failure) in try c.required("name") { (c) throws(Failure) in try c.bool() } }
                == "/name: expected a boolean, found a string")
        #expect(
            message { (c) throws(Failure) in try c.required("flag") { (c) throws(Failure) in try c.double() }
            }
                == "/flag: expected a number, found a boolean")
        #expect(
            message { (c) throws(Failure) in try c.required("list") { (c) throws(Failure) in try c.members() }
            }
                == "/list: expected an object, found an array")
        #expect(
            message { (c) throws(Failure) in
                try c.required("map") { (c) throws(Failure) in try c.integer(Int.self) }
            }
                == "/map: expected a whole number, found an object")
        #expect(
            message { (c) throws(Failure) in try c.list("map") { (_) throws(Failure) in 1 } }
                == "/map: expected an array, found an object")
        #expect(
            message { (c) throws(Failure) in try c.list("list") { (c) throws(Failure) in try c.string() } }
                == "/list/1: expected a string, found a number")
        #expect(
            message { (c) throws(Failure) in
                try c.required("map") { (c) throws(Failure) in try c.stringMap() }
            }
                == "/map/m~0n: expected a string, found a number")
        #expect(
            message { (c) throws(Failure) in
                try c.required("name") { (c) throws(Failure) in try c.member("x") }
            }
                == "/name: expected an object, found a string")
    }

    @Test func `a number that does not fit its type is refused with the range`() {
        #expect(
            message { (c) throws(Failure) in
                try c.required("negative") { (c) throws(Failure) in try c.integer(UInt8.self) }
            }
                == "/negative: the number is out of range (0 to 255)")
        #expect(
            message { (c) throws(Failure) in
                try c.required("big") { (c) throws(Failure) in try c.integer(Int64.self) }
            }
                == "/big: the number is out of range (-9223372036854775808 to 9223372036854775807)")
        #expect(
            message { (c) throws(Failure) in
                try c.required("half") { (c) throws(Failure) in try c.integer(Int.self) }
            }
            .hasPrefix("/half: the number is out of range"))
    }

    @Test(arguments: [1e300, -1e300, 9_223_372_036_854_775_808, -0.5])
    func `a number far outside is refused, not trapped on`(number: Double) {
        #expect(throws: Failure.self) { try Cursor(.double(number)).integer(Int64.self) }
    }

    @Test func `a word is one of the words`() throws {
        #expect(try Cursor("red").word(Colour.self) == .red)
        let failure = #expect(throws: Failure.self) { try Cursor("blue", at: "/c").word(Colour.self) }
        #expect(failure?.message == "/c: \"blue\" is unknown")
        #expect(throws: Failure.self) { try Cursor("Red").word(Colour.self) }
    }

    @Test func `what a decoder throws comes through`() {
        #expect(
            message { (c) throws(Failure) in
                try c.optional("name") { (c) throws(Failure) -> Int in throw c.failure("no") }
            } == "/name: no")
    }

    @Test func `a text map keeps its order`() throws {
        let map = Cursor(.object([.init("z", "1"), .init("a", "2")]))
        #expect(try map.stringMap().map(\.name) == ["z", "a"])
    }
}
