internal import CKernel
internal import Glibc
package import Kernel
package import OCI

/// All that is done to the cgroups of one container; it does the I/O, the controllers say what is written.
package struct CgroupManager: Sendable {
    package let set: CgroupSet

    package init(_ set: CgroupSet) { self.set = set }
}

extension CgroupManager {
    /// Makes the directories and writes the limits.
    ///
    /// A cgroup that exists is taken over when it is empty and nobody else's. Otherwise this is refused before anything
    /// is written, and what was made so far is removed again. Parents that are missing are made, and stay when the
    /// container goes: others may have come to use them.
    ///
    /// - Throws: a refusal when a cgroup holds processes or is another container's; a failure with a JSON pointer when
    ///   there is no controller for a limit.
    package func create(resources: ResourceSpec) throws(Failure) {
        let limits = try Limits(resources, for: set)
        var making = Making(owner: set.owner)
        do {
            for directory in set.directories {
                try making.make(directory, marked: directory == set.primary || directory.isUnified)
            }
            for directory in set.directories {
                if set.version == .v2 { try enableControllers(in: directory, for: limits.writes) }
                try write(limits, in: directory, isNew: making.madeLeaves.contains(directory.path))
            }
        } catch {
            making.undo()
            throw error
        }
    }

    /// Changes the limits of existing cgroups.
    ///
    /// With `checkBeforeUpdate` a limit of memory below what is in use is refused: cgroup2 would end processes for it.
    package func update(resources: ResourceSpec) throws(Failure) {
        let limits = try Limits(resources, for: set)
        if resources.memory.checkBeforeUpdate == true, let limit = resources.memory.limit, limit > 0 {
            try refuseBelowUsage(limit)
        }
        for directory in set.directories { try write(limits, in: directory, isNew: false, isUpdate: true) }
    }

    /// Refuses limits for which there is no controller.
    package func check(_ resources: ResourceSpec) throws(Failure) { _ = try Limits(resources, for: set) }

    /// Refuses a cgroup that holds processes or is another container's; `create` does the same by itself.
    package func checkFree() throws(Failure) {
        for directory in set.directories {
            try refuseForeign(directory.path, owner: set.owner)
        }
    }
}

/// What is to be written for one controller.
struct LimitWrites: Equatable {
    let controller: String
    var writes: [ControlWrite]

    /// Stands for the files that every cgroup2 directory has: no controller.
    static let core = "cgroup"
}

/// All limits of a container, checked against what its cgroups can do.
struct Limits: Equatable {
    var writes: [LimitWrites] = []
    /// The device rules for an eBPF program; on v1 they are writes like the others.
    var devices: [DeviceRule] = []

    /// - Throws: a failure with a JSON pointer; nothing has been touched then.
    init(_ resources: ResourceSpec, for set: CgroupSet) throws(Failure) {
        switch set.version {
        case .v1:
            guard resources.unified.isEmpty else {
                throw Failure(.document(at: "/linux/resources/unified", "this host has cgroup v1"))
            }
            for controller in V1.all {
                let texts = try controller.writes(for: resources)
                if texts.isEmpty { continue }
                guard set.directory(for: controller.name) != nil else {
                    throw Limits.missing(controller.name)
                }
                writes.append(LimitWrites(controller: controller.name, writes: texts))
            }
        case .v2:
            for controller in V2.all {
                let texts = try controller.writes(for: resources).filter { write in
                    !resources.unified.contains { $0.name == write.file }
                }
                if !texts.isEmpty { writes.append(LimitWrites(controller: controller.name, writes: texts)) }
            }
            for file in resources.unified {
                let controller = String(file.name.prefix { $0 != "." })
                writes.append(
                    LimitWrites(controller: controller, writes: [ControlWrite(file.name, file.value)]))
            }
            devices = DeviceRules.effective(resources.devices)
            guard set.directories.isEmpty else { return }
            if let first = writes.first { throw Limits.missing(first.controller) }
            if !devices.isEmpty { throw Limits.missing("devices") }
        }
    }

