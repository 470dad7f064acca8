extension JSON {
    /// The document as text: on one line, or indented by `indent` blanks a level.
    ///
    /// No newline at the end.
    public func text(indent: Int? = nil) -> String {
        var writer = Writer(indent: indent)
        writer.write(self, level: 0)
        return writer.out
    }
}

private struct Writer {
    let indent: Int?
    var out = ""

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: out += "null"
        case .bool(let flag): out += flag ? "true" : "false"
        case .integer(let number): out += String(number)
        case .unsigned(let number): out += String(number)
        case .double(let number): out += number.isFinite ? "\(number)" : "null"
        case .string(let text): write(text)
        case .array(let elements):
            // Arrays of plain values stay on one line even when indented: argument lists, not columns.
            let plain = elements.allSatisfy { if case .object = $0 { false } else { true } }
            list("[", "]", elements, level: level, inline: plain) { writer, element, level in
                writer.write(element, level: level)
            }
        case .object(let members):
            list("{", "}", members, level: level, inline: false) { writer, member, level in
                writer.write(member.name)
                writer.out += writer.indent == nil ? ":" : ": "
                writer.write(member.value, level: level)
            }
        }
    }

    private mutating func list<Element>(
        _ open: String, _ close: String, _ elements: [Element], level: Int, inline: Bool,
        _ body: (inout Writer, Element, Int) -> Void
    ) {
        out += open
        for (index, element) in elements.enumerated() {
            if index > 0 { out += indent != nil && inline ? ", " : "," }
            if !inline { newline(level + 1) }
            body(&self, element, level + 1)
        }
        if !inline && !elements.isEmpty { newline(level) }
        out += close
    }

    private mutating func newline(_ level: Int) {
        guard let indent else { return }
        out += "\n" + String(repeating: " ", count: indent * level)
    }

    private mutating func write(_ text: String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
