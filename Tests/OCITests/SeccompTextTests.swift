import JSON
import Kernel
import OCI
import Testing

private func text(_ seccomp: String) -> [UInt8] {
    Array(
        """
        {"ociVersion":"1.0.2","root":{"path":"r"},
         "linux":{"cgroupsPath":"/a","seccomp":\(seccomp),
         "maskedPaths":["/b"]}}
        """.utf8)
}

private func whole(_ bytes: [UInt8]) throws -> Spec { try Spec(Cursor(try JSON.parse(bytes))) }

private let profile = """
    {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86"],"flags":["X"],
     "listenerPath":"/run/agent","listenerMetadata":"a \\"b\\"",
     "syscalls":[{"names":["a","b"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":2,"op":"SCMP_CMP_EQ"}]}]}
    """

struct SeccompTextTests {
    @Test func `a profile is left as text, the rest of the config is read`() throws {
        let bytes = text(profile)
        var spec = try Spec(reading: bytes)
        let left = try #require(spec.linux.seccompText)
        #expect(spec.linux.seccomp == nil)
        #expect(Array(left.bytes) == Array(profile.utf8))
        let other = try whole(bytes)
        #expect(try left.read() == other.linux.seccomp)
        #expect(try spec.linux.readSeccomp() == other.linux.seccomp)
        #expect(try other.linux.readSeccomp() == other.linux.seccomp)
        // Written out, nothing is missing.
        #expect(spec.json["linux"]?["seccomp"] == (try JSON.parse(Array(profile.utf8))))
        spec.linux.seccompText = nil
        spec.linux.seccomp = other.linux.seccomp
        #expect(spec == other)
    }

    @Test(arguments: ["null", "[]", "1"])
    func `what is no profile is read at once`(seccomp: String) throws {
        let bytes = text(seccomp)
        if seccomp == "null" {
            #expect(try Spec(reading: bytes) == whole(bytes))
        } else {
            let failure = #expect(throws: Failure.self) { try Spec(reading: bytes) }
            let other = #expect(throws: Failure.self) { try whole(bytes) }
            #expect(failure == other)
        }
    }

    @Test(arguments: [
        "{}", #"{"a":1}"#, #"{"defaultAction":1}"#, #"{"defaultAction":"X","syscalls":[{"names":[]}]}"#,
        #"{"defaultAction":"X","defaultAction":"X"}"#, #"{"defaultAction":"X\u0000"}"#,
        #"{"defaultAction":"X",}"#,
        #"{"defaultAction":"X","listenerMetadata":"x"}"#, #"{"defaultAction":"X","listenerPath":"x"}"#,
        #"{"defaultAction":"X","syscalls":[{"names":["a"],"action":"X","args":[{"index":6,"value":1,"op":"X"}]}]}"#,
    ])
    func `what is wrong with it is told when it is read, as if all were read at once`(seccomp: String) throws
    {
        let bytes = text(seccomp)
        let spec = try Spec(reading: bytes)
        let failure = #expect(throws: Failure.self) { try spec.linux.readSeccomp() }
        let other = #expect(throws: Failure.self) { try whole(bytes) }
        #expect(failure == other)
    }

    @Test func `metadata without an agent is refused, unless it is empty`() throws {
        let failure = #expect(throws: Failure.self) {
            try whole(text(#"{"defaultAction":"X","listenerMetadata":"x"}"#))
        }
        #expect(failure?.message.hasPrefix("/linux/seccomp/listenerMetadata: ") == true)
        let empty = try whole(text(#"{"defaultAction":"X","listenerPath":"","listenerMetadata":""}"#))
        #expect(empty.linux.seccomp?.listenerPath == nil)
    }

    @Test func `an agent and its metadata are written as they were read`() throws {
        let spec = try whole(text(profile))
        #expect(spec.linux.seccomp?.listenerPath == "/run/agent")
        #expect(spec.linux.seccomp?.listenerMetadata == "a \"b\"")
        let again = try Spec(Cursor(spec.json))
        #expect(again.linux.seccomp == spec.linux.seccomp)
    }
}
