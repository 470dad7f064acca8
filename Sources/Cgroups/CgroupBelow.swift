internal import CKernel
internal import Glibc
package import Kernel

extension CgroupSet {
    /// These cgroups with others below them in their place, as `exec --cgroup` names them.
    ///
    /// One `PATH` is for all hierarchies; `CONTROLLER[,CONTROLLER]:PATH`, any number of them, each for its own.
    ///
    /// - Throws: a refusal of a path that would leave the container's cgroup, or of a controller that is not there.
    package func below(_ arguments: [String]) throws(Failure) -> CgroupSet {
        if arguments.isEmpty { return self }
        var paths = directories.map(\.path)
        var given = [Bool](repeating: false, count: paths.count)
        for argument in arguments {
            let bytes = argument.utf8
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
                guard arguments.count == 1 else {
                    throw .refused("invalid --cgroup argument: \(argument) (missing <controller>: prefix)")
                }
                let rest = try CgroupSet.inside(argument)
                for index in paths.indices { paths[index] += rest }
                continue
            }
            let rest = try CgroupSet.inside(String(Substring(bytes[bytes.index(after: colon)...])))
            let names = bytes[..<colon].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            for name in names.map({ String(Substring($0)) }) {
                guard !name.isEmpty else {
                    throw .refused("invalid --cgroup argument: \(argument) (empty <controller> prefix)")
                }
                guard version == .v1, let index = directories.firstIndex(where: { $0.has(name) }) else {
                    throw .refused("unknown controller \(name) in SubCgroupPaths")
                }
                let path = directories[index].path + rest
                // Controllers that share a hierarchy share its cgroups.
                guard !given[index] || paths[index] == path else {
                    throw .refused(
                        "invalid --cgroup argument(s): controller \(name) specified multiple times")
                }
                given[index] = true
                paths[index] = path
            }
        }
        var below: [Directory] = []
        for (index, directory) in directories.enumerated() {
            below.append(Directory(hierarchy: directory.hierarchy, path: paths[index]))
        }
        return CgroupSet(version: version, directories: below, controllers: controllers, owner: owner)
    }

    /// What a path adds to the container's own; empty, or begins with `/`.
    private static func inside(_ path: String) throws(Failure) -> String {
        var inside = ""
        for step in Path.steps(path) where step != "." {
            // Also where it would lead back inside: nobody means that.
            guard step != ".." else { throw .refused("bad sub cgroup path: \(path)") }
            inside += "/" + step
        }
        return inside
    }
}

extension CgroupManager {
    /// The cgroup2 directory that process `pid` is in, if that is one below the container's own.
    package func directory(ofMember pid: Int32) throws(Failure) -> FileDescriptor? {
        guard let own = set.unified else { return nil }
        let text = try Files.read("/proc/\(pid)/cgroup")
        let layout = CgroupLayout.parse(text, version: .v2) { _, isUnified in isUnified }
        guard let place = layout.hierarchies.first else { return nil }
        let path = place.mount + place.own
        guard path.utf8.starts(with: (own.path + "/").utf8), !Path.steps(path).contains("..") else {
            return nil
        }
        return try FileDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
    }
}
