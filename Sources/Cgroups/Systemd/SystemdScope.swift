internal import JSON
internal import Kernel

/// A scope unit of systemd: the cgroup of a container that systemd manages.
package struct SystemdScope: Sendable, Equatable {
    /// The unit's name, `mrun-web.scope`.
    package let unit: String
    /// The name of the slice that it is in.
    package let slice: String
    /// Whether it is with the systemd of the calling user, and not the system's.
    package let isUser: Bool

    init(unit: String, slice: String, isUser: Bool) {
        self.unit = unit
        self.slice = slice
        self.isUser = isUser
    }

    /// For the state record.
    var json: JSON {
        .object([
            "unit": .string(unit), "slice": .string(slice), "user": isUser ? .bool(true) : nil,
        ])
    }

    /// From the state record; a damaged one must not lead to the end of anything but a scope.
    init(_ c: Cursor) throws(Failure) {
        unit = try c.required("unit") { (c) throws(Failure) in
            let unit = try c.string()
            do throws(Failure) { try UnitName.check(unit, suffix: ".scope") } catch {
                throw c.failure(error.message)
            }
            return unit
        }
        slice = try c.required("slice") { (c) throws(Failure) in try c.string() }
        isUser = try c.optional("user") { (c) throws(Failure) in try c.bool() } ?? false
    }
}

/// The conversation with systemd about one scope.
struct ScopeControl: ~Copyable {
    private let scope: SystemdScope
    /// What the unit says that it is; it tells whose it is.
    private let description: String
    private var bus: BusConnection

    /// Connects.
    ///
    /// - Parameters:
    ///   - scope: what the conversation is about.
    ///   - owner: the container's, as its cgroups are marked.
    ///   - milliseconds: how long all of it may take.
    /// - Throws: a refusal that says where nobody answered.
    init(_ scope: SystemdScope, owner: String, milliseconds: Int64 = 30_000) throws(Failure) {
        self.scope = scope
        description = ScopeControl.description(owner)
        bus = try ServiceManager.connect(isUser: scope.isUser, Deadline(milliseconds: milliseconds))
    }

    private static func description(_ owner: String) -> String { "mrun container \(owner)" }

    /// What there is under the unit's name.
    enum Finding {
        case nothing
        case own
        case another
    }

    /// Looks for the unit.
    mutating func find() throws(Failure) -> Finding {
        try attempting("systemd unit \"\(scope.unit)\"") { () throws(Failure) in
            let unit = scope.unit
            let path: String
            switch try bus.call("GetUnit", "s", { $0.string(unit) }) {
            case .failure(let error) where error.isNoSuchUnit: return .nothing
            case .failure(let error): throw error.failure("GetUnit")
            case .success(let answer):
                var reader = BusReader(answer.body)
                path = try reader.string()
            }
            guard let found = try bus.text("Description", of: "org.freedesktop.systemd1.Unit", at: path)
            else {
                return .nothing
            }
            return found == description ? .own : .another
        }
    }

    /// Makes the scope, with the process `pid` in it.
    ///
    /// A unit of that name that has failed, and is left for somebody to look at, is out of the way first.
    mutating func start(pid: Int32, _ properties: [BusProperty]) throws(Failure) {
        do throws(Failure) {
            switch try begin(pid: pid, properties) {
            case .success: return
            case .failure(let error) where error.isUnitExists:
                _ = try bus.call("ResetFailedUnit", "s") { [unit = scope.unit] in $0.string(unit) }
            case .failure(let error): throw error.failure("StartTransientUnit")
            }
            if case .failure(let error) = try begin(pid: pid, properties) {
                throw error.failure("StartTransientUnit")
            }
        } catch { throw error.during("systemd unit \"\(scope.unit)\"") }
    }

    private mutating func begin(pid: Int32, _ properties: [BusProperty]) throws(Failure) -> Result<
        Void, BusError
    > {
        var all = [
            BusProperty("Description", .string(description)),
            BusProperty("Slice", .string(scope.slice)),
            BusProperty("Delegate", .bool(true)),
            BusProperty("DefaultDependencies", .bool(false)),
            BusProperty("PIDs", .array(of: "u", [.uint32(UInt32(bitPattern: pid))])),
        ]
        all += properties
        let unit = scope.unit
        let answer = try bus.call("StartTransientUnit", "ssa(sv)a(sa(sv))") { writer in
            writer.string(unit)
            writer.string("fail")
            writer.properties(all)
            writer.array(alignment: 8) { _ in }
        }
        switch answer {
        case .failure(let error): return .failure(error)
        case .success(let message):
            try complete(message, "start")
            return .success(())
        }
    }

