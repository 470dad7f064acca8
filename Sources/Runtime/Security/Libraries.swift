internal import CSeccomp

/// The libraries that are linked into mrun.
package enum Libraries {
    /// The version of libseccomp, like `2.5.4`.
    package static var seccomp: String {
        guard let version = seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }
}
