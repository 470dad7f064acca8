import CKernel
import Glibc
import JSON
import Kernel
import OCI
import Testing

@testable import Runtime

private func hook(_ script: String, timeout: UInt32? = nil, env: [String] = []) -> HookSpec {
    HookSpec(path: "/bin/sh", args: ["sh", "-c", script], env: env, timeout: timeout)
}

private func containerHooks(
    bundle: String = "/", _ change: (inout HooksSpec) -> Void = { _ in }
) throws -> ContainerHooks {
    var hooks = HooksSpec()
    hooks.poststop = [hook("exit 0")]
    change(&hooks)
    var spec = Spec()
    spec.hooks = hooks
    var record = try someRecord()
    record.bundle = bundle
    return try #require(ContainerHooks(spec, record))
}

/// The frame of a hook that failed, as mrun-init sends it.
private func frame(
    _ how: orders_hook_how, error: Int32 = ECANCELED, status: Int32 = 0, out: String = "", err: String = "",
    cut: UInt32 = 0
) -> [UInt8] {
    var report = orders_hook_report()
    report.head = orders_report(step: UInt32(ORDERS_STEP_HOOK.rawValue), error: UInt32(error), detail: 1)
    report.how = UInt32(how.rawValue)
    report.status = UInt32(status)
    report.out_size = UInt32(out.utf8.count)
    report.err_size = UInt32(err.utf8.count)
    report.cut = cut
    return withUnsafeBytes(of: &report) { [UInt8]($0) } + Array(out.utf8) + Array(err.utf8)
}

struct HookStateTests {
    @Test(
        arguments: [
            (.prestart, "creating"), (.createRuntime, "creating"), (.createContainer, "creating"),
            (.startContainer, "created"), (.poststart, "running"), (.poststop, "stopped"),
        ] as [(HookKind, String)])
    func `the state says what the container is at that point`(kind: HookKind, status: String) throws {
        let text = try containerHooks().state(kind, pid: 7)
        let want =
            #"{"ociVersion":"1.3.0","id":"web","status":"\#(status)","pid":7,"bundle":"/","annotations":{"z":"1","a/b":"é\n\""}}"#
        #expect(text == want)
        let (before, after) = try containerHooks().stateAroundPid(kind)
        #expect(before + "7" + after == want)
    }

    @Test func `without a process there is no pid`() throws {
        #expect(try !containerHooks().state(.poststop, pid: nil).contains("pid"))
    }

    @Test func `a config without hooks has none, and its record says so`() throws {
        var spec = Spec()
        #expect(try ContainerHooks(spec, someRecord()) == nil)
        spec.hooks = HooksSpec()
        #expect(try ContainerHooks(spec, someRecord()) == nil)
        #expect(try !someRecord().hooks)
        #expect(try !someRecord().json.text().contains("hooks"))
        var record = try someRecord()
        record.hooks = true
        #expect(try Record(Cursor(try JSON.parse(Array(record.json.text().utf8)))) == record)
    }
}

struct HookFailureTests {
    private func message(_ frame: [UInt8], timeout: UInt32? = nil) throws -> Failure {
        try containerHooks {
            $0.startContainer = [hook("0"), HookSpec(path: "/h", timeout: timeout)]
        }.failure(frame, 1)
    }

    @Test func `how a hook failed is told in words`() throws {
        let begin = "error running startContainer hook #1: "
        let ended = frame(ORDERS_HOOK_ENDED, status: 3 << 8, out: "a\nb\n\n", err: "é\r\n")
        #expect(try message(ended).message == begin + "exit status 3, stdout: a\nb, stderr: é")
        let killed = frame(ORDERS_HOOK_ENDED, status: SIGKILL)
        #expect(try message(killed).message == begin + "signal 9, stdout: , stderr: ")
        let slow = frame(ORDERS_HOOK_TIMED_OUT, out: "x", cut: 1)
        let words = "hook ran past specified timeout of 12.0s, stdout: […]x, stderr: "
        #expect(try message(slow, timeout: 12).message == begin + words)
        let missing = frame(ORDERS_HOOK_NOT_EXECUTED, error: ENOENT)
        #expect(try message(missing).message == begin + "exec \"/h\": No such file or directory")
        let unborn = frame(ORDERS_HOOK_NOT_STARTED, error: EAGAIN)
        let again = "start \"/h\": Resource temporarily unavailable"
        #expect(try message(unborn).message == begin + again)
        #expect(try message([]).message == begin + "what supervised it was killed")
    }

