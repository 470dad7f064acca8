package import Kernel

/// The caller's standard output and standard error, written without a buffer in between.
package enum Output {
    // A global is never destroyed, so these two descriptors stay open.
    static let standard = FileDescriptor(adopting: 1)
    static let error = FileDescriptor(adopting: 2)

    /// Writes `text` to standard output.
    package static func write(_ text: String) throws(Failure) {
        try attempting("standard output") { () throws(Failure) in try standard.write(text) }
    }
}
