internal import CKernel
internal import Glibc
internal import Kernel

/// The directories that one `create` has made, so that it can take them back.
struct Making {
    let owner: String
    /// The container's first process, where it is in cgroups already that systemd has made for it.
    let inside: Int32?
    private(set) var madeLeaves: [String] = []
    private var made: [String] = []
    private var marked: [String] = []

    init(owner: String, inside: Int32?) {
        self.owner = owner
        self.inside = inside
    }

    /// Makes a cgroup with its parents, or takes over one that is free.
    mutating func make(_ directory: CgroupSet.Directory, marked: Bool) throws(Failure) {
        let path = directory.path
        if try makeDirectory(path) {
            madeLeaves.append(path)
        } else {
            try refuseForeign(path, owner: owner, except: inside)
        }
        guard marked, !owner.isEmpty else { return }
        let answer = Mark.set(path, owner)
        if answer == -Int(EEXIST) {
            // Ours from before a crash, or another container that came first this very moment.
            guard try Mark.read(path) == owner else { throw belongsToAnother(path) }
        } else if answer != -Int(EOPNOTSUPP) {
            try checking(path, "setxattr", answer)
            self.marked.append(path)
        }
    }

    /// Makes one directory, and its parents where they are missing.
    ///
    /// - Returns: false when it is there already.
    private mutating func makeDirectory(_ path: String) throws(Failure) -> Bool {
        // A parent may be removed by another container's failure in between: a few rounds, then the error.
        var rounds = 0
        while true {
            let answer = sys_mkdirat(AT_FDCWD, path, 0o755)
            if answer == -Int(EEXIST) { return false }
            if answer == -Int(ENOENT), rounds < 8, let parent = parent(of: path) {
                rounds += 1
                _ = try makeDirectory(parent)
                continue
            }
            try checking(path, "mkdir", answer)
            made.append(path)
            return true
        }
    }

    private func parent(of path: String) -> String? {
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let parent = String(path[..<slash])
        return parent.hasPrefix(CgroupLayout.root + "/") ? parent : nil
    }

    /// Takes back what was made.
    ///
    /// The failure that led here is the one to tell, so what fails here is not told.
    func undo() {
        for path in marked { Mark.remove(path) }
        for path in made.reversed() { _ = sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR) }
    }
}

/// The name of the container that a cgroup directory is of, as an extended attribute on it.
///
/// A record that was written before its cgroups existed must not lead to the end of somebody else's processes.
enum Mark {
    private static let name = "trusted.mrun.owner"
    /// Where only the host's root may have such marks, an ordinary user has his own; he writes to no directory of root's.
    private static let ordinaryName = "user.mrun.owner"

    /// Marks a directory that has no mark; the kernel's answer.
    static func set(_ path: String, _ owner: String) -> Int {
        let answer = set(path, owner, name)
        return answer == -Int(EPERM) ? set(path, owner, ordinaryName) : answer
    }

    private static func set(_ path: String, _ owner: String, _ name: String) -> Int {
        var owner = owner
        return owner.withUTF8 { bytes in
            sys_add_attribute(path, name, bytes.baseAddress, bytes.count)
        }
    }

    static func remove(_ path: String) {
        if sys_remove_attribute(path, name) < 0 { _ = sys_remove_attribute(path, ordinaryName) }
    }

    /// The mark; empty where there is none, `nil` where the kernel has no such marks.
    static func read(_ path: String) throws(Failure) -> String? {
        let mark = try read(path, name)
        if mark != "" || sys_geteuid() == 0 { return mark }
        return try read(path, ordinaryName)
    }

    private static func read(_ path: String, _ name: String) throws(Failure) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let answer = sys_get_attribute(path, name, &buffer, buffer.count)
        if answer == -Int(EOPNOTSUPP) { return nil }
        if answer == -Int(ENODATA) || answer == -Int(ENOENT) { return "" }
        let length = try checking(path, "getxattr", answer)
        return String(decoding: buffer[..<length], as: UTF8.self)
    }
}

func belongsToAnother(_ path: String) -> Failure {
    .refused("\(cgroup(path)) belongs to another container")
}

/// Refuses a cgroup that exists and is in use or another container's.
func refuseForeign(_ path: String, owner: String, except pid: Int32? = nil) throws(Failure) {
    if !owner.isEmpty, let mark = try Mark.read(path), !mark.isEmpty, mark != owner {
        throw belongsToAnother(path)
    }
    let processes = try processes(below: path).filter { $0 != pid }
    guard let first = processes.first else { return }
    let words = processes.count == 1 ? "process \(first) is" : "\(processes.count) processes are"
    throw .refused("\(cgroup(path)) is in use: \(words) in it")
}
