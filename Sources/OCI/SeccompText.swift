internal import JSON
package import Kernel

/// A `linux.seccomp` that has been found, but not read: profiles are long, and the same one comes again and again.
///
/// Whoever knows the text from before need not read it.
package struct SeccompText: Sendable, Equatable {
    private let document: [UInt8]
    private let extent: Range<Int>

    fileprivate init(in document: [UInt8], at extent: Range<Int>) {
        self.document = document
        self.extent = extent
    }

    /// The profile, as it stands in the document.
    package var bytes: ArraySlice<UInt8> { document[extent] }

    /// The same as a value; `nil` where it cannot be read.
    var json: JSON? {
        do { return try JSON.parse(Array(bytes)) } catch { return nil }
    }

    /// Reads it.
    ///
    /// - Throws: what is wrong with it, with its place in the document.
    package func read() throws(Failure) -> SeccompSpec {
        let c = Cursor(try JSON.parse(document))
        let profile = try c.required("linux") { (c) throws(Failure) in
            try c.required("seccomp", SeccompSpec.init)
        }
        return profile
    }
}

extension Spec {
    /// Reads a config, all but a seccomp profile: that goes to `linux.seccompText`.
    package init(reading document: [UInt8]) throws(Failure) {
        guard let extent = JSON.extent(of: "seccomp", in: "linux", document) else {
            try self.init(Cursor(try JSON.parse(document)))
            return
        }
        try self.init(Cursor(try JSON.parse(document, without: extent)))
        linux.seccompText = SeccompText(in: document, at: extent)
    }
}

extension LinuxSpec {
    /// The seccomp profile, read now where it has not been.
    package func readSeccomp() throws(Failure) -> SeccompSpec? {
        if let seccompText { return try seccompText.read() }
        return seccomp
    }
}
