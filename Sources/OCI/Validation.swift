internal import JSON
package import Kernel

extension Spec {
    /// Everything that is wrong with this config, each with its place; empty when it can be run.
    ///
    /// Decoding has checked types and words; these rules look at more than one field.
    package func problems() -> [Failure] {
        rules.flatMap { $0() }
    }

    private var rules: [() -> [Failure]] {
        [
            versionProblems, rootProblems, processProblems, mountProblems,
            namespaceProblems, namespaceDetailProblems,
            sysctlProblems, cgroupProblems, nameProblems,
        ]
    }

    private func problem(_ pointer: String, _ reason: String) -> Failure {
        Failure(.document(at: pointer, reason))
    }

    private func versionProblems() -> [Failure] {
        let parts = ociVersion.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.prefix(2).compactMap { UInt($0) }
        guard parts.count >= 3, numbers.count == 2, numbers[0] == 1 else {
            return [problem("/ociVersion", "\"\(ociVersion)\" is not a version 1 of the specification")]
        }
        return []
    }

    private func rootProblems() -> [Failure] {
        guard let root else { return [problem("/root", "\"root\" is missing")] }
        if root.path.isEmpty { return [problem("/root/path", "the path is empty")] }
        guard root.path == "/" else { return [] }
        var found: [Failure] = []
        if root.readonly {
            found.append(problem("/root/readonly", "the host's root cannot be made read-only"))
        }
        if !linux.devices.isEmpty {
            found.append(problem("/linux/devices", "no device is made in the host's root"))
        }
        return found
    }

    private func processProblems() -> [Failure] {
        guard let process else { return [problem("/process", "\"process\" is missing")] }
        return process.problems(at: "/process", namesExecutable: annotation(Meaning.executable) != nil)
    }

    private func mountProblems() -> [Failure] {
        var found = mappedMountProblems() + deviceProblems()
        let ownsMounts = linux.namespace(.mount) != nil
        if !ownsMounts {
            let why = "without a mount namespace of its own the container would change the host's mounts"
            found.append(problem("/linux/namespaces", why))
        }
        return found
    }

    private func namespaceProblems() -> [Failure] {
        var found: [Failure] = []
        let all = linux.namespaces
        for (index, namespace) in all.enumerated()
        where all[..<index].contains(where: { $0.kind == namespace.kind }) {
            let words = "\"\(namespace.kind.rawValue)\" is given twice"
            found.append(problem("/linux/namespaces/\(index)", words))
        }
        if (hostname != nil || domainname != nil) && linux.namespace(.uts) == nil {
            let words = "unable to set it without a private UTS namespace"
            found.append(problem(hostname != nil ? "/hostname" : "/domainname", words))
        }
        return found
    }

    private func sysctlProblems() -> [Failure] {
        linux.sysctl.compactMap { entry in
            let pointer = "/linux/sysctl/" + Cursor.escaped(entry.name)
            guard let kind = SysctlScope.namespace(of: entry.name) else {
                return problem(pointer, "\"\(entry.name)\" belongs to no namespace: it would change the host")
            }
            // One that is joined by path may still be the host's: that is seen when it is opened.
            guard linux.namespace(kind) != nil else {
                return problem(
                    pointer, "\"\(entry.name)\" needs a \(kind.rawValue) namespace of the container's own")
            }
            return nil
        }
    }

    private func cgroupProblems() -> [Failure] {
        guard let path = linux.cgroupsPath else { return [] }
        let steps = Path.steps(path)
        if steps.isEmpty {
            return [problem("/linux/cgroupsPath", "\"\(path)\" is the root of the hierarchy")]
        }
        if steps.contains("..") || steps.contains(".") {
            return [problem("/linux/cgroupsPath", "\"\(path)\" leaves its hierarchy")]
        }
        if path.utf8.contains(UInt8(ascii: "\n")) {
            return [problem("/linux/cgroupsPath", "the path holds a line break")]
        }
        return []
    }

    private func nameProblems() -> [Failure] {
        [("/hostname", hostname), ("/domainname", domainname)].compactMap { pointer, name in
            guard let name, name.utf8.count > 64 else { return nil }
            return problem(pointer, "the name has \(name.utf8.count) bytes, the kernel takes 64")
        }
    }
}

extension Spec {
    /// What this config changes in the namespace of a kind, in a word; `nil` when nothing.
    ///
    /// In a namespace of the host it must not.
    package func change(in kind: NamespaceKind) -> String? {
        if kind == .uts, let name = hostname ?? domainname { return "the name \"\(name)\"" }
        let entry = linux.sysctl.first { SysctlScope.namespace(of: $0.name) == kind }
        return entry.map { "\"\($0.name)\"" }
    }
}

/// Which namespace a sysctl belongs to; only such ones may be set for a container.
package enum SysctlScope {
    package static func namespace(of name: String) -> NamespaceKind? {
        let dotted = String(name.map { $0 == "/" ? "." : $0 })
        if dotted.split(separator: ".", omittingEmptySubsequences: false).contains("") { return nil }
        if dotted.hasPrefix("net.") { return .network }
        if dotted.hasPrefix("fs.mqueue.") { return .ipc }
        if dotted == "kernel.domainname" || dotted == "kernel.hostname" { return .uts }
        let ipc = [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
        ]
        if ipc.contains(dotted) || dotted == "kernel.shmmni" || dotted == "kernel.shm_rmid_forced" {
            return .ipc
        }
        return nil
    }
}
