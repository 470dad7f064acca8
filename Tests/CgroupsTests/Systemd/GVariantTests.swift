import Kernel
import OCI
import Testing

@testable import Cgroups

struct `Values in GVariant's text form` {
    static let good: [(String, BusValue)] = [
        ("true", .bool(true)), (" false ", .bool(false)), ("5", .int32(5)), ("-5", .int32(-5)),
        ("0x1f", .int32(31)),
        ("1.5", .double(1.5)), ("'a b'", .string("a b")), ("\"it's\"", .string("it's")),
        (#"'it\'s\\'"#, .string(#"it's\"#)),
        (#"'a\nb'"#, .string("a\nb")), ("uint64 5", .uint64(5)), ("int64 -5", .int64(-5)),
        ("byte 0xff", .byte(255)),
        ("uint64 18446744073709551615", .uint64(UInt64.max)), ("@t 7", .uint64(7)), ("uint32 7", .uint32(7)),
        ("objectpath '/a'", .objectPath("/a")), ("signature 'as'", .signature("as")),
        ("double 2", .double(2)),
        ("['a', 'b']", .array(of: "s", [.string("a"), .string("b")])), ("@as []", .array(of: "s", [])),
        ("[1,2]", .array(of: "i", [.int32(1), .int32(2)])),
        ("@at [1, 2]", .array(of: "t", [.uint64(1), .uint64(2)])),
        ("[uint64 1, 2]", .array(of: "t", [.uint64(1), .uint64(2)])),
        ("('a', 5)", .structure([.string("a"), .int32(5)])),
        ("[('/dev/null', 'rw')]", .array(of: "(ss)", [.structure([.string("/dev/null"), .string("rw")])])),
        ("@a(st) [('a', 5)]", .array(of: "(st)", [.structure([.string("a"), .uint64(5)])])),
        ("[['a'], []]", .array(of: "as", [.array(of: "s", [.string("a")]), .array(of: "s", [])])),
        ("@a(ss) []", .array(of: "(ss)", [])),
    ]

    @Test(arguments: good.indices)
    func `are read`(_ index: Int) throws {
        #expect(try GVariantText.value(Self.good[index].0) == Self.good[index].1)
    }

    @Test(arguments: [
        "", " ", "x", "'a", "'a\\", "[", "[1", "[1,", "[1 2]", "[]", "(", "()", "(1", "1 2", "'a' 'b'",
        "99999999999", "uint64 -1",
        "byte 256", "@", "@z 1", "@a 1", "@as 5", "@s 5", "@t 'a'", "@a(s", "@(ss) ('a')", "@(s) ('a', 'b')",
        "[1, 'a']",
        "uint64", "uint64 uint64", "<5>", "{'a': 1}", "nothing", "just 5", "-", "0x", "1e", "'\\u0041'",
        "'\u{0}'", "objectpath 'a'",
        "[[[[[[[[[[1]]]]]]]]]]", "@@@@@@@@@@@@s 'a'", "]", ")", ",", "@as ['a', 5]", "true false", "@i true",
        String(repeating: "[", count: 100_000), String(repeating: "@t ", count: 1000), "@(()) ('a')",
        "@ass ['a']",
    ])
    func `that are none are refused`(_ text: String) {
        #expect(throws: Failure.self) { try GVariantText.value(text) }
    }

    @Test func `annotations become properties, seconds microseconds`() throws {
        func all(_ name: String, _ value: String) throws(Failure) -> [BusProperty] {
            try AnnotatedProperties.all([
                Annotation("other", "x"), Annotation("org.systemd.property." + name, value),
            ])
        }
        #expect(try all("CollectMode", "'inactive'") == [BusProperty("CollectMode", .string("inactive"))])
        #expect(try all("TimeoutStopUSec", "uint64 5") == [BusProperty("TimeoutStopUSec", .uint64(5))])
        #expect(try all("TimeoutStopSec", "5") == [BusProperty("TimeoutStopUSec", .uint64(5_000_000))])
        #expect(try all("TimeoutStopSec", "1.5") == [BusProperty("TimeoutStopUSec", .uint64(1_500_000))])
        for (name, value) in [
            ("TimeoutStopSec", "-5"), ("TimeoutStopSec", "'5'"),
            ("TimeoutStopSec", "uint64 18446744073709551615"),
            ("TimeoutStopSec", "1e300"), ("TimeoutStopSec", "nan"), ("ab", "5"), ("Collect-Mode", "5"),
            ("", "5"),
            ("Description", "'x'"), ("PIDs", "[uint32 1]"), ("Slice", "'a.slice'"), ("CollectMode", "x"),
        ] {
            #expect(throws: Failure.self) { try all(name, value) }
        }
    }
}
