import CKernel
import JSON
import Kernel
import OCI
import Testing

@testable import Runtime

private func process(_ text: String) throws -> ProcessSpec {
    try decode(#"{"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/",\#(text)}}"#).process
        ?? ProcessSpec(args: [], cwd: "/")
}

/// The attributes of a block, and the block.
private func block(
    _ text: String, linux: String = "{}", isFurther: Bool = false
) throws -> (attributes: orders_attributes, bytes: [UInt8]) {
    let spec = try decode(#"{"ociVersion":"1.0.2","linux":\#(linux)}"#)
    let process = try process(text)
    let origin: ProcessOrigin = isFurther ? .options : .config
    let orders = try Orders(for: spec, process, stays: false, newKeyring: true, origin: origin)
    let bytes = orders.block()
    let header = bytes.withUnsafeBytes { $0.loadUnaligned(as: CKernel.orders.self) }
    #expect(header.attributes_offset > 0 && header.attributes_offset % 8 == 0)
    let attributes = bytes.withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: Int(header.attributes_offset), as: orders_attributes.self)
    }
    return (attributes, bytes)
}

private func words(_ bytes: [UInt8], _ offset: UInt32, _ count: UInt32) -> [UInt64] {
    bytes.withUnsafeBytes { buffer in
        (0..<Int(count)).map {
            buffer.loadUnaligned(fromByteOffset: Int(offset) + 8 * $0, as: UInt64.self)
        }
    }
}

