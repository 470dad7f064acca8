internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

extension CgroupDirectory {
    /// Puts the device rules into force; programs of before go, once the new one is there.
    borrowing func restrictDevices(_ rules: [DeviceRule], isNew: Bool) throws(Failure) {
        if rules.isEmpty { return }
        guard let directory = try open(".", O_RDONLY | O_DIRECTORY) else {
            throw Failure(.kernel(call: "open", errno: ENOENT)).during(cgroup(path))
        }
        do throws(Failure) {
            let before = isNew ? [] : try BPF.attached(to: directory.raw)
            let program = try BPF.load(DeviceProgram(rules))
            try BPF.attach(program.raw, to: directory.raw)
            for id in before { try BPF.detach(id: id, from: directory.raw) }
        } catch { throw error.during(cgroup(path)).during(LimitPointer.of(controller: "devices")) }
    }
}

/// The calls of bpf(2) that device programs need.
///
/// Each hands over the beginning of the kernel's `union bpf_attr`; what is not given is zero to the kernel.
private enum BPF {
    private static let getDescriptor: Int32 = 13
    private static let programLoad: Int32 = 5
    private static let programAttach: Int32 = 8
    private static let programDetach: Int32 = 9
    private static let programQuery: Int32 = 16
    private static let cgroupDeviceProgram: UInt32 = 15
    private static let cgroupDeviceAttach: UInt32 = 6
    private static let allowMulti: UInt32 = 2

    private struct LoadAttributes {
        var type: UInt32
        var count: UInt32
        var instructions: UInt64
        var license: UInt64
        var log: (level: UInt32, size: UInt32, buffer: UInt64) = (0, 0, 0)
        var kernelVersion: UInt32 = 0
        var flags: UInt32 = 0
        /// "mrun_devices", as bytes; what `bpftool` shows.
        var name: (UInt64, UInt64) = (0x7665_645f_6e75_726d, 0x7365_6369)
    }

    private struct AttachAttributes {
        var target: UInt32
        var program: UInt32 = 0
        var type: UInt32 = cgroupDeviceAttach
        var flags: UInt32 = 0
    }

    private struct QueryAttributes {
        var target: UInt32
        var type: UInt32 = cgroupDeviceAttach
        var queryFlags: UInt32 = 0
        var attachFlags: UInt32 = 0
        var ids: UInt64
        var count: UInt64
    }

    static func load(_ program: DeviceProgram) throws(Failure) -> FileDescriptor {
        let code = program.instructions.map(\.encoded)
        let license: StaticString = "Apache-2.0"
        let answer = code.withUnsafeBufferPointer { code in
            var attributes = LoadAttributes(
                type: cgroupDeviceProgram, count: UInt32(code.count),
                instructions: UInt64(UInt(bitPattern: code.baseAddress)),
                license: UInt64(UInt(bitPattern: license.utf8Start)))
            return sys_bpf(programLoad, &attributes, UInt32(MemoryLayout<LoadAttributes>.size))
        }
        let raw = try checked("load the device program", answer)
        return FileDescriptor(adopting: Int32(truncatingIfNeeded: raw))
    }

    static func attach(_ program: Int32, to directory: Int32) throws(Failure) {
        var attributes = AttachAttributes(
            target: UInt32(bitPattern: directory), program: UInt32(bitPattern: program), flags: allowMulti)
        try checked(
            "attach the device program",
            sys_bpf(programAttach, &attributes, UInt32(MemoryLayout<AttachAttributes>.size)))
    }

    /// The ids of the programs on a cgroup.
    static func attached(to directory: Int32) throws(Failure) -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: 64)
        var count: UInt64 = 64
        let answer = ids.withUnsafeMutableBufferPointer { ids in
            var attributes = QueryAttributes(
                target: UInt32(bitPattern: directory), ids: UInt64(UInt(bitPattern: ids.baseAddress)),
                count: count)
            let answer = sys_bpf(programQuery, &attributes, UInt32(MemoryLayout<QueryAttributes>.size))
            count = attributes.count & 0xffff_ffff
            return answer
        }
        try checked("query the device programs", answer)
        return Array(ids.prefix(Int(count)))
    }

    static func detach(id: UInt32, from directory: Int32) throws(Failure) {
        var number = (id, UInt32(0), UInt32(0))
        let raw = try checked("open the device program \(id)", sys_bpf(getDescriptor, &number, 12))
        let program = FileDescriptor(adopting: Int32(truncatingIfNeeded: raw))
        var attributes = AttachAttributes(
            target: UInt32(bitPattern: directory), program: UInt32(bitPattern: program.raw))
        try checked(
            "detach the device program \(id)",
            sys_bpf(programDetach, &attributes, UInt32(MemoryLayout<AttachAttributes>.size)))
    }
}
