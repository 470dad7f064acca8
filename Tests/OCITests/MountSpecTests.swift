import JSON
import Kernel
import OCI
import Testing

private func mount(_ text: String) throws -> MountSpec {
    let whole = #"{"ociVersion": "1.3.0", "mounts": [\#(text)]}"#
    return try #require(try Spec(Cursor(try JSON.parse(Array(whole.utf8)))).mounts.first)
}

struct MountSpecTests {
    @Test func `mappings are read, and written again`() throws {
        let mount = try mount(
            #"""
            {"destination": "/a", "uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}],
             "gidMappings": [{"containerID": 4, "hostID": 5, "size": 4294967290}]}
            """#)
        #expect(mount.uidMappings == [IDMapping(containerID: 1, hostID: 2, size: 3)])
        #expect(mount.gidMappings == [IDMapping(containerID: 4, hostID: 5, size: 4_294_967_290)])
        var spec = Spec()
        spec.mounts = [mount]
        #expect(try Spec(Cursor(spec.json)).mounts == [mount])
    }

    @Test(arguments: [
        (#"{"hostID": 0, "size": 1}"#, ": \"containerID\" is missing"),
        (#"{"containerID": 0, "size": 1}"#, ": \"hostID\" is missing"),
        (#"{"containerID": 0, "hostID": 0}"#, ": \"size\" is missing"),
        (#"{"containerID": 0, "hostID": 0, "size": 0}"#, ": the range is empty"),
        (#"{"containerID": -1, "hostID": 0, "size": 1}"#, "/containerID: the number is out of range"),
        (#"{"containerID": 0, "hostID": 4294967295, "size": 1}"#, ": the range goes beyond the last id"),
        (#"{"containerID": 6, "hostID": 0, "size": 4294967290}"#, ": the range goes beyond the last id"),
    ])
    func `a range that is none is refused by its place`(text: String, want: String) {
        let failure = #expect(throws: Failure.self) {
            try mount(#"{"destination": "/a", "gidMappings": [\#(text)]}"#)
        }
        #expect(failure?.message.hasPrefix("/mounts/0/gidMappings/0" + want) == true)
    }

    @Test func `the label of the mounts is read, and written again`() throws {
        var spec = Spec()
        spec.linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"
        #expect(try Spec(Cursor(spec.json)).linux.mountLabel == spec.linux.mountLabel)
    }

    @Test func `a relative destination is taken: the planner puts it below the root`() throws {
        var spec = Spec()
        spec.mounts = [MountSpec("data", type: "tmpfs")]
        #expect(!spec.problems().contains { $0.message.contains("/mounts") })
    }
}
