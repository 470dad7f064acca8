import Foundation
import Glibc
import Kernel

/// A folder of the test's own, gone with the value.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/mrun-test-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ text: String = "") throws -> String {
        let path = path + "/" + name
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    func folder(_ name: String) throws -> String {
        let path = path + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: path + "/" + name, withDestinationPath: target)
    }

    func text(_ name: String) -> String? { try? String(contentsOfFile: path + "/" + name, encoding: .utf8) }

    /// The paths of everything below, sorted.
    var contents: [String] {
        (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).sorted()
    }

    func open() throws -> FileDescriptor {
        try FileDescriptor.open(path, flags: O_RDONLY | O_DIRECTORY)
    }
}
