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
        try delete(id, force: force, only: nil)
    }

    /// With `only`, nothing happens unless it is that container's init: the id may be another container's by now.
    func delete(_ id: String, force: Bool, only process: ProcessIdentity?) throws(Failure) {
        guard let folder = try store.findLocked(id) else {
            if force { return }
            throw Containers.missing(id)
        }
        if let process, try folder.record()?.process != process { return }
        guard let record = try readable(folder, force: force) else {
            if let cgroups = try folder.notedCgroups() { try Containers.endAll(nil, CgroupManager(cgroups)) }
            return try folder.remove()
        }
        if !force {
            let status = try status(of: record, in: folder)
            if status == .running || status == .paused {
                throw .refused("cannot delete container \(id) that is not stopped: \(status.rawValue)")
            }
        }
        let isThisBoot = try record.bootID == Record.currentBootID()
        try Containers.endAll(
            isThisBoot ? record.process : nil, CgroupManager(record.cgroups), isThisBoot: isThisBoot)
        if record.hooks { runPoststop(record, folder) }
        try folder.remove()
    }

    /// The record; `nil` when there is none, or, with `force`, a damaged one.
    private func readable(_ folder: borrowing ContainerFolder, force: Bool) throws(Failure) -> Record? {
        do { return try folder.record() } catch {
            if force { return nil }
            throw error
        }
    }

    /// Ends everything of a container that is not in its folder: processes, cgroups, the unit that they are of.
    ///
    /// `isThisBoot`: after another one no unit is left.
    static func endAll(
        _ process: ProcessIdentity?, _ manager: CgroupManager, isThisBoot: Bool = true
    ) throws(Failure) {
        guard manager.set.scope != nil, isThisBoot else { return try end(process, manager) }
        // Another's unit has the name: then create has never come to make anything.
        let finding: CgroupManager.ScopeFinding
        do { finding = try manager.findScope() } catch {
            // What lives ends all the same; the record stays, to try the rest again.
            try end(process, manager)
            throw error
        }
        if finding == .another { return }
        try end(process, manager)
        try manager.stopScope()
    }

    /// Kills all processes and removes the cgroups.
    private static func end(_ process: ProcessIdentity?, _ manager: CgroupManager) throws(Failure) {
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
    /// Notes the cgroups beside the record, in one call: as the target of a link, which is never read half written.
    borrowing func note(_ cgroups: CgroupSet) throws(Failure) {
        let text = cgroups.json.text()
        // A link's target has room for a page.
        if text.utf8.count > 4000 { return try write(Name.cgroups, text) }
        try checked("note the cgroups", sys_symlinkat(text, directory.raw, Name.cgroups))
    }

    /// The cgroups by that note.
    borrowing func notedCgroups() throws(Failure) -> CgroupSet? {
        guard let status = try FileStatus.of(Name.cgroups, at: directory.raw) else { return nil }
        let text =
            status.isSymbolicLink
            ? Array(try Files.link(Name.cgroups, at: directory.raw).utf8)
            : try Files.readRegular(Name.cgroups, at: directory.raw)
        return try CgroupSet(Cursor(try JSON.parse(text)))
    }
}
