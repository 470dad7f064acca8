internal import Glibc
internal import JSON
package import Kernel

/// Where messages go: `--log` and `--log-format`.
///
/// Library code throws; the one place that handles a failure reports it here, once: engines read the file as one JSON
/// object.
package final class Log: Sendable {
    /// How a message is written.
    package enum Format: String, Sendable { case text, json }
    /// How much a message matters.
    package enum Level: String, Sendable { case debug, info, warning, error }

    private let program: String
    private let format: Format
    private let file: FileDescriptor?
    private let isDebugging: Bool

    /// A log on standard error.
    package init(program: String) {
        self.program = program
        format = .text
        file = nil
        isDebugging = false
    }

    /// The log that `settings` ask for; its file is opened now, relative to the working directory of the caller.
    package init(program: String, settings: Settings) throws(Failure) {
        self.program = program
        format = settings.logFormat
        isDebugging = settings.isDebugging
        guard let path = settings.logFile else {
            file = nil
            return
        }
        file = try FileDescriptor.open(
            path, flags: O_WRONLY | O_APPEND | O_CREAT | O_SYNC | O_NOCTTY, mode: 0o644)
    }

    /// Its file, which is the first that mrun opens; −1 where there is none.
    package var descriptor: Int32 {
        switch file {
        case .some(let file): file.raw
        case .none: -1
        }
    }

    /// Writes what is being done, under `--debug` only.
    package func debug(_ message: @autoclosure () -> String) {
        if isDebugging { write(.debug, message()) }
    }

    /// Writes one message.
    package func write(_ level: Level, _ message: String) {
        let line = Log.line(level, message, format: format, at: Moment.now())
        guard file == nil else {
            do { try file?.write(line) } catch { complain("log: \(error.message)") }
            return
        }
        Log.toStandardError(line)
    }

    /// Tells people and programs why the command did not work: one line on standard error, one object in the log.
    package func report(_ failure: Failure) {
        let message = Log.oneLine(failure.message)
        // On standard error alone, one of the two forms is enough.
        if file != nil || format == .json { write(.error, message) }
        if file != nil || format == .text { complain(message) }
    }

    /// Names and values are the user's: a line break in one must not look like a second message.
    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return text }
        return text.unicodeScalars.map { scalar in
            switch scalar {
            case "\n": "\\n"
            case "\r": "\\r"
            case "\t": "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f: "\\x" + String(scalar.value, radix: 16)
            default: String(scalar)
            }
        }.joined()
    }

    private func complain(_ message: String) {
        Log.toStandardError("\(program): \(Log.onOneLine(message))\n")
    }

    /// Nobody is left to hear of an error here.
    private static func toStandardError(_ text: String) {
        do { try Output.error.write(text) } catch {}
    }

    /// One line of the log, with its newline: logrus' forms, which the clients of runc read.
    package static func line(_ level: Level, _ message: String, format: Format, at moment: Moment) -> String {
        let second: Int64 = 1_000_000_000
        let time = Moment(nanoseconds: moment.nanoseconds / second * second).text
        switch format {
        case .text:
            return "time=\"\(time)\" level=\(level.rawValue) msg=\(quoted(message))\n"
        case .json:
            let line: JSON = .object([
                "level": .string(level.rawValue), "msg": .string(message), "time": .string(time),
            ])
            return line.text() + "\n"
        }
    }

    /// Go's `%q` where logrus asks for it: unless all of the text is of `A-Za-z0-9-._/@^+`.
    private static func quoted(_ text: String) -> String {
        let plain = "-._/@^+".utf8
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: plain.contains(byte)
            }
        }
        if text.utf8.allSatisfy(isPlain) { return text }
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            default: out += printable(scalar)
            }
        }
        return out + "\""
    }

    /// `scalar`, or Go's escape of a control character.
    private static func printable(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\u{07}": return "\\a"
        case "\u{08}": return "\\b"
        case "\u{0c}": return "\\f"
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        case "\u{0b}": return "\\v"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            let digits = String(scalar.value, radix: 16)
            return "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits
        default: return String(scalar)
        }
    }

    /// `text` as one line: what a message repeats from its caller may hold line breaks, or sequences for a terminal.
    package static func onOneLine(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return text }
        return text.unicodeScalars.map(printable).joined()
    }
}
