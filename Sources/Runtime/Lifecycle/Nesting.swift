internal import CKernel
internal import Cgroups
internal import Glibc
internal import Kernel

extension Launch {
    /// Makes the child of an `exec` in the container's cgroup.
    ///
    /// On v2 a container may have passed its controllers on to cgroups of its own: then only those without others below
    /// them hold processes, and the child is born where the container's init has gone.
    func spawn(into manager: CgroupManager, beside process: Int32) throws(Failure) -> HalfMade {
        guard cgroups.version == .v2, let directory = try manager.directoryForSpawn() else {
            return try spawn(intoCgroup: -1)
        }
        do throws(Failure) { return try spawn(intoCgroup: directory.raw) } catch {
            guard error.errno == EBUSY, let inner = try manager.directory(of: process) else { throw error }
            return try spawn(intoCgroup: inner.raw)
        }
    }
}
