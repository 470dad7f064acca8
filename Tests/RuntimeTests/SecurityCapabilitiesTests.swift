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

    @Test func `an ambient capability that is not permitted and inheritable is left out with a notice`()
        throws
    {
        var spec = CapabilitySpec()
        spec.permitted = ["CAP_KILL", "CAP_SETUID"]
        spec.inheritable = ["CAP_CHOWN", "CAP_SETUID"]
        spec.ambient = ["CAP_KILL", "CAP_SETUID", "CAP_CHOWN"]
        let sets = try CapabilitySets(spec)
        #expect(sets.ambient == 1 << 7)
        #expect(sets.notices.count == 2)
        #expect(sets.notices.first?.hasPrefix("can't raise ambient capability \"CAP_KILL\"") == true)
        #expect(sets.notices.last?.contains("CAP_CHOWN") == true)
        spec.ambient = ["CAP_SETUID"]
        #expect(try CapabilitySets(spec).notices == [])
    }

    @Test func `a capability that the kernel is too old for is left out of every set, with a notice`() throws
    {
        var spec = CapabilitySpec()
        spec.bounding = ["CAP_KILL", "CAP_BPF"]
        spec.permitted = spec.bounding
        spec.effective = spec.bounding
        spec.inheritable = spec.bounding
        spec.ambient = spec.bounding
        let sets = try CapabilitySets(spec, isKnown: { $0 < 39 })
        for set in [sets.bounding, sets.permitted, sets.effective, sets.inheritable, sets.ambient] {
            #expect(set == 1 << 5)
        }
        #expect(sets.notices.count == 5)
        #expect(sets.notices.allSatisfy { $0.contains("\"CAP_BPF\"") && $0.contains("this kernel") })
        // It is no licence for names that nobody knows.
        spec.ambient = ["CAP_NOSUCH"]
        #expect(throws: Failure.self) { try CapabilitySets(spec, isKnown: { _ in false }) }
    }

    @Test func `this kernel knows the names of the specification`() {
        #expect((0...40).allSatisfy { CapabilitySets.isKnownToKernel(UInt64($0)) })
        #expect(!CapabilitySets.isKnownToKernel(63))
    }
}
