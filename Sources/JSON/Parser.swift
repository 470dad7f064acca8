internal import CJSON
package import Kernel

extension JSON {
    /// Levels of nesting that are read; deeper documents are refused.
    package static let depthLimit: Int32 = 128

    /// Reads one JSON document, strictly: UTF-8, nothing after it, no NUL in any string, no member twice, no
    /// whole number that does not fit.
    ///
    /// - Throws: one line that says what is wrong, and where.
    package static func parse(_ bytes: [UInt8]) throws(Failure) -> JSON {
        guard let length = Int32(exactly: bytes.count), length > 0 else {
            throw Failure(
                .document(at: "", bytes.isEmpty ? "the document is empty" : "the document is too large"))
        }
        guard let tokener = json_tokener_new_ex(depthLimit) else { throw .refused("out of memory") }
        defer { json_tokener_free(tokener) }
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8)
        let root = bytes.withUnsafeBytes { buffer in
            json_tokener_parse_ex(tokener, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), length)
        }
        defer { json_object_put(root) }
        let outcome = json_tokener_get_error(tokener)
        let end = Int(json_tokener_get_parse_end(tokener))
        // json-c takes "null" and numbers at the top level for unfinished: more could follow. They are no
        // documents.
        guard outcome == json_tokener_success else {
            throw syntaxFailure(outcome, at: end, in: bytes)
        }
        if let extra = bytes[min(end, bytes.count)...].firstIndex(where: { !isBlank($0) }) {
            throw Failure(.document(at: "", "\(place(extra, in: bytes)): something follows the document"))
        }
        let names = try strictly(bytes) { () throws(Strictness.Fault) in try Strictness.names(in: bytes) }
        let value = try copied(root)
        // json-c keeps one member of each name.
        if names != value.memberCount {
            try strictly(bytes) { () throws(Strictness.Fault) in try Strictness.repeatedMember(in: bytes) }
        }
        return value
    }

    private static func strictly<T>(
        _ bytes: [UInt8], _ body: () throws(Strictness.Fault) -> T
    ) throws(Failure) -> T {
        do { return try body() } catch {
            throw Failure(.document(at: "", "\(place(error.offset, in: bytes)): \(error.words)"))
        }
    }

    private static func copied(_ root: OpaquePointer?) throws(Failure) -> JSON {
        do { return try copy(root, at: nil) } catch { return try copy(root, at: "") }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) }

    private static func syntaxFailure(_ outcome: json_tokener_error, at end: Int, in bytes: [UInt8])
        -> Failure
    {
        if outcome == json_tokener_continue {
            return Failure(.document(at: "", "the document ends too early"))
        }
        let words = String(cString: json_tokener_error_desc(outcome))
        return Failure(.document(at: "", "\(place(end, in: bytes)): \(words)"))
    }

    /// `line N, column M` of a byte.
    private static func place(_ offset: Int, in bytes: [UInt8]) -> String {
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return "line \(line), column \(before.count - lineStart + 1)"
    }

    /// Copies json-c's tree into a value, so that no pointer leaves this file.
    ///
    /// Without a JSON pointer the place of a failure is not known; building pointers for all values would take longer
    /// than all the rest.
    private static func copy(_ node: OpaquePointer?, at pointer: String?) throws(Failure) -> JSON {
        switch json_object_get_type(node) {
        case json_type_null: return .null
        case json_type_boolean: return .bool(json_object_get_boolean(node) != 0)
        case json_type_int:
            let signed = json_object_get_int64(node)
            let unsigned = json_object_get_uint64(node)
            return unsigned > UInt64(Int64.max) && signed >= 0 ? .unsigned(unsigned) : .integer(signed)
        case json_type_double:
            let number = json_object_get_double(node)
            guard number.isFinite else {
                throw Failure(.document(at: pointer ?? "", "the number is not finite"))
            }
            return .double(number)
        case json_type_string:
            let bytes = UnsafeBufferPointer(
                start: json_object_get_string(node), count: Int(json_object_get_string_len(node)))
            return .string(bytes.withMemoryRebound(to: UInt8.self) { String(decoding: $0, as: UTF8.self) })
        case json_type_array:
            var elements: [JSON] = []
            let count = json_object_array_length(node)
            elements.reserveCapacity(count)
            for index in 0..<count {
                let place = pointer.map { "\($0)/\(index)" }
                elements.append(try copy(json_object_array_get_idx(node, index), at: place))
            }
            return .array(elements)
        default: return .object(try members(of: node, at: pointer))
        }
    }

    private static func members(of node: OpaquePointer?, at pointer: String?) throws(Failure) -> [Member] {
        var members: [Member] = []
        members.reserveCapacity(Int(json_object_object_length(node)))
        var iterator = json_object_iter_begin(node)
        var end = json_object_iter_end(node)
        while json_object_iter_equal(&iterator, &end) == 0 {
            let name = String(cString: json_object_iter_peek_name(&iterator))
            let value = json_object_iter_peek_value(&iterator)
            let place = pointer.map { $0 + "/" + Cursor.escaped(name) }
            members.append(Member(name, try copy(value, at: place)))
            json_object_iter_next(&iterator)
        }
        return members
    }
}
