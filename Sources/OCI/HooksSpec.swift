package import JSON
internal import Kernel

/// `hooks`: programs that the runtime runs at six points of a container's life.
package struct HooksSpec: Sendable, Equatable {
    package var prestart: [HookSpec] = []
    package var createRuntime: [HookSpec] = []
    package var createContainer: [HookSpec] = []
    package var startContainer: [HookSpec] = []
    package var poststart: [HookSpec] = []
    package var poststop: [HookSpec] = []

    package init() {}

    init(_ c: Cursor) throws(Failure) {
        prestart = try c.list("prestart", HookSpec.init)
        createRuntime = try c.list("createRuntime", HookSpec.init)
        createContainer = try c.list("createContainer", HookSpec.init)
        startContainer = try c.list("startContainer", HookSpec.init)
        poststart = try c.list("poststart", HookSpec.init)
        poststop = try c.list("poststop", HookSpec.init)
    }

    /// Whether there is none at all.
    package var isEmpty: Bool {
        !areInCreate && startContainer.isEmpty && poststart.isEmpty && poststop.isEmpty
    }

    /// Whether there are some to run before the container's root becomes the root.
    package var areInCreate: Bool {
        !(prestart.isEmpty && createRuntime.isEmpty && createContainer.isEmpty)
    }

    package var json: JSON {
        func list(_ hooks: [HookSpec]) -> JSON? { hooks.isEmpty ? nil : .array(hooks.map(\.json)) }
        return .object([
            "prestart": list(prestart), "createRuntime": list(createRuntime),
            "createContainer": list(createContainer), "startContainer": list(startContainer),
            "poststart": list(poststart), "poststop": list(poststop),
        ])
    }
}

/// One hook.
package struct HookSpec: Sendable, Equatable {
    /// Absolute.
    package var path: String
    /// With the name by which it is called in front.
    package var args: [String]
    /// `NAME=value` entries: all that it gets.
    package var env: [String] = []
    /// Seconds, above 0; `nil`: it may take as long as it likes.
    package var timeout: UInt32?

    package init(path: String, args: [String]? = nil, env: [String] = [], timeout: UInt32? = nil) {
        self.path = path
        self.args = args ?? [path]
        self.env = env
        self.timeout = timeout
    }

    init(_ c: Cursor) throws(Failure) {
        path = try c.required("path") { (c) throws(Failure) in try c.absolutePath() }
        let given = try c.list("args") { (c) throws(Failure) in try c.string() }
        args = given.isEmpty ? [path] : given
        env = try c.list("env") { (c) throws(Failure) in
            let entry = try c.string()
            guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex else {
                throw c.failure("\"\(entry)\" is not NAME=VALUE")
            }
            return entry
        }
        timeout = try c.optional("timeout") { (c) throws(Failure) in
            let seconds: Int64 = try c.integer()
            guard (1...Int64(Int32.max)).contains(seconds) else {
                throw c.failure("a time-out of \(seconds) s: it must be above 0, and at most \(Int32.max)")
            }
            return UInt32(seconds)
        }
    }

    var json: JSON {
        .object([
            "path": .string(path),
            "args": .array(args.map(JSON.string)),
            "env": env.isEmpty ? nil : .array(env.map(JSON.string)),
            "timeout": timeout.map { .integer(Int64($0)) },
        ])
    }
}
