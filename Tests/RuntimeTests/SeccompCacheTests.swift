import Glibc
import Kernel
import Testing

@testable import OCI
@testable import Runtime

private func config(_ errno: Int, _ more: String = "") throws -> Spec {
    let text = """
        {"ociVersion":"1.0.2","linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW"\(more),
         "syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":\(errno)}]}}}
        """
    return try Spec(reading: Array(text.utf8))
}

private func entry(_ spec: Spec) throws -> SeccompCache.Entry {
    SeccompCache.Entry(for: try #require(spec.linux.seccompText))
}

struct SeccompCacheTests {
    private let folder = TemporaryFolder()
    private var cache: SeccompCache { SeccompCache(store: Store(root: folder.path + "/root")) }
    private var place: String { folder.path + "/root/.cache/seccomp" }

    private func program(_ spec: Spec) throws -> SeccompProgram {
        try #require(try SeccompCache.program(for: spec.linux, in: cache))
    }

    @Test func `the filter is the same from the cache, compiled anew, and without a cache`() throws {
        let spec = try config(5, #","flags":["SECCOMP_FILTER_FLAG_LOG"]"#)
        let first = try program(spec)
        #expect(try Files.names(inFolder: place) == [try entry(spec).name])
        #expect(try program(spec) == first)
        #expect(try SeccompCache.program(for: spec.linux, in: nil) == first)
        #expect(try SeccompProgram(#require(try spec.linux.readSeccomp())) == first)
        #expect(first.flags == 2)
        #expect(try SeccompCache.program(for: LinuxSpec(), in: cache) == nil)
    }

    @Test func `what is in the entry is what is taken`() throws {
        let spec = try config(5)
        _ = try program(spec)
        let other = SeccompProgram(instructions: [6, 0, 0, 0, 0, 0, 0xff, 0x7f], flags: 4)
        let file = try FileDescriptor.open(place + "/" + entry(spec).name, flags: O_WRONLY | O_TRUNC)
        try file.write(try entry(spec).content(other))
        #expect(try program(spec) == other)
    }

    @Test func `entries differ by what a filter is made from`() throws {
        let all = try [config(5), config(6), config(5, #","architectures":[]"#), config(5, " ")].map {
            try entry($0).name
        }
        for index in all.indices {
            #expect(all[index].utf8.count == 16 && !all[..<index].contains(all[index]))
        }
        #expect(try entry(config(5)).name == all[0])
        let version = "mrun \(SeccompCache.Entry.format) "
        #expect(try entry(config(5)).source.starts(with: version.utf8))
        let text = String(decoding: try entry(config(5)).source, as: UTF8.self)
        #expect(text.contains(" libseccomp \(Libraries.seccomp)\n{\"defaultAction\""))
    }

    @Test func `no bit of an entry can be turned, no byte left out, none put behind`() throws {
        let (entry, other) = (try entry(config(5)), try entry(config(6)))
        let good = entry.content(SeccompProgram(instructions: Array(repeating: 6, count: 24), flags: 2))
        #expect(entry.program(in: good)?.instructions.count == 24)
        for at in good.indices {
            for bit in 0..<8 {
                var bad = good
                bad[at] ^= 1 << bit
                #expect(entry.program(in: bad) == nil)
            }
            #expect(entry.program(in: Array(good[..<at])) == nil)
        }
        #expect(entry.program(in: good + [0]) == nil)
        #expect(other.program(in: good) == nil)
    }

    @Test(arguments: [0, 4, 4097 * 8])
    func `an entry with a program of no proper length is none`(length: Int) throws {
        let entry = try entry(config(5))
        let content = entry.content(
            SeccompProgram(instructions: Array(repeating: 0, count: length), flags: 0))
        #expect(entry.program(in: content) == nil)
    }

    @Test func `a profile that is wrong is refused with its place, and not kept`() throws {
        let spec = try config(5000)
        let failure = #expect(throws: Failure.self) { try program(spec) }
        #expect(failure?.message == "config.json: /linux/seccomp/syscalls/0/errnoRet: 5000 is above 4095")
        #expect(try Files.names(inFolder: place).isEmpty)
    }

    @Test func `a long profile is compiled each time`() throws {
        let spec = try config(5, ",\"x\":\"\(String(repeating: "y", count: 200_000))\"")
        let first = try program(spec)
        #expect(try Files.names(inFolder: place).isEmpty)
        #expect(try program(spec) == first)
    }

    /// Fails when the same profile is compiled to something else than before: then `Entry.format` must be raised,
    /// or filters of an older mrun would be used on.
    @Test func `the same profile gives the same filter, or the format has another number`() throws {
        #if arch(x86_64)
            let text = """
                {"ociVersion":"1.0.2","linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO",
                 "architectures":["SCMP_ARCH_X86","SCMP_ARCH_X32"],"syscalls":[
                 {"names":["read","write","openat"],"action":"SCMP_ACT_ALLOW"},
                 {"names":["clone"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":5,"op":"SCMP_CMP_MASKED_EQ"}]}]}}}
                """
            let spec = try Spec(reading: Array(text.utf8))
            let program = try #require(try SeccompCache.program(for: spec.linux, in: nil))
            let sum = program.instructions.withUnsafeBytes { Checksum.of($0) }
            if Libraries.seccomp == "2.5.4" {
                #expect([SeccompCache.Entry.format: sum] == [1: 14_048_537_506_042_566_448])
            }
        #endif
    }
}

struct ChecksumTests {
    @Test func `texts of any length that differ in a byte or in length have other sums`() {
        var sums: [UInt64] = []
        for length in 0..<40 {
            let text = [UInt8](repeating: 7, count: length)
            sums.append(text.withUnsafeBytes { Checksum.of($0) })
            for at in text.indices {
                var other = text
                other[at] = 8
                sums.append(other.withUnsafeBytes { Checksum.of($0) })
            }
        }
        sums.append([UInt8](repeating: 0, count: 8).withUnsafeBytes { Checksum.of($0) })
        sums.append([UInt8](repeating: 0, count: 9).withUnsafeBytes { Checksum.of($0) })
        #expect(Set(sums).count == sums.count)
    }
}
