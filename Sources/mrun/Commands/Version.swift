internal import CommandLine
internal import Kernel
internal import OCI
internal import Runtime

/// `mrun --version`: the lines that the clients of runc look for.
enum Version {
    static let number = "0.1.0"

    static func print(_ program: String) throws(Failure) -> Int32 {
        try Output.write(
            """
            \(program) version \(number)
            spec: \(Spec.version)
            libseccomp: \(Libraries.seccomp)

            """)
        return 0
    }
}
