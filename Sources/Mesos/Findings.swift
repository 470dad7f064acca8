package import Kernel
internal import OCI

/// Everything that speaks against a task: a translation names all problems at once, in Mesos' order.
package struct Problems: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one.
    package let all: [Failure]

    /// One line for each problem.
    package var description: String { all.map(\.message).joined(separator: "\n") }
}

/// What reading and checking a document brings up: problems refuse the task, warnings do not.
///
/// A reference, because every reader of one document adds to the same list.
final class Findings {
    private(set) var problems: [Failure] = []
    private(set) var warnings: [String] = []

    /// Notes what refuses the task, at a JSON pointer.
    func problem(_ pointer: String, _ text: String) {
        problems.append(Failure(.document(at: Findings.oneLine(pointer), Findings.oneLine(text))))
    }

    /// Notes what is refused although it is no part of the document, such as an option.
    func refusal(_ text: String) { problems.append(.refused(Findings.oneLine(text))) }

    /// Refuses what shapes the container in a way that this version does not bring about.
    func unsupported(_ pointer: String, _ what: String) {
        problem(pointer, "\(what): not supported by this version of mrun")
    }

    /// Notes what is left out without harm.
    func warn(_ pointer: String, _ text: String) { warnings.append(Findings.oneLine("\(pointer): \(text)")) }

    /// Ends the translation if anything was refused until now.
    func settle() throws(Problems) {
        if !problems.isEmpty { throw Problems(all: problems) }
    }

    /// The document's words must not forge lines of a log, nor drive a terminal.
    private static func oneLine(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            if scalar.properties.generalCategory == .control {
                line += scalar.escaped(asASCII: true)
            } else {
                line.unicodeScalars.append(scalar)
            }
        }
        return line
    }
}
