internal import Kernel
internal import OCI

struct CapabilityMasks {
    var bounding: UInt64 = 0, effective: UInt64 = 0, permitted: UInt64 = 0, inheritable: UInt64 = 0,
        ambient: UInt64 = 0
    init(_ s: CapabilitySpec) throws(Failure) {}
}
struct SeccompProgram {
    var instructions: [UInt8] = []; var flags: UInt32 = 0; init(_ s: SeccompSpec) throws(Failure) {}
}
