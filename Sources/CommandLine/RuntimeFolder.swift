internal import Glibc
internal import Kernel

/// The folder of a user's own for what lives as long as he is logged in.
enum RuntimeFolder {
    /// The value of `XDG_RUNTIME_DIR`, where the state of containers goes: for all but root of the host, and for who is
    /// root in a user namespace and does not call himself so (`USER`).
    ///
    /// `nil` when it is unset, which an empty one counts as.
    static func find() -> String? {
        guard let value = variable("XDG_RUNTIME_DIR") else { return nil }
        if geteuid() != 0 { return value }
        guard variable("USER") != "root" else { return nil }
        do throws(Failure) {
            let map = try Files.read("/proc/self/uid_map").split(whereSeparator: { $0 == " " || $0 == "\n" })
            return map == ["0", "0", "4294967295"] ? nil : value
        } catch {
            return nil
        }
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value[0] != 0 else { return nil }
        return String(cString: value)
    }
}
