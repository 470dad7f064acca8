import CKernel
import Glibc
import Kernel
import OCI
import Testing

@testable import Runtime

/// The block read back as mrun-init reads it.
private struct Block {
    let bytes: [UInt8]
    let header: orders

    init(_ orders: Orders) {
        bytes = orders.block()
        header = bytes.withUnsafeBytes { $0.loadUnaligned(as: CKernel.orders.self) }
    }

    func string(_ offset: UInt64) -> String {
        String(decoding: bytes[Int(offset)...].prefix { $0 != 0 }, as: UTF8.self)
    }

    func values<T: BitwiseCopyable>(_ offset: Int, _ count: Int, as type: T.Type) -> [T] {
        bytes.withUnsafeBytes { buffer in
            (0..<count).map {
                buffer.loadUnaligned(fromByteOffset: offset + $0 * MemoryLayout<T>.stride, as: T.self)
            }
        }
    }

    func table(_ offset: UInt64) -> [String] {
        var strings: [String] = []
        var at = Int(offset)
        while true {
            let entry = values(at, 1, as: UInt64.self)[0]
            if entry == 0 { return strings }
            strings.append(string(entry))
            at += 8
        }
    }
}

private func orders(
    _ change: (inout Spec) -> Void = { _ in }, stays: Bool = false, newKeyring: Bool = false
) throws -> Orders {
    var spec = Spec()
    spec.process = ProcessSpec(args: ["sh", "-c", ""], cwd: "/work")
    change(&spec)
    let process = try #require(spec.process)
    return try Orders(for: spec, process, stays: stays, newKeyring: newKeyring)
}

struct OrdersTests {
    @Test func `the block begins with its magic and its size`() throws {
        let block = Block(try orders())
        #expect(Array(block.bytes.prefix(4)) == Array("MRI1".utf8))
        #expect(block.header.magic == UInt32(ORDERS_MAGIC))
        #expect(Int(block.header.size) == block.bytes.count)
        #expect(block.header.preserved == 0 && block.header.preserved_fd == -1 && block.header.reserved == 0)
    }

    @Test func `ids, groups, umask and limits are in the block`() throws {
        let limits = [
            RlimitSpec(type: "RLIMIT_NOFILE", soft: 1024, hard: 4096),
            RlimitSpec(type: "RLIMIT_CORE", soft: 0, hard: .max),
        ]
        let block = Block(
            try orders {
                $0.process?.user = UserSpec(uid: 1000, gid: 100, additionalGids: [5, 4_294_967_294, 7])
                $0.process?.user.umask = 0o77
                $0.process?.rlimits = limits
            })
        #expect(block.header.uid == 1000 && block.header.gid == 100 && block.header.umask == 0o77)
        let groups = block.values(
            Int(block.header.groups_offset), Int(block.header.group_count), as: UInt32.self)
        #expect(groups == [5, 4_294_967_294, 7])
        let entries = block.values(
            Int(block.header.rlimits_offset), Int(block.header.rlimit_count), as: orders_rlimit.self)
        #expect(entries.map(\.resource) == [7, 4])
        #expect(entries.map(\.soft) == [1024, 0] && entries.map(\.hard) == [4096, .max])
        #expect(entries.map(\.reserved) == [0, 0])
    }

    @Test func `without a umask it is 022`() throws {
        #expect(Block(try orders()).header.umask == 0o22)
    }

    @Test(arguments: [[], [""], ["a"], ["", "", "x y\nz", "é"], Array(repeating: "long word", count: 500)])
    func `arguments and environment are tables of strings that end with zero`(words: [String]) throws {
        var orders = try orders()
        orders.arguments = words
        orders.environment = words.reversed()
        orders.executable = "/bin/sh"
        orders.cwd = "/work dir"
        let block = Block(orders)
        #expect(block.table(block.header.argv_offset) == words)
        #expect(block.table(block.header.envp_offset) == words.reversed())
        #expect(block.string(block.header.executable_offset) == "/bin/sh")
        #expect(block.string(block.header.cwd_offset) == "/work dir")
    }