    private static func missing(_ controller: String) -> Failure {
        let pointer = "/linux/resources/\(controller == "cpuset" ? "cpu" : controller)"
        return Failure(
            .document(at: pointer, "the container has no cgroup of the controller \"\(controller)\""))
    }
}

extension CgroupManager {
    private func refuseBelowUsage(_ limit: Int64) throws(Failure) {
        let directory = set.version == .v1 ? set.directory(for: "memory") : set.unified
        let file = set.version == .v1 ? "memory.usage_in_bytes" : "memory.current"
        guard let directory, let open = try CgroupDirectory.open(directory.path),
            let text = try open.read(file),
            let usage = Int64(text.prefix { $0 != "\n" }), usage > limit
        else { return }
        throw Failure(
            .document(at: "/linux/resources/memory/limit", "\(usage) bytes are in use, more than \(limit)"))
    }

    /// Writes the limits that belong into `directory`.
    private func write(
        _ limits: Limits, in directory: CgroupSet.Directory, isNew: Bool, isUpdate: Bool = false
    ) throws(Failure) {
        let isCpuset = set.version == .v1 && directory.has("cpuset") && !isUpdate
        let own = limits.writes.filter { set.version == .v2 || directory.has($0.controller) }
        if own.isEmpty && limits.devices.isEmpty && !isCpuset { return }
        guard let open = try CgroupDirectory.open(directory.path) else {
            throw Failure(.kernel(call: "open", errno: ENOENT)).during(cgroup(directory.path))
        }
        if isCpuset { try open.inheritCpuset(isNew: isNew) }
        for limit in own { try open.apply(limit.writes) }
        try open.restrictDevices(limits.devices, isNew: isNew)
    }
}

extension CgroupDirectory {
    /// Writes all; what the kernel refuses with `EINVAL` is written once more, after the others.
    borrowing func apply(_ writes: [ControlWrite]) throws(Failure) {
        var refused: [ControlWrite] = []
        var file = ""
        var open: Int32 = -1
        defer { if open >= 0 { _ = sys_close(open) } }
        for write in writes {
            // Device rules are many writes into one file: it is opened once.
            if write.file != file {
                if open >= 0 { try checking("close", sys_close(open)) }
                open = -1
                file = write.file
                let answer = sys_openat(descriptor.raw, file, O_WRONLY, 0)
                if isMissing(answer) && write.onlyIfPresent { continue }
                open = Int32(truncatingIfNeeded: try checking("open \"\(file)\"", answer))
            } else if open < 0 {
                continue
            }
            let answer = writeOnce(write.text, to: open)
            if answer == -Int(EINVAL) { refused.append(write) } else { try check(write, answer) }
        }
        if refused.isEmpty { return }
        for write in refused {
            guard let open = try self.open(write.file, O_WRONLY) else { continue }
            try check(write, writeOnce(write.text, to: open.raw))
        }
    }

    private borrowing func check(_ write: ControlWrite, _ answer: Int) throws(Failure) {
        guard answer < 0 else { return }
        var call = "write \"\(write.text)\" to \"\(write.file)\""
        if answer == -Int(EBUSY), write.file.hasPrefix("memory."),
            let usage = try read("memory.usage_in_bytes")
        {
            call += " (\(usage.prefix { $0.isNumber }) bytes are in use)"
        }
        try checking(call, answer)
    }

    /// Fills an empty v1 cpuset, and empty ones above it, from the nearest that is not.
    borrowing func inheritCpuset(isNew: Bool) throws(Failure) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let above = isNew ? try read("../\(file)") ?? "" : ""
            if above.contains(where: \.isNumber) {
                try write(above, to: file)
            } else {
                _ = try filled(file, depth: 64)
            }
        }
    }

    /// The value of `file`, which is filled from the parent when it is empty.
    private borrowing func filled(_ file: String, depth: Int) throws(Failure) -> String {
        let own = try read(file) ?? ""
        guard !own.contains(where: \.isNumber), depth > 0, let parent = try child("..") else { return own }
        let above = try parent.filled(file, depth: depth - 1)
        try write(above, to: file)
        return above
    }
}
