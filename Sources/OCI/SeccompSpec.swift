internal import JSON
internal import Kernel

/// `linux.seccomp`: which system calls the container may make.
package struct SeccompSpec: Sendable, Equatable {
    package var defaultAction: String
    package var defaultErrnoRet: UInt32?
    package var architectures: [String] = []
    package var flags: [String] = []
    /// The socket of the agent that decides calls with `SCMP_ACT_NOTIFY`; absolute.
    package var listenerPath: String?
    /// For the agent.
    package var listenerMetadata: String?
    package var syscalls: [Rule] = []

    /// One entry of `syscalls`.
    package struct Rule: Sendable, Equatable {
        package var names: [String]
        package var action: String
        package var errnoRet: UInt32?
        package var args: [Argument] = []
        /// Where it stands, for messages.
        package let pointer: String
    }

    /// One condition on an argument.
    package struct Argument: Sendable, Equatable {
        package var index: UInt32
        package var value: UInt64
        package var valueTwo: UInt64
        package var op: String
    }

    init(_ c: Cursor) throws(Failure) {
        defaultAction = try c.required("defaultAction") { (c) throws(Failure) in try c.string() }
        defaultErrnoRet = try c.optional("defaultErrnoRet") { (c) throws(Failure) in try c.integer() }
        architectures = try c.list("architectures") { (c) throws(Failure) in try c.string() }
        flags = try c.list("flags") { (c) throws(Failure) in try c.string() }
        listenerPath = try c.member("listenerPath")?.listenerPath()
        listenerMetadata = try c.optional("listenerMetadata") { (c) throws(Failure) in try c.string() }
        if listenerPath == nil, listenerMetadata?.isEmpty == false,
            let place = try c.member("listenerMetadata")
        {
            throw place.failure("without \"listenerPath\" nobody would get it")
        }
        syscalls = try c.list("syscalls", Rule.init)
    }
}

extension SeccompSpec {
    var json: JSON {
        func words(_ list: [String]) -> JSON? { list.isEmpty ? nil : .array(list.map(JSON.string)) }
        return .object([
            "defaultAction": .string(defaultAction),
            "defaultErrnoRet": defaultErrnoRet.map { .integer(Int64($0)) },
            "architectures": words(architectures), "flags": words(flags),
            "listenerPath": listenerPath.map(JSON.string),
            "listenerMetadata": listenerMetadata.map(JSON.string),
            "syscalls": syscalls.isEmpty ? nil : .array(syscalls.map(\.json)),
        ])
    }
}

extension SeccompSpec.Rule {
    var json: JSON {
        .object([
            "names": .array(names.map(JSON.string)), "action": .string(action),
            "errnoRet": errnoRet.map { .integer(Int64($0)) },
            "args": args.isEmpty ? nil : .array(args.map(\.json)),
        ])
    }

    init(_ c: Cursor) throws(Failure) {
        names = try c.list("names") { (c) throws(Failure) in try c.string() }
        guard !names.isEmpty else { throw c.failure("\"names\" is missing or empty") }
        action = try c.required("action") { (c) throws(Failure) in try c.string() }
        errnoRet = try c.optional("errnoRet") { (c) throws(Failure) in try c.integer() }
        args = try c.list("args", SeccompSpec.Argument.init)
        pointer = c.pointer
    }
}

extension SeccompSpec.Argument {
    var json: JSON {
        .object([
            "index": .integer(Int64(index)), "value": .number(value), "valueTwo": .number(valueTwo),
            "op": .string(op),
        ])
    }

    init(_ c: Cursor) throws(Failure) {
        index = try c.required("index") { (c) throws(Failure) in try c.integer() }
        guard index < 6 else {
            throw c.failure("a system call has six arguments, there is none with index \(index)")
        }
        value = try c.required("value") { (c) throws(Failure) in try c.integer() }
        valueTwo = try c.optional("valueTwo") { (c) throws(Failure) in try c.integer() } ?? 0
        op = try c.required("op") { (c) throws(Failure) in try c.string() }
    }
}

extension Cursor {
    /// An absolute path, or `nil` for an empty text, which Go programs write for "none".
    fileprivate func listenerPath() throws(Failure) -> String? {
        try string().isEmpty ? nil : try absolutePath()
    }
}
