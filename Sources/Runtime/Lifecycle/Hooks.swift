internal import CKernel
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// The points at which hooks run, by their names in the specification.
enum HookKind: String {
    case prestart, createRuntime, createContainer, startContainer, poststart, poststop

    /// What the state says meanwhile.
    var status: Status {
        switch self {
        case .prestart, .createRuntime, .createContainer: .creating
        case .startContainer: .created
        case .poststart: .running
        case .poststop: .stopped
        }
    }
}

/// The hooks of one container, with what they are told about it.
struct ContainerHooks: Sendable {
    let spec: HooksSpec
    private let id: String
    private let bundle: String
    private let annotations: [Annotation]

    /// `nil` where the config has none.
    init?(_ spec: Spec, _ record: Record) {
        guard let hooks = spec.hooks, !hooks.isEmpty else { return nil }
        self.spec = hooks
        id = record.id
        bundle = record.bundle
        annotations = record.annotations
    }

    /// Those of the config as it was at `create`; the bundle may be gone.
    ///
    /// `nil` where `create` did not come as far as hooks.
    init?(of record: Record, _ folder: borrowing ContainerFolder) throws(Failure) {
        let name = ContainerFolder.Name.config
        guard try FileStatus.of(name, at: folder.directory.raw) != nil else { return nil }
        self.init(try folder.configReader().read(), record)
    }

    /// The state of the specification, as a hook reads it on its standard input.
    ///
    /// `pid` is that of the container's init where the hook is; `nil` when it has ended.
    func state(_ kind: HookKind, pid: Int32?) -> String {
        let (before, after) = parts(kind)
        guard let pid else { return before + "," + after }
        return before + ",\"pid\":\(pid)," + after
    }

    /// The same for those who do not know the pid yet: what comes before it, and after it.
    func stateAroundPid(_ kind: HookKind) -> (String, String) {
        let (before, after) = parts(kind)
        return (before + ",\"pid\":", "," + after)
    }

    private func parts(_ kind: HookKind) -> (String, String) {
        let begin: JSON = .object([
            "ociVersion": .string(Spec.version), "id": .string(id), "status": .string(kind.status.rawValue),
        ])
        let end: JSON = .object([
            "bundle": .string(bundle),
            "annotations": annotations.isEmpty ? nil : Annotation.json(annotations),
        ])
        return (String(begin.text().dropLast()), String(end.text().dropFirst()))
    }

    /// Runs all hooks of a kind, one after the other; the first failure ends it.
    func run(_ kind: HookKind, pid: Int32?) throws(Failure) {
        for index in list(kind).indices { try run(kind, index, pid: pid) }
    }

    /// The failures of these are warnings, and each has its turn.
    func runPoststop(_ warn: (String) -> Void) {
        for index in spec.poststop.indices {
            do throws(Failure) { try run(.poststop, index, pid: nil) } catch { warn(error.message) }
        }
    }

    private func run(_ kind: HookKind, _ index: Int, pid: Int32?) throws(Failure) {
        let hook = list(kind)[index]
        let end = try hook.run(
            in: bundle, state: state(kind, pid: pid), supervised: kind != .createContainer)
        if !end.hasSucceeded { throw end.failure(hook).of(kind, index) }
    }

    /// What mrun-init says of a hook startContainer.
    func failure(_ frame: [UInt8], _ index: Int) -> Failure {
        guard spec.startContainer.indices.contains(index) else { return .refused("hook \(index) is unknown") }
        do throws(Failure) {
            return try HookEnd(frame).failure(spec.startContainer[index]).of(.startContainer, index)
        } catch {
            return error.of(.startContainer, index)
        }
    }

    private func list(_ kind: HookKind) -> [HookSpec] {
        switch kind {
        case .prestart: spec.prestart
        case .createRuntime: spec.createRuntime
        case .createContainer: spec.createContainer
        case .startContainer: spec.startContainer
        case .poststart: spec.poststart
        case .poststop: spec.poststop
        }
    }
}

extension Failure {
    /// The words are those of runc.
    func of(_ kind: HookKind, _ index: Int) -> Failure { during("\(Failure.hook(kind))\(index)") }

    /// Whether a hook of this kind failed.
    func isOf(_ kind: HookKind) -> Bool { trail.contains { $0.hasPrefix(Failure.hook(kind)) } }

    private static func hook(_ kind: HookKind) -> String { "error running \(kind.rawValue) hook #" }
}

/// What is known of a hook that has ended, see `orders_hook_report`.
struct HookEnd {
    private let report: orders_hook_report
    private let out: String
    private let err: String