    @Test func `everything that mrun-init reads as numbers is aligned and inside`() throws {
        for length in 0..<16 {
            var orders = try orders {
                $0.process?.user.additionalGids = Array(repeating: 1, count: length)
                $0.process?.rlimits = Array(
                    repeating: RlimitSpec(type: "RLIMIT_CPU", soft: 1, hard: 1), count: length % 3)
            }
            orders.executable = String(repeating: "x", count: length)
            orders.arguments = Array(repeating: String(repeating: "y", count: length), count: length)
            let header = Block(orders).header
            let size = UInt64(header.size)
            for offset in [header.argv_offset, header.envp_offset] {
                #expect(offset % 8 == 0 && offset >= MemoryLayout<CKernel.orders>.size && offset + 8 <= size)
            }
            #expect(UInt64(header.groups_offset) % 4 == 0 && UInt64(header.rlimits_offset) % 8 == 0)
            #expect(UInt64(header.groups_offset) + 4 * UInt64(header.group_count) <= size)
            #expect(UInt64(header.rlimits_offset) + 24 * UInt64(header.rlimit_count) <= size)
        }
    }

    @Test func `the layout is that of the header`() {
        #expect(MemoryLayout<CKernel.orders>.size == 184)
        #expect(MemoryLayout<CKernel.orders>.offset(of: \.bounding) == 32)
        #expect(MemoryLayout<CKernel.orders>.offset(of: \.start_fd) == 124 + 4)
        #expect(MemoryLayout<orders_rlimit>.size == 24)
        #expect(MemoryLayout<orders_report>.size == 12)
        #expect(MemoryLayout<orders_hook>.size == 32 && MemoryLayout<orders_hook_report>.size == 32)
    }

    @Test func `hooks are in the block, and nothing of them where there are none`() throws {
        var orders = try orders()
        #expect(Block(orders).header.hook_count == 0)
        orders.hooks = [
            HookSpec(path: "/a"), HookSpec(path: "/b", args: ["b", "é"], env: ["A=1"], timeout: 9),
        ]
        orders.hookState = ("{", "}")
        let block = Block(orders)
        #expect(block.header.hook_count == 2 && block.header.hooks_offset % 8 == 0)
        #expect(block.string(block.header.hook_state_offset) == "{")
        #expect(block.string(block.header.hook_rest_offset) == "}")
        let hooks = block.values(Int(block.header.hooks_offset), 2, as: orders_hook.self)
        #expect(hooks.map { block.string($0.path_offset) } == ["/a", "/b"])
        #expect(hooks.map { block.table($0.argv_offset) } == [["/a"], ["b", "é"]])
        #expect(hooks.map { block.table($0.envp_offset) } == [[], ["A=1"]])
        #expect(hooks.map(\.timeout) == [0, 9])
    }

    @Test func `descriptors are none unless they are given`() throws {
        var orders = try orders()
        let none = Block(orders).header
        #expect(none.start_fd == -1 && none.report_fd == -1 && none.record_fd == -1 && none.enter_fd == -1)
        (orders.startSocket, orders.report, orders.record, orders.enter) = (10, 11, 12, 13)
        let given = Block(orders).header
        #expect(
            given.start_fd == 10 && given.report_fd == 11 && given.record_fd == 12 && given.enter_fd == 13)
        orders.preserved = (2, 14)
        #expect(Block(orders).header.preserved == 2 && Block(orders).header.preserved_fd == 14)
    }
}

struct OrdersFlagTests {
    private func flags(
        _ change: (inout Spec) -> Void = { _ in }, stays: Bool = false, newKeyring: Bool = false
    ) throws -> UInt32 {
        Block(try orders(change, stays: stays, newKeyring: newKeyring)).header.flags
    }

    private func bits(_ flags: orders_flag...) -> UInt32 { flags.reduce(0) { $0 | UInt32($1.rawValue) } }

