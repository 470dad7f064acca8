public import JSON

/// One thing that `doctor` looked at.
public struct Finding: Sendable, Equatable {
    /// How it stands.
    public enum Verdict: String, Sendable {
        /// Here, and as it should be.
        case ok
        /// Not here; containers that do not ask for it run all the same.
        case missing
        /// Not here, and no container runs without it.
        case needed
        /// Worth knowing, neither good nor bad.
        case note
    }

    /// The heading that it stands under, like `cgroups`.
    public let topic: String
    /// What was looked at, like `memory controller`.
    public let name: String
    /// How it stands.
    public let verdict: Verdict
    /// What was seen; may be empty.
    public let detail: String
    /// What its absence costs, and what to do; empty where nothing is amiss.
    public let cost: String

    /// One row of `--format json`.
    public var json: JSON {
        .object([
            "topic": .string(topic), "name": .string(name), "verdict": .string(verdict.rawValue),
            "detail": detail.isEmpty ? nil : .string(detail), "cost": cost.isEmpty ? nil : .string(cost),
        ])
    }
}

/// Collects findings under one heading.
struct Findings {
    private(set) var all: [Finding] = []
    private let topic: String

    init(_ topic: String) { self.topic = topic }

    mutating func note(_ name: String, _ detail: String) {
        all.append(Finding(topic: topic, name: name, verdict: .note, detail: detail, cost: ""))
    }

    /// Something that is here or not; `cost` is said only where it is not.
    mutating func check(
        _ name: String, _ isHere: Bool, detail: String = "", needed: Bool = false, cost: String
    ) {
        let absent: Finding.Verdict = needed ? .needed : .missing
        all.append(
            Finding(
                topic: topic, name: name, verdict: isHere ? .ok : absent, detail: detail,
                cost: isHere ? "" : cost))
    }
}
