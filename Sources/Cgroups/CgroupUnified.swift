internal import Glibc
internal import Kernel
internal import OCI

/// Enabling cgroup2 controllers: a cgroup has those that its parent passes on.
extension CgroupManager {
    /// Makes every ancestor pass on the controllers that the container is to have.
    ///
    /// Those of the limits and those asked for by name must be there; the others are taken where the host has them.
    func enableControllers(in directory: CgroupSet.Directory, for limits: [LimitWrites]) throws(Failure) {
        guard let leaf = try CgroupDirectory.open(directory.path), let parent = try leaf.child("..") else {
            return
        }
        var needed = set.version == .v2 ? set.controllers ?? [] : []
        for limit in limits where limit.controller != LimitWrites.core && !needed.contains(limit.controller) {
            needed.append(limit.controller)
        }
        let present = words(in: try leaf.read("cgroup.controllers"))
        let wanted = set.version == .v2 && set.controllers == nil ? try leaf.hostControllers() : []
        let missing = (needed + wanted.filter { !needed.contains($0) }).filter { !present.contains($0) }
        if missing.isEmpty { return }
        let failures = try parent.passOn(missing)
        for name in needed {
            guard let failure = failures.first(where: { $0.name == name })?.failure else { continue }
            guard let limit = limits.first(where: { $0.controller == name }), let write = limit.writes.first
            else { throw failure }
            throw failure.during(limit.pointer(of: write))
        }
    }
}

/// A controller that could not be enabled, and why.
private struct Refusal {
    let name: String
    let failure: Failure
}

extension CgroupDirectory {
    /// The controllers of the topmost cgroup that this process sees.
    fileprivate borrowing func hostControllers() throws(Failure) -> [String] {
        if let parent = try child(".."), try parent.isCgroup() { return try parent.hostControllers() }
        return words(in: try read("cgroup.controllers"))
    }

    /// Whether this is a cgroup2 directory, and not what a hierarchy is mounted on.
    private borrowing func isCgroup() throws(Failure) -> Bool { try read("cgroup.controllers") != nil }

    /// Lets the cgroups in this one have `names`, from the topmost ancestor down.
    fileprivate borrowing func passOn(_ names: [String]) throws(Failure) -> [Refusal] {
        var refusals: [Refusal] = []
        var present = words(in: try read("cgroup.controllers"))
        let lacking = names.filter { !present.contains($0) }
        if !lacking.isEmpty {
            if let parent = try child(".."), try parent.isCgroup() {
                refusals = try parent.passOn(lacking)
                present = words(in: try read("cgroup.controllers"))
            } else {
                refusals = lacking.map { name in
                    Refusal(
                        name: name, failure: .refused("this host has no cgroup v2 controller \"\(name)\""))
                }
            }
        }
        let passed = words(in: try read("cgroup.subtree_control"))
        let rest = names.filter { present.contains($0) && !passed.contains($0) }
        if rest.isEmpty { return refusals }
        do {
            try write(rest.map { "+" + $0 }.joined(separator: " "), to: "cgroup.subtree_control")
            return refusals
        } catch {
            if rest.count == 1 { return refusals + [Refusal(name: rest[0], failure: explained(error))] }
        }
        for name in rest {
            do { try write("+" + name, to: "cgroup.subtree_control") } catch {
                refusals.append(Refusal(name: name, failure: explained(error)))
            }
        }
        return refusals
    }

    /// The commonest reason is not what the kernel's word suggests.
    private borrowing func explained(_ failure: Failure) -> Failure {
        guard failure.errno == EBUSY else { return failure }
        return failure.during("a cgroup that holds processes cannot pass controllers on")
    }
}

/// The words of a list that is separated by blanks and ends with a newline.
func words(in text: String?) -> [String] {
    (text ?? "").split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
}
