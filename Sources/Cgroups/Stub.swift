internal import CKernel
internal import Glibc
package import JSON
package import Kernel
package import OCI

package struct CgroupLayout: Sendable {
    package enum Version: String, Sendable { case v1, v2 }
    package static func detect() throws(Failure) -> CgroupLayout { CgroupLayout() }
}
package struct CgroupSet: Sendable, Equatable {
    package struct Place: Sendable, Equatable { package let hierarchy: String; package let directory: String }
    package let version: CgroupLayout.Version
    package let directories: [Place]
    package var json: JSON {
        .array(directories.map { .array([.string($0.hierarchy), .string($0.directory)]) })
    }
    package init(_ c: Cursor) throws(Failure) {
        version = .v1
        directories = try c.elements { (c) throws(Failure) in
            let p = try c.elements { (c) throws(Failure) in try c.string() }
            return Place(hierarchy: p[0], directory: p[1])
        }
    }
    init(_ d: [Place]) { version = .v1; directories = d }
    package static func plan(path: String, controllers: [String]?, layout: CgroupLayout) throws(Failure)
        -> CgroupSet
    {
        let all =
            controllers ?? [
                "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd",
            ]
        return CgroupSet(all.map { Place(hierarchy: $0, directory: "/sys/fs/cgroup/\($0)\(path)") })
    }
}
package struct CgroupManager: Sendable {
    let set: CgroupSet
    package init(_ set: CgroupSet) { self.set = set }
    package func checkFree() throws(Failure) {}
    package func create(resources: ResourceSpec) throws(Failure) {
        for p in set.directories {
            var path = ""
            for step in p.directory.split(separator: "/") {
                path += "/" + step; _ = sys_mkdirat(AT_FDCWD, path, 0o755)
            }
            if p.hierarchy == "cpuset" {
                try Files.write("0-1", to: p.directory + "/cpuset.cpus");
                try Files.write("0", to: p.directory + "/cpuset.mems")
            }
            if p.hierarchy == "memory", let l = resources.memory.limit {
                try Files.write("\(l)", to: p.directory + "/memory.limit_in_bytes")
            }
            if p.hierarchy == "cpu", let l = resources.cpu.shares {
                try Files.write("\(l)", to: p.directory + "/cpu.shares")
            }
            if p.hierarchy == "devices" {
                for r in resources.devices {
                    try Files.write(
                        r.kind == .all
                            ? "a"
                            : "\(r.kind.rawValue) \(r.major.map { String($0) } ?? "*"):\(r.minor.map { String($0) } ?? "*") \(r.access)",
                        to: p.directory + (r.allow ? "/devices.allow" : "/devices.deny"))
                }
            }
        }
    }
    package func attach(pid: Int32) throws(Failure) {
        for p in set.directories { try Files.write("\(pid)", to: p.directory + "/cgroup.procs") }
    }
    package func processes() throws(Failure) -> [Int32] { [] }
    package func isFrozen() throws(Failure) -> Bool { false }
    package func freeze() throws(Failure) {}
    package func thaw() throws(Failure) {}
    package func signalAll(_ s: Int32) throws(Failure) {}
    package func killAll() throws(Failure) {}
    package func remove() throws(Failure) {
        for p in set.directories {
            while sys_unlinkat(AT_FDCWD, p.directory, AT_REMOVEDIR) == -Int(EBUSY) { pause(microseconds: 50) }
        }
    }
    package func oomKills() throws(Failure) -> UInt64? { nil }
    package func statistics() throws(Failure) -> JSON { .null }
    package func directoryForSpawn() throws(Failure) -> FileDescriptor? { nil }
}
