internal import Glibc
public import JSON
internal import Kernel

/// What a staying mrun-init has written of its task: see `orders.h` for the lines.
struct ExitRecord: Sendable, Equatable {
    var started: Moment?
    var finished: Moment?
    var status: WaitStatus?

    /// Reads the lines; one without its newline was torn by a crash and does not count.
    ///
    /// The first of each kind counts: whatever else finds its way into the file comes later.
    init(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ")
            guard words.count >= 2, let time = Int64(words[1]) else { continue }
            switch words[0] {
            case "started": started = started ?? Moment(nanoseconds: time)
            case "finished":
                guard words.count == 3, finished == nil, let status = Int32(words[2]) else { continue }
                finished = Moment(nanoseconds: time)
                self.status = WaitStatus(raw: status)
            default: continue
            }
        }
    }
}

extension ContainerFolder {
    /// What mrun-init has recorded so far; `nil` where none stays in the container.
    borrowing func exitRecord() throws(Failure) -> ExitRecord? {
        guard
            let file = try FileDescriptor.openIfPresent(
                Name.exit, at: directory.raw, flags: O_RDONLY | O_NOFOLLOW)
        else { return nil }
        return ExitRecord(String(decoding: try file.readSome(4096), as: UTF8.self))
    }
}

/// How a container's task ended.
public struct Ending: Sendable, Equatable {
    /// How it is known.
    public enum Source: String, Sendable {
        /// mrun-init wrote it down.
        case record
        /// mrun-init was ended from outside before it could write: only SIGKILL does that.
        case killed
        /// The kernel told, while `wait` was running.
        case kernel
        /// Nobody was there to see it.
        case unknown
    }

    let id: String
    let source: Source
    let status: WaitStatus?
    let oomKilled: Bool?
    let started: Moment?
    let finished: Moment?

    /// What `wait` prints; the members are described in docs/reference.md.
    public var json: JSON {
        .object([
            "id": .string(id),
            "waitStatus": status.map { .integer(Int64($0.raw)) } ?? "unknown",
            "exitCode": status?.exitCode.map { .integer(Int64($0)) },
            "signal": status?.signal.map { .integer(Int64($0)) },
            "oomKilled": oomKilled.map(JSON.bool),
            "startedAt": started.map { .string($0.text) },
            "finishedAt": finished.map { .string($0.text) },
            "source": .string(source.rawValue),
        ])
    }
}