    @Test func `sizes that lie do no harm`() throws {
        var lying = frame(ORDERS_HOOK_ENDED, status: 256, out: "abc", err: "def")
        lying.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(
                of: .max, toByteOffset: MemoryLayout<orders_hook_report>.offset(of: \.out_size) ?? 0,
                as: UInt32.self)
        }
        #expect(try message(lying).message.hasSuffix("exit status 1, stdout: abcdef, stderr: "))
    }

    @Test func `a failure of a hook can be told from others`() throws {
        let failure = try message(frame(ORDERS_HOOK_ENDED, status: 256))
        #expect(failure.isOf(.startContainer) && failure.during("x").isOf(.startContainer))
        #expect(!failure.isOf(.poststart))
        #expect(!Failure.refused("error running startContainer hook #0").isOf(.startContainer))
    }
}

/// The hooks that mrun runs itself: with a supervisor, and (createContainer) without.
struct HookRunTests {
    @Test(arguments: [HookKind.createRuntime, .createContainer])
    func `they run one after the other, in the bundle, with what they are given`(kind: HookKind) throws {
        let folder = TemporaryFolder()
        let hooks = try containerHooks(bundle: folder.path) {
            let list = [hook("cat >state; echo $A >out", env: ["A=1"]), hook("pwd >>out; umask >>out")]
            $0.createRuntime = list
            $0.createContainer = list
        }
        try hooks.run(kind, pid: 42)
        #expect(try folder.text("state") == hooks.state(kind, pid: 42))
        #expect(try folder.text("out") == "1\n\(folder.path)\n0022\n")
    }

    @Test(arguments: [HookKind.createRuntime, .createContainer])
    func `the first that fails is the last`(kind: HookKind) throws {
        let folder = TemporaryFolder()
        let hooks = try containerHooks(bundle: folder.path) {
            let list = [hook("exit 0"), hook("echo a; echo b >&2; exit 5"), hook("touch third")]
            $0.createRuntime = list
            $0.createContainer = list
        }
        let failure = #expect(throws: Failure.self) { try hooks.run(kind, pid: 1) }
        let words = "error running \(kind.rawValue) hook #1: exit status 5, stdout: a, stderr: b"
        #expect(failure?.message == words)
        #expect(try folder.text("third") == nil)
    }

    @Test func `after poststop that fails the next one has its turn`() throws {
        let folder = TemporaryFolder()
        let hooks = try containerHooks(bundle: folder.path) {
            $0.poststop = [hook("exit 1"), hook("touch second"), HookSpec(path: "/no/such")]
        }
        var warnings: [String] = []
        hooks.runPoststop { warnings.append($0) }
        #expect(try folder.text("second") != nil)
        #expect(
            warnings == [
                "error running poststop hook #0: exit status 1, stdout: , stderr: ",
                "error running poststop hook #2: exec \"/no/such\": No such file or directory",
            ])
    }

    @Test func `one that hangs is ended with all its descendants, and what is in time is not`() throws {
        let folder = TemporaryFolder()
        let hooks = try containerHooks(bundle: folder.path) {
            $0.prestart = [hook("sleep 0.2", timeout: 30)]
            $0.createRuntime = [
                hook("(setsid sh -c 'echo $$ >pid; exec sleep 1000' &); sleep 1000; :", timeout: 1)
            ]
        }
        try hooks.run(.prestart, pid: 1)
        let failure = #expect(throws: Failure.self) { try hooks.run(.createRuntime, pid: 1) }
        #expect(failure?.message.contains("hook ran past specified timeout of 1.0s") == true)
        let pid = try #require(Int32(try folder.text("pid")?.split(separator: "\n").first ?? ""))
        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }
}
