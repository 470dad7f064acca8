package import Kernel

extension ProcessSpec {
    /// Everything that is wrong with this process, each with its place; empty when it can be run.
    ///
    /// `pointer` is where it stands in its document; `namesExecutable` says that the executable is named elsewhere, so
    /// that the first argument may be anything.
    package func problems(at pointer: String, namesExecutable: Bool = false) -> [Failure] {
        var found: [Failure] = []
        func note(_ place: String, _ reason: String) {
            found.append(Failure(.document(at: pointer + place, reason)))
        }
        if args.isEmpty { note("/args", "args must not be empty") }
        if args.first == "" && !namesExecutable { note("/args/0", "the executable is empty") }
        if cwd.utf8.first != UInt8(ascii: "/") {
            note("/cwd", "Cwd must be an absolute path, \"\(cwd)\" is not")
        }
        if let score = oomScoreAdj, !(-1000...1000).contains(score) {
            note("/oomScoreAdj", "\(score) is outside -1000 to 1000")
        }
        // Plain searches: the lists are short, and each kind of set costs its metadata in every call.
        for (index, limit) in rlimits.enumerated()
        where rlimits[..<index].contains(where: { $0.type == limit.type }) {
            note("/rlimits/\(index)", "\"\(limit.type)\" is given twice")
        }
        for (index, entry) in env.enumerated() {
            switch entry.utf8.firstIndex(of: UInt8(ascii: "=")) {
            case nil: note("/env/\(index)", "\"\(entry)\" has no \"=\"")
            case entry.startIndex?: note("/env/\(index)", "the name is empty")
            default: break
            }
        }
        return found + terminalProblems(at: pointer)
    }
}