    /// Waits for the end of the job that `answer` names.
    private mutating func complete(_ answer: BusMessage, _ what: String) throws(Failure) {
        var reader = BusReader(answer.body)
        let result = try bus.waitForEnd(ofJob: try reader.string(), sender: answer.sender)
        if result != "done" { throw .refused("systemd could not \(what) it: \(result) (see its journal)") }
    }

    /// Ends what is in the scope, and makes systemd forget it.
    mutating func stop() throws(Failure) {
        let unit = scope.unit
        do throws(Failure) {
            // Whoever may still be in there has been meant to die; `stop` would ask politely first.
            _ = try bus.call("KillUnit", "ssi") { writer in
                writer.string(unit)
                writer.string("all")
                writer.value(.int32(9))
            }
            switch try bus.call(
                "StopUnit", "ss",
                {
                    $0.string(unit); $0.string("replace")
                })
            {
            case .success(let message): try complete(message, "stop")
            case .failure(let error): if !error.isNoSuchUnit { throw error.failure("StopUnit") }
            }
            if case .failure(let error) = try bus.call("ResetFailedUnit", "s", { $0.string(unit) }),
                !error.isNoSuchUnit
            {
                throw error.failure("ResetFailedUnit")
            }
        } catch { throw error.during("systemd unit \"\(unit)\"") }
    }

    /// Tells systemd of new limits.
    mutating func change(_ properties: [BusProperty]) throws(Failure) {
        if properties.isEmpty { return }
        let unit = scope.unit
        let answer = try bus.call("SetUnitProperties", "sba(sv)") { writer in
            writer.string(unit)
            writer.value(.bool(true))
            writer.properties(properties)
        }
        if case .failure(let error) = answer {
            throw error.failure("SetUnitProperties").during("systemd unit \"\(unit)\"")
        }
    }
}

/// The systemd that units are made with.
enum ServiceManager {
    /// Connects to the system's systemd, or to that of the calling user.
    ///
    /// - Throws: a refusal that says where nobody answered.
    static func connect(isUser: Bool, _ deadline: Deadline) throws(Failure) -> BusConnection {
        let sockets = try isUser ? BusSocket.ofUser() : BusSocket.ofSystem()
        var reasons: [String] = []
        for socket in sockets {
            do {
                if let bus = try BusConnection.open(socket, deadline: deadline) { return bus }
                reasons.append("nobody answers at \"\(socket.path)\"")
            } catch { reasons.append(error.message) }
        }
        let which = isUser ? "the systemd of this user" : "systemd"
        throw .refused(
            "cannot talk to \(which), which --systemd-cgroup needs: \(reasons.joined(separator: "; ")) "
                + "(is it running? without it, leave the option out)")
    }

    /// The cgroup below which systemd makes those of its slices; empty for the root.
    static func controlGroup(isUser: Bool) throws(Failure) -> String {
        var bus = try connect(isUser: isUser, Deadline(milliseconds: 30_000))
        let path =
            try bus.text("ControlGroup", of: BusConnection.manager, at: "/org/freedesktop/systemd1") ?? ""
        let steps = Path.steps(path)
        guard !steps.contains(".."), !steps.contains(".") else {
            throw .refused("systemd is in cgroup \"\(path)\", outside of this cgroup namespace")
        }
        return steps.map { "/" + $0 }.joined()
    }
}

extension BusConnection {
    /// A property that is a text; `nil` where the object is gone.
    mutating func text(_ name: String, of interface: String, at path: String) throws(Failure) -> String? {
        let answer = try call("Get", interface: "org.freedesktop.DBus.Properties", path: path, "ss") {
            writer in
            writer.string(interface)
            writer.string(name)
        }
        switch answer {
        case .failure(let error):
            if error.isNoSuchUnit || error.name == "org.freedesktop.DBus.Error.UnknownObject" { return nil }
            throw error.failure("Get \(name)")
        case .success(let message):
            var reader = BusReader(message.body)
            guard message.signature == "v", try reader.signature() == "s" else {
                throw BusReader.malformed("\(name) is no text")
            }
            return try reader.string()
        }
    }
}