    init(_ frame: [UInt8]) throws(Failure) {
        let size = MemoryLayout<orders_hook_report>.size
        guard frame.count >= size else { throw .refused("what supervised it was killed") }
        report = frame.withUnsafeBytes { $0.loadUnaligned(as: orders_hook_report.self) }
        let text = frame[size...]
        let outSize = min(Int(report.out_size), text.count)
        out = HookEnd.text(text.prefix(outSize), isCut: report.cut & 1 != 0)
        err = HookEnd.text(text.dropFirst(outSize), isCut: report.cut & 2 != 0)
    }

    var hasSucceeded: Bool { report.how == UInt32(ORDERS_HOOK_ENDED.rawValue) && report.status == 0 }

    /// What went wrong, in words.
    func failure(_ hook: HookSpec) -> Failure {
        let errno = Int32(bitPattern: report.head.error)
        let words: String
        switch orders_hook_how(report.how) {
        case ORDERS_HOOK_NOT_EXECUTED: return Failure(.kernel(call: "exec \"\(hook.path)\"", errno: errno))
        case ORDERS_HOOK_NOT_STARTED: return Failure(.kernel(call: "start \"\(hook.path)\"", errno: errno))
        case ORDERS_HOOK_TIMED_OUT: words = "hook ran past specified timeout of \(hook.timeout ?? 0).0s"
        default:
            let status = WaitStatus(raw: Int32(bitPattern: report.status))
            words = status.signal.map { "signal \($0)" } ?? "exit status \(status.exitCode ?? 0)"
        }
        return .refused("\(words), stdout: \(out), stderr: \(err)")
    }

    /// Without the line breaks at its end.
    private static func text(_ bytes: ArraySlice<UInt8>, isCut: Bool) -> String {
        var bytes = bytes
        while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") {
            bytes.removeLast()
        }
        return (isCut ? "[…]" : "") + String(decoding: bytes, as: UTF8.self)
    }
}

extension HookSpec {
    /// Runs it in the folder `bundle`, and waits for its end.
    fileprivate func run(in bundle: String, state: String, supervised: Bool) throws(Failure) -> HookEnd {
        let room = MemoryLayout<orders_hook_report>.size + 2 * Int(ORDERS_HOOK_TEXT)
        var answer = 0
        let frame = [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
            guard let start = buffer.baseAddress else { return }
            withRequest(bundle, state) { request in
                answer = sys_run_hook(request, supervised, start, room)
            }
            filled = max(0, answer)
        }
        try checked("supervise \"\(path)\"", answer)
        return try HookEnd(frame)
    }

    private func withRequest(
        _ bundle: String, _ state: String, _ body: (UnsafePointer<hook_request>) -> Void
    ) {
        HookSpec.withTable(args) { argv in
            HookSpec.withTable(env) { envp in
                path.withCString { path in
                    bundle.withCString { bundle in
                        state.withCString { state in
                            var request = hook_request(
                                path: path, cwd: bundle, argv: argv, envp: envp, state: state,
                                timeout: timeout ?? 0)
                            body(&request)
                        }
                    }
                }
            }
        }
    }

    /// Strings as execve takes them: a table of pointers with a null one at its end.
    private static func withTable(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Void
    ) {
        var bytes: [UInt8] = []
        var offsets: [Int] = []
        for string in strings {
            offsets.append(bytes.count)
            bytes += string.utf8
            bytes.append(0)
        }
        bytes.withUnsafeBytes { buffer in
            let start = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            var pointers: [UnsafePointer<CChar>?] = []
            for offset in offsets { pointers.append(start.map { $0 + offset }) }
            pointers.append(nil)
            body(&pointers)
        }
    }
}

extension Containers {
    /// The last step of a start: the task runs, now the hooks poststart.
    ///
    /// When one fails, the container is removed.
    func finishStart(
        _ id: String, _ hooks: ContainerHooks, of process: ProcessIdentity?
    ) throws(Failure) {
        do { try hooks.run(.poststart, pid: process?.pid) } catch {
            try giveUp(id, process, after: error)
            throw error
        }
    }

    /// Removes a container after a hook of its start has failed, as the specification wants it.
    func giveUp(_ id: String, _ process: ProcessIdentity?, after failure: Failure) throws(Failure) {
        guard let process else { return }
        do { try delete(id, force: true, only: process) } catch {
            throw failure.during("removing the container was not possible either (\(error.message))")
        }
    }

    /// Once everything of the container but its record is gone.
    func runPoststop(_ record: Record, _ folder: borrowing ContainerFolder) {
        do { try ContainerHooks(of: record, folder)?.runPoststop(warn) } catch { warn(error.message) }
    }
}
