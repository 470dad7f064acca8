internal import CKernel
internal import CSeccomp
internal import Glibc
internal import Kernel
internal import OCI

/// Compiled filters, in files below the state root: to compile a profile of usual length takes longer than all the rest
/// of a container's start.
///
/// `<root>/.cache/seccomp/<hash of what the filter is made from>`: checksum, flags, length of the program, the program,
/// and what it is made from, which is compared in full. Whatever is not as it should be counts as missing; a filter that
/// cannot be kept is still a filter.
struct SeccompCache {
    let store: Store

    /// The filter of a config, compiled only where it has to be; `nil` where it has none.
    static func program(for linux: LinuxSpec, in cache: SeccompCache?) throws(Failure) -> SeccompProgram? {
        guard let text = linux.seccompText else {
            guard let profile = linux.seccomp else { return nil }
            return try SeccompProgram(profile)
        }
        return try attempting("config.json") { () throws(Failure) in
            let entry = Entry(for: text)
            if let known = cache?.read(entry) { return known }
            let program = try SeccompProgram(try text.read())
            cache?.write(entry, program)
            return program
        }
    }

    /// Entries that are kept; with `sizeLimit` the most that they take is 10 MiB.
    static let limit = 64
    private static let sizeLimit = 160 << 10
    private static let folder = ".cache/seccomp"

    private func read(_ entry: Entry) -> SeccompProgram? {
        do {
            guard let root = try FileDescriptor.openIfPresent(store.root, flags: O_PATH | O_DIRECTORY),
                let file = try SeccompCache.open(
                    SeccompCache.folder + "/" + entry.name, in: root, O_RDONLY | O_NONBLOCK)
            else { return nil }
            let status = try file.status()
            guard status.isRegular, SeccompCache.isOurs(status), status.size <= UInt64(SeccompCache.sizeLimit)
            else { return nil }
            return entry.program(in: try file.readSome(Int(status.size) + 1))
        } catch {
            return nil
        }
    }

    /// A descriptor for a path without any link in it; `nil` where there is nothing.
    private static func open(
        _ path: String, in root: borrowing FileDescriptor, _ flags: Int32
    ) throws(Failure) -> FileDescriptor? {
        let resolve = K_RESOLVE_BENEATH | K_RESOLVE_NO_SYMLINKS
        let answer = sys_openat2(root.raw, path, UInt64(flags | O_CLOEXEC), 0, resolve)
        if answer == -Int(ENOENT) { return nil }
        return FileDescriptor(adopting: Int32(try checked("open \"\(path)\"", answer)))
    }

    /// Whether nobody else can have written it.
    private static func isOurs(_ status: FileStatus) -> Bool {
        status.uid == UInt32(sys_geteuid()) && status.mode & 0o022 == 0
    }

    private func write(_ entry: Entry, _ program: SeccompProgram) {
        let content = entry.content(program)
        guard content.count <= SeccompCache.sizeLimit else { return }
        // A state root that is read-only or full costs the cache, and nothing else.
        do {
            let root = try store.openOrMakeRoot()
            for path in [".cache", SeccompCache.folder] {
                let answer = sys_mkdirat(root.raw, path, 0o700)
                if answer != -Int(EEXIST) { try checked("mkdir", answer) }
            }
            guard let folder = try SeccompCache.open(SeccompCache.folder, in: root, O_RDONLY | O_DIRECTORY),
                SeccompCache.isOurs(try folder.status())
            else { return }
            try SeccompCache.makeRoom(in: folder)
            try SeccompCache.put(content, at: entry.name, in: folder)
        } catch {}
    }

    private static func put(
        _ content: [UInt8], at name: String, in folder: borrowing FileDescriptor
    ) throws(Failure) {
        let temporary = ".\(name).\(sys_getpid())"
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW
        let file = try FileDescriptor.open(temporary, at: folder.raw, flags: flags, mode: 0o600)
        do {
            try file.write(content)
            try checked("rename", sys_renameat(folder.raw, temporary, folder.raw, name))
        } catch {
            _ = sys_unlinkat(folder.raw, temporary, 0)
            throw error
        }
    }

