internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// Finds the file to execute, from inside the container.
struct ExecutableLookup {
    let process: ProcessSpec
    /// The value of the annotation `org.mrun.executable`: looked for in the working directory first, as Mesos
    /// does.
    let named: String?

    /// The path for execve.
    ///
    /// - Throws: in the words that clients match, with the exit status that shells give.
    func find() throws(Failure) -> String {
        let name = named ?? process.args[0]
        if let named, !named.hasPrefix("/"), isExecutable(process.cwd + "/" + named) {
            return process.cwd + "/" + named
        }
        if name.utf8.contains(UInt8(ascii: "/")) {
            let answer = check(name.hasPrefix("/") ? name : process.cwd + "/" + name)
            guard answer == 0 else { throw ExecutableLookup.failure(of: name, errno: Int32(-answer)) }
            return name
        }
        let path = process.env.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
        var denied = false
        for folder in path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let candidate = (folder.isEmpty ? process.cwd : String(Substring(folder))) + "/" + name
            let answer = check(candidate)
            if answer == 0 { return candidate }
            denied = denied || answer == -Int(EACCES)
        }
        if denied { throw ExecutableLookup.failure(of: name, errno: EACCES) }
        throw Failure(.refused("exec: \"\(name)\": executable file not found in $PATH"), exitStatus: 127)
    }

    private func isExecutable(_ path: String) -> Bool { check(path) == 0 }

    /// 0, or −errno.
    private func check(_ path: String) -> Int {
        var status = file_status()
        let found = sys_status(AT_FDCWD, path, 0, &status)
        if found < 0 { return found }
        guard status.mode & UInt32(S_IFMT) == UInt32(S_IFREG) else { return -Int(EACCES) }
        return sys_faccessat2(AT_FDCWD, path, X_OK, Int32(0x200))  // AT_EACCESS
    }

    /// How a shell would tell it: 127 when there is nothing, 126 when it cannot be run.
    static func failure(of name: String, errno: Int32) -> Failure {
        let missing = errno == ENOENT || errno == ENOTDIR
        let words = missing ? "no such file or directory" : errorText(errno).lowercased()
        return Failure(.refused("exec: \"\(name)\": \(words)"), exitStatus: missing ? 127 : 126)
    }
}
