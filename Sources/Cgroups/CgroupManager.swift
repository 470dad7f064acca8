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
        let limits = try limitWrites(resources)
        var making = Making(owner: set.owner)
        do {
            for directory in set.directories {
                try making.make(directory, marked: directory == set.primary || directory.isUnified)
            }
            for directory in set.directories {
                if set.version == .v2 { try enableControllers(in: directory, for: limits) }
                try write(limits, in: directory, isNew: making.madeLeaves.contains(directory.path))
            }
        } catch {
            making.undo()
            throw error
        }
    }

    /// Changes the limits of existing cgroups.
    package func update(resources: ResourceSpec) throws(Failure) {
        let limits = try limitWrites(resources)
        for directory in set.directories { try write(limits, in: directory, isNew: false, isUpdate: true) }
    }

    /// Refuses a cgroup that holds processes or is another container's; `create` does the same by itself.
    package func checkFree() throws(Failure) {
        for directory in set.directories {
            try refuseForeign(directory.path, owner: set.owner)
        }
    }
}

/// What is to be written for one controller.
struct LimitWrites {
    let controller: String
    let writes: [ControlWrite]
}

extension CgroupManager {
    /// All limits, checked: nothing has been touched when this throws.
    func limitWrites(_ resources: ResourceSpec) throws(Failure) -> [LimitWrites] {
        if set.version == .v1 && !resources.unified.isEmpty {
            throw Failure(.document(at: "/linux/resources/unified", "this host has cgroup v1"))
        }
        var limits: [LimitWrites] = []
        for controller in set.version == .v1 ? V1.all : V2.all {
            let writes = try controller.writes(for: resources)
            if writes.isEmpty { continue }
            if set.version == .v1 && set.directory(for: controller.name) == nil {
                let pointer = "/linux/resources/\(controller.name == "cpuset" ? "cpu" : controller.name)"
                throw Failure(
                    .document(
                        at: pointer, "the container has no cgroup of the controller \"\(controller.name)\""))
            }
            limits.append(LimitWrites(controller: controller.name, writes: writes))
        }
        return limits
    }

    /// Writes the limits that belong into `directory`.
    private func write(
        _ limits: [LimitWrites], in directory: CgroupSet.Directory, isNew: Bool, isUpdate: Bool = false
    ) throws(Failure) {
        let isCpuset = set.version == .v1 && directory.has("cpuset") && !isUpdate
        let own = limits.filter { set.version == .v2 || directory.has($0.controller) }
        if own.isEmpty && !isCpuset { return }
        guard let open = try CgroupDirectory.open(directory.path) else {
            throw Failure(.kernel(call: "open", errno: ENOENT)).during(cgroup(directory.path))
        }
        if isCpuset { try open.inheritCpuset(isNew: isNew) }
        for limit in own { try open.apply(limit.writes) }
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

// PENDING
extension CgroupManager {
    package func oomKills() throws(Failure) -> UInt64? { nil }
}
