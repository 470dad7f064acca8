internal import CommandLine
internal import Glibc
internal import Kernel
internal import Runtime

extension Invocation {
    /// Does `body` for the container that is named, or with `--regex` for each that matches, whether or not it works for
    /// the others.
    func forEachContainer(_ body: (String) throws(Failure) -> Void) throws(Failure) {
        guard arguments.flag("regex") else { return try body(try containerID()) }
        var failures: [String] = []
        for id in try matching(arguments.positionals[0]) {
            do throws(Failure) { try body(id) } catch { failures.append("\(id): \(error.message)") }
        }
        if !failures.isEmpty { throw .refused(failures.joined(separator: "; ")) }
    }

    /// The ids that an extended regular expression of POSIX is found in.
    private func matching(_ pattern: String) throws(Failure) -> [String] {
        var expression = regex_t()
        let answer = regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB)
        guard answer == 0 else {
            var text = [CChar](repeating: 0, count: 256)
            let length = regerror(answer, &expression, &text, text.count)
            let words = String(
                decoding: text.prefix(max(1, length) - 1).map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw .refused("invalid regular expression \"\(pattern)\": \(words)")
        }
        defer { regfree(&expression) }
        return try containers.ids().filter { regexec(&expression, $0, 0, nil, 0) == 0 }
    }
}