    @Test func `groups are always set, and capabilities unless they are to be left alone`() throws {
        #expect(try flags() == bits(ORDERS_SETGROUPS, ORDERS_CAPABILITIES))
        let untouched = try flags { $0.annotations = [Annotation(Meaning.capabilities, "untouched")] }
        #expect(untouched == bits(ORDERS_SETGROUPS))
        let other = try flags { $0.annotations = [Annotation(Meaning.capabilities, "Untouched")] }
        #expect(other == bits(ORDERS_SETGROUPS, ORDERS_CAPABILITIES))
    }

    @Test func `an init that stays without a pid namespace of its own is a subreaper`() throws {
        let base = bits(ORDERS_SETGROUPS, ORDERS_CAPABILITIES, ORDERS_STAY)
        #expect(try flags(stays: true) == base | bits(ORDERS_SUBREAPER))
        #expect(try flags({ $0.linux.namespaces = [NamespaceSpec(.pid)] }, stays: true) == base)
        #expect(try flags({ $0.linux.namespaces = [NamespaceSpec(.pid)] }) & bits(ORDERS_STAY) == 0)
    }

    @Test func `no_new_privs and a keyring are asked for`() throws {
        #expect(try flags { $0.process?.noNewPrivileges = true } & bits(ORDERS_NO_NEW_PRIVS) != 0)
        #expect(try flags(newKeyring: true) & bits(ORDERS_SESSION_KEYRING) != 0)
    }

    @Test func `capabilities are bits in the block`() throws {
        let block = Block(
            try orders {
                var capabilities = CapabilitySpec()
                capabilities.bounding = ["CAP_KILL", "CAP_CHOWN"]
                capabilities.permitted = ["CAP_KILL"]
                capabilities.effective = ["CAP_KILL"]
                $0.process?.capabilities = capabilities
            })
        #expect(block.header.bounding == 1 << 5 | 1 && block.header.permitted == 1 << 5)
        #expect(block.header.effective == 1 << 5 && block.header.ambient == 0)
        #expect(Block(try orders()).header.bounding == 0)
    }

    @Test func `a filter is whole instructions, aligned`() throws {
        let profile =
            #"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#
        let config = #"{"ociVersion":"1.0.2","linux":{"seccomp":\#(profile)}}"#
        let seccomp = try decode(config).linux.seccomp
        var given = try orders { $0.linux.seccomp = seccomp }
        given.arguments = ["odd"]
        let block = Block(given)
        #expect(block.header.flags & bits(ORDERS_SECCOMP) != 0)
        #expect(block.header.seccomp_count > 3 && block.header.seccomp_offset % 4 == 0)
        let end = Int(block.header.seccomp_offset) + 8 * Int(block.header.seccomp_count)
        #expect(end <= block.bytes.count)
        let program = Array(block.bytes[Int(block.header.seccomp_offset)..<end])
        #expect(program == given.seccomp?.instructions)
        #expect(Block(try orders()).header.seccomp_count == 0)
    }
}

struct OrdersReportTests {
    /// What is read of these frames: as of a task that starts at once, or of an init that is held.
    @discardableResult
    private func read(
        _ frames: [(orders_step, Int32, UInt32)], _ rlimits: [RlimitSpec] = [], held: Bool = false
    ) throws -> Int32? {
        let pair = try FileDescriptor.socketPair(type: Int32(SOCK_SEQPACKET.rawValue))
        do {
            let mrunInit = FileDescriptor(adopting: pair.0)
            for frame in frames {
                var report = orders_report(
                    step: UInt32(frame.0.rawValue), error: UInt32(frame.1), detail: frame.2)
                #expect(write(mrunInit.raw, &report, MemoryLayout<orders_report>.size) == 12)
            }
        }
        let mine = FileDescriptor(adopting: pair.1)
        var process = ProcessSpec(args: ["sh"], cwd: "/work")
        process.rlimits = rlimits
        if held {
            let held = try InitReport.readHeld(from: Conversation(socket: mine.raw), process: process)
            return held.isHeld ? held.pid ?? 1 : nil
        }
        let nobody = { () throws(Failure) -> SeccompListener in throw .refused("there is no agent") }
        return try InitReport.read(from: Conversation(socket: mine.raw), listener: nobody) {
            () throws(Failure) in
            #expect(frames.contains { $0.1 != 0 }, "nobody asks about a task that runs")
            return ("/bin/sh", process)
        }
    }

