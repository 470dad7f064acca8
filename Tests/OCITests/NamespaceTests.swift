import JSON
import Kernel
import Testing

@testable import OCI

/// User, time and network namespaces, and id maps.
struct NamespaceTests {
    private static func line(_ inside: UInt32, _ outside: UInt32, _ size: UInt32) -> IDMapping {
        IDMapping(containerID: inside, hostID: outside, size: size)
    }

    private static func spec(_ linux: String) throws -> Spec {
        let text = """
            {"ociVersion": "1.0.2", "process": {"args": ["true"], "cwd": "/"}, "root": {"path": "rootfs"},
             "linux": {"namespaces": [{"type": "mount"}\(linux)}}
            """
        return try Spec(Cursor(try JSON.parse(Array(text.utf8))))
    }

    private static let maps =
        #"], "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}], "#
        + #""gidMappings": [{"containerID": 0, "hostID": 2000, "size": 5}]"#
    private static let userMaps = #", {"type": "user"}"# + maps

    @Test func `what is decoded is encoded again`() throws {
        let spec = try Self.spec(
            #", {"type": "user"}, {"type": "time"}, {"type": "network"}"# + Self.maps
                + #", "timeOffsets": {"monotonic": {"secs": -5, "nanosecs": 7}}"#
                + #", "netDevices": {"eth0": {"name": "a"}, "b": {}}"#)
        #expect(spec.problems().isEmpty)
        #expect(spec.linux.uidMappings == [Self.line(0, 1000, 10)])
        #expect(spec.linux.timeOffsets.map(\.line) == ["monotonic -5 7\n"])
        #expect(spec.linux.netDevices.map(\.inside) == ["a", "b"])
        #expect(try Spec(Cursor(spec.json)) == spec)
    }

    @Test func `ids are looked up in the lines that hold them`() {
        let map = IDMap([Self.line(0, 1000, 1), Self.line(1, 100_000, 65535), Self.line(4_294_967_290, 7, 4)])
        #expect(map.outside(0) == 1000)
        #expect(map.outside(1) == 100_000)
        #expect(map.outside(65535) == 165_534)
        #expect(map.outside(65536) == nil)
        #expect(map.outside(4_294_967_293) == 10)
        #expect(map.outside(4_294_967_294) == nil)
    }

    @Test func `maps are the same however they are cut into lines`() {
        let whole = IDMap([Self.line(0, 100, 10)])
        #expect(whole.isSame(as: IDMap([Self.line(4, 104, 6), Self.line(0, 100, 4)])))
        #expect(!whole.isSame(as: IDMap([Self.line(0, 100, 4), Self.line(4, 105, 6)])))
        #expect(!whole.isSame(as: IDMap([Self.line(0, 100, 9)])))
        #expect(IDMap(text: "         0        100         10\n").isSame(as: whole))
        #expect(IDMap(text: "junk\n1 2\n").lines.isEmpty)
    }

    @Test func `overlaps are found on either side`() {
        let good = IDMap([Self.line(0, 100, 10), Self.line(10, 200, 10), Self.line(20, 110, 90)])
        #expect(good.problems(at: "/x").isEmpty)
        let inside = IDMap([Self.line(0, 100, 10), Self.line(9, 200, 1)])
        #expect(inside.problems(at: "/x").map(\.message) == ["/x/1: it overlaps mapping 0 in the container"])
        let outside = IDMap([Self.line(100, 0, 10), Self.line(0, 9, 5)])
        #expect(outside.problems(at: "/x").map(\.message) == ["/x/1: it overlaps mapping 0 on the host"])
        let many = IDMap((0..<341).map { Self.line($0, $0, 1) })
        #expect(many.problems(at: "/x").map(\.message) == ["/x: 341 mappings, the kernel takes 340"])
    }

    @Test(
        arguments: [
            (0, 0, 4_294_967_295, true), (1, 0, 4_294_967_295, false), (0, 1, 4_294_967_295, false),
            (4_294_967_294, 0, 1, true), (4_294_967_295, 0, 1, false), (0, 0, 0, false),
        ] as [(Int64, Int64, Int64, Bool)])
    func `a line ends at the last id`(inside: Int64, outside: Int64, size: Int64, isGood: Bool) {
        let value = JSON.object(
            ["containerID": .integer(inside), "hostID": .integer(outside), "size": .integer(size)])
        let line: IDMapping?
        do throws(Failure) { line = try IDMapping(Cursor(value)) } catch { line = nil }
        #expect((line != nil) == isGood)
    }

    @Test func `ids that are not mapped are refused`() throws {
        var spec = try Self.spec(Self.userMaps)
        #expect(spec.problems().isEmpty)
        #expect(spec.unmapped(UserSpec(uid: 9, gid: 4, additionalGids: [0])).isEmpty)
        #expect(spec.unmapped(UserSpec(uid: 10, gid: 5, additionalGids: [0, 6])).count == 3)
        spec.linux.uidMappings = []
        #expect(spec.problems().map(\.message) == ["/linux/uidMappings: a new user namespace needs mappings"])
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "a:b", "a%d", "abcdefghijklmnop"])
    func `names that the kernel does not take are no names`(name: String) {
        #expect(!NetworkDevice.isName(name))
        #expect(NetworkDevice.isName("eth0.1"))
    }
}
