internal import CKernel
internal import Cgroups
internal import Glibc
internal import JSON
public import Kernel

extension Containers {
    /// Removes a container that is stopped or was never started; with `force` any, killing what lives.
    ///
    /// Every step can be repeated, and the state goes last: after a kill -9 in the middle the next try
    /// finishes it.
    public func delete(_ id: String, force: Bool = false) throws(Failure) {
        guard let folder = try store.findLocked(id) else {
            if force { return }
            throw Containers.missing(id)
        }
        guard let record = try readable(folder, force: force) else {
            if let cgroups = try folder.notedCgroups() { try Containers.end(nil, CgroupManager(cgroups)) }
            return try folder.remove()
        }
        if !force {
            let status = try status(of: record, in: folder)
            if status == .running || status == .paused {
                throw .refused("cannot delete container \(id) that is not stopped: \(status.rawValue)")
            }
        }
        let process = try record.bootID == Record.currentBootID() ? record.process : nil
        try Containers.end(process, CgroupManager(record.cgroups))
        try folder.remove()
    }

    /// The record; `nil` when there is none, or, with `force`, a damaged one.
    private func readable(_ folder: borrowing ContainerFolder, force: Bool) throws(Failure) -> Record? {
        do { return try folder.record() } catch {
            if force { return nil }
            throw error
        }
    }

    /// Kills all processes and removes the cgroups.
    static func end(_ process: ProcessIdentity?, _ manager: CgroupManager) throws(Failure) {
        guard let handle = try process?.open() else {
            // Mostly nobody is left: then the kernel takes the cgroups away at once, and nothing need be looked for.
            if try isRemovable(manager) { return }
            try manager.killAll(Deadline(milliseconds: 10_000))
            return try manager.remove()
        }
        try handle.signal(SIGKILL)
        try manager.killAll(Deadline(milliseconds: 10_000))
        guard try handle.waitForEnd(milliseconds: 10_000) else {
            throw .refused("container init still running")
        }
        try manager.remove()
    }

    private static func isRemovable(_ manager: CgroupManager) throws(Failure) -> Bool {
        do {
            try manager.remove(milliseconds: 0)
            return true
        } catch {
            guard error.errno == EBUSY else { throw error }
            return false
        }
    }
}

extension ContainerFolder {
    /// The cgroups by the link that was made beside the record.
    borrowing func notedCgroups() throws(Failure) -> CgroupSet? {
        guard try FileStatus.of(Name.cgroups, at: directory.raw)?.isSymbolicLink == true else { return nil }
        let text = try Files.link(Name.cgroups, at: directory.raw)
        return try CgroupSet(Cursor(try JSON.parse(Array(text.utf8))))
    }
}