    /// Removes the oldest entries where there are too many; what a killed call has left is one of them.
    private static func makeRoom(in folder: borrowing FileDescriptor) throws(Failure) {
        let names = try Files.names(in: folder.raw)
        guard names.count >= limit else { return }
        var entries: [(modified: Int64, name: String)] = []
        for name in names {
            guard let status = try FileStatus.of(name, at: folder.raw) else { continue }
            entries.append((status.modified, name))
        }
        entries.sort { $0.modified < $1.modified }
        for entry in entries.prefix(max(0, entries.count - limit + 1)) {
            try checked("unlink", sys_unlinkat(folder.raw, entry.name, 0))
        }
    }
}

extension SeccompCache {
    /// What an entry is found by.
    struct Entry {
        /// Everything that decides how a filter comes out.
        let source: [UInt8]
        let name: String

        /// To be raised whenever mrun makes another filter from the same profile.
        static let format = 1

        init(for text: SeccompText) {
            let version = "mrun \(Entry.format) \(seccomp_arch_native()) libseccomp \(Libraries.seccomp)\n"
            source = Array(version.utf8) + text.bytes
            let digits = String(source.withUnsafeBytes { Checksum.of($0) }, radix: 16)
            name = String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }

        private static let header = 16
        private static let instructionLimit = 4096

        func content(_ program: SeccompProgram) -> [UInt8] {
            var rest: [UInt8] = []
            withUnsafeBytes(of: program.flags) { rest.append(contentsOf: $0) }
            withUnsafeBytes(of: UInt32(program.instructions.count)) { rest.append(contentsOf: $0) }
            rest += program.instructions
            rest += source
            return withUnsafeBytes(of: rest.withUnsafeBytes { Checksum.of($0) }) { [UInt8]($0) } + rest
        }

        /// The filter, if this is the content of the entry, undamaged.
        func program(in content: [UInt8]) -> SeccompProgram? {
            content.withUnsafeBytes { bytes in
                guard bytes.count > Entry.header else { return nil }
                let rest = UnsafeRawBufferPointer(rebasing: bytes[8...])
                guard bytes.load(as: UInt64.self) == Checksum.of(rest) else { return nil }
                let flags = bytes.load(fromByteOffset: 8, as: UInt32.self)
                let length = Int(bytes.load(fromByteOffset: 12, as: UInt32.self))
                guard length > 0, length % 8 == 0, length <= Entry.instructionLimit * 8,
                    bytes.count == Entry.header + length + source.count
                else { return nil }
                let isSame = source.withUnsafeBytes { source in
                    guard let wanted = source.baseAddress, let there = bytes.baseAddress else { return false }
                    return memcmp(wanted, there + Entry.header + length, source.count) == 0
                }
                guard isSame else { return nil }
                // Rebased, for an array is made from a slice byte by byte.
                let program = UnsafeRawBufferPointer(rebasing: bytes[Entry.header..<Entry.header + length])
                return SeccompProgram(instructions: [UInt8](program), flags: flags)
            }
        }
    }
}

/// Sixty-four bits that differ, but for chance, where two texts do, and always where these differ in eight adjacent
/// bytes only.
///
/// Against damage, not against somebody who chooses the texts.
enum Checksum {
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum = 0x9e37_79b9_7f4a_7c15 ^ UInt64(bytes.count)
        var at = 0
        while at + 8 <= bytes.count {
            sum = mixed(sum ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var last: UInt64 = 0
        while at < bytes.count {
            last = last << 8 | UInt64(bytes[at])
            at += 1
        }
        return mixed(mixed(sum ^ last))
    }

    /// One number for each number: nothing is lost on the way.
    private static func mixed(_ number: UInt64) -> UInt64 {
        let product = number &* 0xff51_afd7_ed55_8ccd
        return product ^ product >> 32
    }
}
