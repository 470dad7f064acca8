import Kernel
import OCI
import Testing

@testable import Runtime

struct SecurityCapabilitiesTests {
    @Test func `each name sets the bit of its number`() throws {
        var spec = CapabilitySpec()
        spec.bounding = ["CAP_CHOWN", "CAP_SETPCAP", "CAP_CHECKPOINT_RESTORE", "CAP_CHOWN"]
        spec.permitted = ["CAP_KILL", "CAP_NET_BIND_SERVICE"]
        spec.effective = ["CAP_KILL"]
        spec.inheritable = ["CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"]
        spec.ambient = ["CAP_NET_BIND_SERVICE"]
        let sets = try CapabilitySets(spec)
        #expect(sets.bounding == 1 << 0 | 1 << 8 | 1 << 40)
        #expect(sets.permitted == 1 << 5 | 1 << 10)
        #expect(sets.effective == 1 << 5)
        #expect(sets.inheritable == 1 << 10 | 1 << 21)
        #expect(sets.ambient == 1 << 10)
    }

    @Test func `without names there are no capabilities`() throws {
        let sets = try CapabilitySets(CapabilitySpec())
        #expect(sets.bounding | sets.permitted | sets.effective | sets.inheritable | sets.ambient == 0)
    }

    @Test(arguments: [
        "CAP_FOO", "cap_chown", "Cap_Chown", "CHOWN", "0", "CAP_", "", "CAP_CHOWN ", "CAP_CHOWNX", "all",
        "CAP_ALL",
    ])
    func `a name that is not exactly one of the kernel's is refused with its place`(name: String) {
        var spec = CapabilitySpec()
        spec.bounding = ["CAP_KILL", name]
        let failure = #expect(throws: Failure.self) { try CapabilitySets(spec) }
        #expect(failure?.message == "/process/capabilities/bounding/1: \"\(name)\" is no capability")
    }

    @Test func `a capability cannot be effective without being permitted`() {
        var spec = CapabilitySpec()
        spec.permitted = ["CAP_KILL"]
        spec.effective = ["CAP_KILL", "CAP_CHOWN"]
        let failure = #expect(throws: Failure.self) { try CapabilitySets(spec) }
        #expect(
            failure?.message == "/process/capabilities/effective/1: \"CAP_CHOWN\" is not in the permitted set"
        )
    }

    @Test func `a capability cannot be ambient without being permitted and inheritable`() {
        var spec = CapabilitySpec()
        spec.permitted = ["CAP_KILL"]
        spec.inheritable = ["CAP_CHOWN"]
        spec.ambient = ["CAP_KILL"]
        let one = #expect(throws: Failure.self) { try CapabilitySets(spec, at: "/p") }
        #expect(one?.message == "/p/ambient/0: \"CAP_KILL\" is not in the inheritable set")
        spec.ambient = ["CAP_CHOWN"]
        let two = #expect(throws: Failure.self) { try CapabilitySets(spec, at: "/p") }
        #expect(two?.message == "/p/ambient/0: \"CAP_CHOWN\" is not in the permitted set")
    }
}
