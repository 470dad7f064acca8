internal import Kernel

/// Names of systemd's units, and where their cgroups are.
enum UnitName {
    private static let longest = 255

    /// Refuses what systemd takes for no name of a unit of the kind that `suffix` says.
    static func check(_ name: String, suffix: String) throws(Failure) {
        let stem = name.utf8.dropLast(suffix.utf8.count)
        guard name.hasSuffix(suffix), !stem.isEmpty, name.utf8.count <= longest else {
            throw .refused("\"\(name)\" is no name of a unit \"*\(suffix)\" with at most \(longest) bytes")
        }
        // The `@` of an instance may not come first.
        guard stem.allSatisfy(isAllowed), stem.first != UInt8(ascii: "@"), stem.first != UInt8(ascii: ".")
        else {
            throw .refused(
                "\"\(name)\" is no name of a unit: letters, digits and :-_.\\@ are allowed, other bytes as \\xNN"
            )
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "\\"),
            UInt8(ascii: "@"):
            true
        default: false
        }
    }

    /// The path of a slice's cgroup: `a-b.slice` is in `a.slice`, so `/a.slice/a-b.slice`; `-.slice` is the root.
    static func path(ofSlice slice: String) throws(Failure) -> String {
        if slice == "-.slice" { return "" }
        try check(slice, suffix: ".slice")
        let stem = slice.utf8.dropLast(".slice".utf8.count)
        let dash = UInt8(ascii: "-")
        let parts = stem.split(separator: dash, omittingEmptySubsequences: false)
        guard !parts.contains(where: \.isEmpty), !stem.contains(UInt8(ascii: "@")) else {
            throw .refused(
                "\"\(slice)\" is no name of a slice: a dash stands between two names, for a slice in a slice")
        }
        var path = ""
        var name: [UInt8] = []
        for part in parts {
            if !name.isEmpty { name.append(dash) }
            name += part
            path += "/" + String(decoding: name, as: UTF8.self) + ".slice"
        }
        return path
    }
}

extension SystemdScope {
    /// The scope that `linux.cgroupsPath` names: `slice:prefix:name` is `prefix-name.scope` in that slice.
    ///
    /// - Parameters:
    ///   - path: empty parts are the default: `system.slice` (a user's own systemd: `user.slice`), no prefix, the id;
    ///     without a path the prefix is `mrun`.
    ///   - id: the container's.
    ///   - isUser: whether the scope is with the user's own systemd.
    /// - Throws: a refusal of the path.
    init(path: String?, id: String, isUser: Bool) throws(Failure) {
        let path = path ?? ""
        var parts = path.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        if path.isEmpty { parts = ["", "mrun", ""] }
        guard parts.count == 3 else {
            throw .refused(
                "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"\(path)\" instead"
            )
        }
        let slice = parts[0].isEmpty ? (isUser ? "user.slice" : "system.slice") : parts[0]
        let name = parts[2].isEmpty ? id : parts[2]
        let unit = (parts[1].isEmpty ? name : "\(parts[1])-\(name)") + ".scope"
        do {
            _ = try UnitName.path(ofSlice: slice)
            try UnitName.check(unit, suffix: ".scope")
        } catch { throw error.during("cgroups path \"\(path)\"") }
        self.init(unit: unit, slice: slice, isUser: isUser)
    }
}
