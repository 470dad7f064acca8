internal import CKernel
internal import Cgroups
internal import Glibc
internal import JSON
internal import Kernel
internal import OCI

/// Where a process is described.
enum ProcessOrigin {
    /// In the container's config: it is the container's first.
    case config
    /// There too, with changes by the options of `exec`.
    case options
    /// In a file of its own.
    case file

    /// The JSON pointer of the process in its document.
    var pointer: String { self == .file ? "" : "/process" }
}

/// The process that `exec` makes.
struct ExecProcess {
    let spec: ProcessSpec
    private let origin: ProcessOrigin
    private let file: String?

    init(_ options: ExecOptions, in config: Spec) throws(Failure) {
        guard let first = config.process else { throw .refused("the config has no process") }
        file = options.processFile
        if let file = options.processFile {
            origin = .file
            spec = try ExecProcess.read(file, beside: first, options)
        } else {
            origin = .options
            spec = try ExecProcess.changed(first, options)
        }
    }

    func orders(in config: Spec, filters: SeccompCache? = nil) throws(Failure) -> Orders {
        do {
            return try Orders(
                for: config, spec, stays: false, newKeyring: true, origin: origin, filters: filters)
        } catch {
            guard let file else { throw error }
            throw error.during("process file \"\(file)\"")
        }
    }

    /// The file's process as it stands.
    ///
    /// What keeps the container in check, its labels and its place among the victims of a shortage of memory, is the
    /// container's where the file does not say otherwise.
    private static func read(
        _ file: String, beside first: ProcessSpec, _ options: ExecOptions
    ) throws(Failure) -> ProcessSpec {
        guard options.arguments.isEmpty else {
            throw .refused("there is a COMMAND (\"\(options.arguments[0])\") besides --process")
        }
        return try attempting("process file \"\(file)\"") { () throws(Failure) in
            var process = try ProcessSpec(Cursor(try JSON.parse(try Files.readRegular(file))))
            if let problem = process.problems(at: "").first { throw problem }
            process.apparmorProfile = process.apparmorProfile ?? first.apparmorProfile
            process.selinuxLabel = process.selinuxLabel ?? first.selinuxLabel
            process.oomScoreAdj = process.oomScoreAdj ?? first.oomScoreAdj
            return process
        }
    }

    /// The config's process, as the options change it.
    private static func changed(
        _ first: ProcessSpec, _ options: ExecOptions
    ) throws(Failure) -> ProcessSpec {
        var process = first
        guard let executable = options.arguments.first, !executable.isEmpty else {
            throw .refused("exec args cannot be empty")
        }
        process.args = options.arguments
        for entry in options.environment {
            guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex else {
                throw .refused("invalid environment variable: \"\(entry)\" is not NAME=VALUE")
            }
        }
        process.env += options.environment
        if let cwd = options.cwd {
            guard cwd.utf8.first == UInt8(ascii: "/") else {
                throw .refused("Cwd must be an absolute path, \"\(cwd)\" is not")
            }
            process.cwd = cwd
        }
        if let user = options.user {
            process.user.uid = user.uid
            process.user.gid = user.gid ?? process.user.gid
        }
        process.user.additionalGids += options.additionalGroups
        process.terminal = options.terminal
        if process.terminal && !process.env.contains(where: { $0.hasPrefix("TERM=") }) {
            process.env.append("TERM=xterm")
        }
        process.noNewPrivileges = process.noNewPrivileges || options.noNewPrivileges
        if !options.capabilities.isEmpty { try add(options.capabilities, to: &process) }
        if let profile = options.apparmorProfile, !profile.isEmpty { process.apparmorProfile = profile }
        if let label = options.selinuxLabel, !label.isEmpty { process.selinuxLabel = label }
        return process
    }

    /// Never inheritable: file capabilities of the image would else give what the bounding set still has
    /// (CVE-2022-29162).
    private static func add(_ names: [String], to process: inout ProcessSpec) throws(Failure) {
        for name in names where !CapabilitySets.isName(name) {
            throw .refused("\"\(name)\" is no capability")
        }
        var sets = process.capabilities ?? CapabilitySpec()
        sets.bounding += names
        sets.effective += names
        sets.permitted += names
        if !sets.inheritable.isEmpty { sets.ambient += names }
        process.capabilities = sets
    }
}

extension Launch {
    /// Makes the child where `execCPUAffinity.initial` wants it before it is in any cgroup.
    func spawnWithAffinity(besides initPID: Int32?) throws(Failure) -> HalfMade {
        guard let initial = process.execCPUAffinity?.initial else { return try spawnInside(besides: initPID) }
        // A child has its parent's affinity from its first moment on.
        let before = try Affinity.current()
        try attempting("run on the processors \(initial.text) of execCPUAffinity") { () throws(Failure) in
            try Affinity(words: initial.words).take()
        }
        let half = try spawnInside(besides: initPID)
        try before.take()
        return half
    }

    private func spawnInside(besides initPID: Int32?) throws(Failure) -> HalfMade {
        let manager = CgroupManager(cgroups)
        guard cgroups.version == .v2, let directory = try manager.directoryForSpawn() else {
            return try spawn(intoCgroup: -1)
        }
        do {
            return try spawn(intoCgroup: directory.raw)
        } catch {
            // A cgroup that passes its controllers on has no processes itself: the init has moved into one below.
            guard error.errno == EBUSY, let initPID, let below = try manager.directory(ofMember: initPID)
            else {
                throw error
            }
            return try spawn(intoCgroup: below.raw)
        }
    }
}