struct TaskAttributesTests {
    @Test func `a task without any has none in its orders`() throws {
        let process = try process(#""oomScoreAdj":5"#)
        let orders = try Orders(for: Spec(), process, stays: false, newKeyring: true)
        #expect(orders.attributes == nil)
        let header = orders.block().withUnsafeBytes { $0.loadUnaligned(as: CKernel.orders.self) }
        #expect(header.attributes_offset == 0)
    }

    @Test func `the layout is that of the header`() {
        #expect(MemoryLayout<orders_scheduler>.size == 56)
        #expect(MemoryLayout<orders_attributes>.size == 104)
        #expect(MemoryLayout<orders_label>.size == 24)
    }

    @Test func `each is given where it is asked for`() throws {
        let deadline = try block(
            #""scheduler":{"policy":"SCHED_DEADLINE","runtime":1,"deadline":2,"period":3,"flags":["SCHED_FLAG_RECLAIM"]}"#
        ).attributes
        #expect(deadline.given == UInt32(ORDERS_SCHEDULER.rawValue) && deadline.proc_fd == -1)
        #expect(deadline.scheduler.size == 56 && deadline.scheduler.policy == 6)
        #expect(deadline.scheduler.flags == 2)
        #expect(
            deadline.scheduler.runtime == 1 && deadline.scheduler.deadline == 2
                && deadline.scheduler.period == 3)
        let nice = try block(#""scheduler":{"policy":"SCHED_BATCH","nice":-7}"#).attributes.scheduler
        #expect(nice.policy == 3 && nice.nice == -7)
        let io = try block(#""ioPriority":{"class":"IOPRIO_CLASS_BE","priority":6}"#).attributes
        #expect(io.given == UInt32(ORDERS_IO_PRIORITY.rawValue) && io.io_priority == 2 << 13 | 6)
        let persona = try block(#""env":[]"#, linux: #"{"personality":{"domain":"LINUX32"}}"#).attributes
        #expect(persona.given == UInt32(ORDERS_PERSONALITY.rawValue) && persona.personality == 8)
        let (policy, bytes) = try block(
            #""env":[]"#, linux: #"{"memoryPolicy":{"mode":"MPOL_BIND","nodes":"1,64"}}"#)
        #expect(policy.given == UInt32(ORDERS_MEMORY_POLICY.rawValue) && policy.memory_mode == 2)
        #expect(words(bytes, policy.nodes_offset, policy.node_words) == [2, 1])
    }

    @Test func `the affinity is for further processes, and its end alone for mrun-init`() throws {
        let text = #""execCPUAffinity":{"initial":"0","final":"1,3"}"#
        #expect(try block(text).attributes.given == 0)
        let (further, bytes) = try block(text, isFurther: true)
        #expect(further.given == UInt32(ORDERS_AFFINITY.rawValue))
        #expect(words(bytes, further.cpus_offset, further.cpu_words) == [10])
    }

    @Test(
        arguments: [
            (ORDERS_SCHEDULER, EPERM, "set the scheduler policy SCHED_BATCH: Operation not permitted"),
            (ORDERS_IO_PRIORITY, EINVAL, "set the I/O priority IOPRIO_CLASS_BE: Invalid argument"),
            (ORDERS_MEMORY_POLICY, EINVAL, "set the memory policy: Invalid argument"),
            (ORDERS_PERSONALITY, EINVAL, "set the personality: Invalid argument"),
            (ORDERS_AFFINITY, EINVAL, "run on the processors 9 of execCPUAffinity: Invalid argument"),
        ] as [(orders_attribute, Int32, String)])
    func `one that cannot be had is told in words`(attribute: orders_attribute, errno: Int32, want: String)
        throws
    {
        let process = try process(
            #"""
            "scheduler":{"policy":"SCHED_BATCH"},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":1},
            "execCPUAffinity":{"final":"9"}
            """#)
        let report = orders_report(
            step: UInt32(ORDERS_STEP_ATTRIBUTE.rawValue), error: UInt32(errno),
            detail: UInt32(attribute.rawValue))
        #expect(TaskAttributes.failure(report, process: process)?.message == want)
    }

    @Test func `a deadline that the kernel forbids is told in the words that clients know`() throws {
        let process = try process(#""scheduler":{"policy":"SCHED_DEADLINE","runtime":1,"deadline":1}"#)
        let report = orders_report(
            step: UInt32(ORDERS_STEP_ATTRIBUTE.rawValue), error: UInt32(EPERM),
            detail: UInt32(ORDERS_SCHEDULER.rawValue))
        let words = "process scheduler can't be used together with AllowedCPUs"
        #expect(TaskAttributes.failure(report, process: process)?.message.contains(words) == true)
    }
}

private let EPERM: Int32 = 1
private let EINVAL: Int32 = 22

struct SecurityLabelTests {
    private let folder = TemporaryFolder()

    private func modules(appArmor: String?, selinux: Bool) throws -> SecurityModules {
        SecurityModules(
            appArmorSwitch: try appArmor.map { try folder.file("enabled", $0) } ?? "/nonexistent",
            selinuxFile: selinux ? try folder.file("enforce") : "/nonexistent")
    }

    private let both = #""apparmorProfile":"web","selinuxLabel":"a:b:c""#

    @Test func `where the modules are at work, both labels are written and read back`() throws {
        let labels = try modules(appArmor: "Y\n", selinux: true).labels(of: process(both))
        #expect(labels.map(\.file) == ["self/attr/exec", "self/attr/apparmor/exec"])
        #expect(labels.map(\.text) == ["a:b:c", "exec web"])
        #expect(labels.map(\.label) == ["a:b:c", "web"])
        #expect(try modules(appArmor: nil, selinux: false).labels(of: process(#""env":[]"#)) == [])
    }

    @Test(arguments: [nil, "N\n", ""])
    func `a profile where AppArmor is off is refused with the file that clients look for`(text: String?)
        throws
    {
        let modules = try modules(appArmor: text, selinux: true)
        let failure = #expect(throws: Failure.self) { try modules.labels(of: process(both)) }
        #expect(failure?.message.contains("`/proc/self/attr/apparmor/exec`") == true)
        #expect(failure?.message.contains("AppArmor is not enabled") == true)
        // This asks for nothing; with AppArmor it does.
        let free = try process(#""apparmorProfile":"unconfined""#)
        #expect(try modules.labels(of: free) == [])
        let strict = try self.modules(appArmor: "Y\n", selinux: false)
        #expect(try strict.labels(of: free).map(\.text) == ["exec unconfined"])
    }

    @Test func `a label where SELinux is off is refused with the file that clients look for`() throws {
        let modules = try modules(appArmor: "Y\n", selinux: false)
        let failure = #expect(throws: Failure.self) { try modules.labels(of: process(both)) }
        #expect(failure?.message.contains("`/proc/self/attr/exec`") == true)
    }

    @Test func `a label that the kernel does not take is told by its file, never as a missing executable`()
        throws
    {
        let process = try process(both)
        func message(_ index: UInt32, _ errno: Int32) -> String {
            let step = UInt32(ORDERS_STEP_LABEL.rawValue)
            let report = orders_report(step: step, error: UInt32(errno), detail: index)
            return TaskAttributes.failure(report, process: process)?.message ?? ""
        }
        #expect(
            message(1, 2)
                == "AppArmor profile \"web\": `/proc/self/attr/apparmor/exec`: the kernel has no such profile"
        )
        #expect(message(0, 22) == "SELinux label \"a:b:c\": `/proc/self/attr/exec`: Invalid argument")
        #expect(message(0, 18) == "SELinux label \"a:b:c\": `/proc/self/attr/exec`: it shows another label")
        #expect(message(2, 22).isEmpty)
    }
}

struct TaskProcTests {
    @Test func `a copy of a procfs is taken from its root only`() throws {
        let copy = try TaskProc.copy()
        let here = try Files.link("self", at: copy.raw)
        #expect(here == (try Files.link("/proc/self")))
        for path in ["/proc/self", "/proc/sys", "/sys", "/"] {
            #expect(throws: Failure.self) { _ = try TaskProc.copy(of: path) }
        }
    }

    @Test func `a procfs of its own shows processes and nothing else`() throws {
        let own = try TaskProc.own()
        #expect(try FileStatus.of("self/attr/exec", at: own.raw) != nil)
        for name in ["sys", "sysrq-trigger", "kcore", "cmdline"] {
            #expect(try FileStatus.of(name, at: own.raw) == nil)
        }
    }
}

struct ExecProcessTests {
    private let folder = TemporaryFolder()

    private func config(_ change: (inout ProcessSpec) -> Void = { _ in }) -> Spec {
        var spec = Spec()
        var process = ProcessSpec(args: ["init"], cwd: "/")
        process.env = ["A=1"]
        process.user = UserSpec(uid: 1, gid: 2, additionalGids: [3])
        change(&process)
        spec.process = process
        return spec
    }

    @Test func `options change the config's process and leave the rest`() throws {
        var options = ExecOptions(arguments: ["ls", "-l"])
        options.environment = ["B=2"]
        options.additionalGroups = [4, 5]
        options.user = (uid: 9, gid: nil)
        options.noNewPrivileges = true
        let spec = try ExecProcess(options, in: config()).spec
        #expect(spec.args == ["ls", "-l"] && spec.env == ["A=1", "B=2"] && spec.noNewPrivileges)
        #expect(spec.user == UserSpec(uid: 9, gid: 2, additionalGids: [3, 4, 5]))
        #expect(spec.capabilities == nil)
    }

    @Test func `capabilities are added to three sets, and to the ambient one with inheritable ones`() throws {
        var options = ExecOptions(arguments: ["ls"])
        options.capabilities = ["CAP_KILL"]
        var sets = try #require(try ExecProcess(options, in: config()).spec.capabilities)
        #expect(
            sets.bounding == ["CAP_KILL"] && sets.permitted == ["CAP_KILL"] && sets.effective == ["CAP_KILL"])
        #expect(sets.inheritable.isEmpty && sets.ambient.isEmpty)
        var given = CapabilitySpec()
        given.inheritable = ["CAP_CHOWN"]
        sets = try #require(
            try ExecProcess(options, in: config { $0.capabilities = given }).spec.capabilities)
        #expect(sets.inheritable == ["CAP_CHOWN"] && sets.ambient == ["CAP_KILL"])
        options.capabilities = ["KILL"]
        #expect(throws: Failure.self) { try ExecProcess(options, in: config()) }
    }

    @Test func `a file says all, but what keeps the container in check`() throws {
        var options = ExecOptions(arguments: [])
        options.processFile = try folder.file("process", #"{"args":["a"],"cwd":"/x"}"#)
        let config = config {
            $0.apparmorProfile = "web"
            $0.selinuxLabel = "a:b:c"
            $0.oomScoreAdj = 7
        }
        let spec = try ExecProcess(options, in: config).spec
        #expect(spec.args == ["a"] && spec.cwd == "/x" && spec.env.isEmpty && spec.user == UserSpec())
        #expect(spec.apparmorProfile == "web" && spec.selinuxLabel == "a:b:c" && spec.oomScoreAdj == 7)
        options.processFile = try folder.file("other", #"{"args":["a"],"cwd":"/x","apparmorProfile":"own"}"#)
        #expect(try ExecProcess(options, in: config).spec.apparmorProfile == "own")
        options.arguments = ["b"]
        #expect(throws: Failure.self) { try ExecProcess(options, in: config) }
    }

    @Test func `capabilities of a file are its own, whatever an annotation says of the container's`() throws {
        var options = ExecOptions(arguments: [])
        options.processFile = try folder.file("process", #"{"args":["a"],"cwd":"/"}"#)
        var config = config()
        config.annotations = [Annotation(Meaning.capabilities, "untouched")]
        #expect(try ExecProcess(options, in: config).orders(in: config).capabilities != nil)
        options = ExecOptions(arguments: ["a"])
        #expect(try ExecProcess(options, in: config).orders(in: config).capabilities == nil)
    }
}
