/// The program mrun-init, for the kind of machine that mrun itself was built for.
///
/// The EmbedInit plugin compiles `Sources/Init` and generates `InitImage`.
package enum InitBinary {
    /// The length of the ELF file, in bytes.
    package static var size: Int { InitImage.size }

    /// Calls `body` with the bytes of the ELF file, where they lie in mrun's own image: nothing is copied or decoded.
    package static func withBytes<Value, Thrown: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Thrown) -> Value
    ) throws(Thrown) -> Value {
        let words = InitImage.words  // a name of its own: its span must not outlive it
        let bytes = words.span.bytes
        return try bytes.extracting(first: InitImage.size).withUnsafeBytes(body)
    }
}