    @Test func `released, and then the end, means that the task runs`() throws {
        #expect(try read([(ORDERS_STEP_RELEASED, 0, 0)]) == nil)
    }

    @Test func `a task that has a process of its own is told with its pid, in either order`() throws {
        let released = (ORDERS_STEP_RELEASED, Int32(0), UInt32(0))
        let entered = (ORDERS_STEP_ENTERED, Int32(0), UInt32(4711))
        #expect(try read([entered, released]) == 4711)
        #expect(try read([released, entered]) == 4711)
        #expect(throws: Failure.self) { try read([entered]) }
    }

    @Test func `an init that is held has no more to say, and tells a failure in words`() throws {
        #expect(try read([(ORDERS_STEP_HELD, 0, 0)], held: true) == 1)
        // Death closes the stream just as waiting does.
        #expect(try read([], held: true) == nil)
        let failure = #expect(throws: Failure.self) {
            try read([(ORDERS_STEP_KEYRING, EDQUOT, 0)], held: true)
        }
        #expect(failure?.message == "join a new session keyring: Disk quota exceeded")
    }

    @Test func `the end without a word means that the init has died`() {
        let failure = #expect(throws: Failure.self) { try read([]) }
        #expect(failure?.message.hasPrefix("the container's init died before the task could start") == true)
    }

    @Test(
        arguments: [
            (ORDERS_STEP_EXEC, ENOENT, 0, "exec: \"/bin/sh\": no such file or directory", 127),
            (ORDERS_STEP_EXEC, EACCES, 0, "exec: \"/bin/sh\": permission denied", 126),
            (ORDERS_STEP_EXEC, ENOEXEC, 0, "exec: \"/bin/sh\": exec format error", 126),
            (
                ORDERS_STEP_CWD, ENOENT, 0,
                "chdir to cwd (\"/work\") set in config.json: No such file or directory", nil
            ),
            (ORDERS_STEP_RLIMIT, EPERM, 0, "set RLIMIT_NOFILE to 1:2: Operation not permitted", nil),
            (ORDERS_STEP_BOUNDING, EPERM, 21, "drop capability 21: Operation not permitted", nil),
            (ORDERS_STEP_SETUID, EINVAL, 9, "cannot setuid to unmapped uid 0 in user namespace", nil),
            (ORDERS_STEP_SECCOMP, EFAULT, 0, "load the seccomp filter: Bad address", nil),
        ] as [(orders_step, Int32, UInt32, String, Int32?)])
    func `a step that failed is told in words, before the release and after`(
        step: orders_step, errno: Int32, detail: UInt32, want: String, status: Int32?
    ) {
        for before in [[], [(ORDERS_STEP_RELEASED, Int32(0), UInt32(0))]] {
            let failure = #expect(throws: Failure.self) {
                try read(
                    before + [(step, errno, detail)], [RlimitSpec(type: "RLIMIT_NOFILE", soft: 1, hard: 2)])
            }
            #expect(failure?.message == want)
            #expect(failure?.exitStatus == status)
        }
    }

    @Test(arguments: 1..<UInt32(ORDERS_STEP_COUNT.rawValue))
    func `every step has words of its own`(step: UInt32) {
        // A limit is told by its name, which is not there; to have entered or to be held is no failure.
        let wordless = [ORDERS_STEP_RLIMIT, ORDERS_STEP_ENTERED, ORDERS_STEP_HELD]
        let failure = #expect(throws: Failure.self) { try read([(orders_step(step), EPERM, 0)]) }
        #expect(failure?.message.hasPrefix("init step") == wordless.contains(orders_step(step)))
    }
}
