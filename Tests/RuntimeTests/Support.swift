import Glibc
import Kernel

/// A folder of the test's own, gone with the value.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/mrun-test-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { TemporaryFolder.remove(path) }

    private static func remove(_ path: String) {
        if let status = try? FileStatus.of(path), status.isDirectory {
            for name in (try? Files.names(inFolder: path)) ?? [] { remove(path + "/" + name) }
        }
        _ = Glibc.remove(path)
    }

    func file(_ name: String, _ text: String = "", mode: UInt32 = 0o600) throws -> String {
        let path = path + "/" + name
        let file = try FileDescriptor.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try file.write(text)
        return path
    }

    func folder(_ name: String) -> String {
        _ = mkdir(path + "/" + name, 0o755)
        return path + "/" + name
    }

    func link(_ name: String, to target: String) { _ = symlink(target, path + "/" + name) }

    func text(_ name: String) throws -> String? { try Files.readIfPresent(path + "/" + name) }
}
