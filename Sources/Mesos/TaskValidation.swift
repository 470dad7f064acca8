extension TaskInfo {
    /// Notes what the Mesos master would refuse, rule by rule in its order (`src/master/validation.cpp`).
    func check(_ findings: Findings) {
        taskID.check(findings)
        agentID.check(findings)
        if let grace = killPolicy?.gracePeriod, grace.nanoseconds < 0 {
            findings.problem(grace.pointer, "the task's 'kill_policy.grace_period' must be non-negative")
        }
        if let maxCompletionTime, maxCompletionTime.nanoseconds < 0 {
            findings.problem(
                maxCompletionTime.pointer, "the task's 'max_completion_time' must be non-negative")
        }
        check?.check(findings)
        healthCheck?.check(findings)
        checkResources(findings)
        command?.check(findings)
        checkLimits(findings)
        if (command == nil) == (executor == nil) {
            let words = "task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
            findings.problem(executor ?? "/command", words)
        }
        if let linux = container?.linux, !linux.sharesCgroups {
            let words = "only tasks in a task group may have 'share_cgroups' set to 'false'"
            findings.problem(linux.cgroupsPointer, words)
        }
    }

    private func checkResources(_ findings: Findings) {
        if resources.isEmpty { findings.problem("/resources", "task uses no resources") }
        for resource in resources { resource.check(findings) }
        let roles = resources.filter { $0.allocationRole != nil }
        if let first = roles.first,
            let other = roles.first(where: { $0.allocationRole != first.allocationRole })
        {
            let names = "'\(first.allocationRole ?? "")' and '\(other.allocationRole ?? "")'"
            findings.problem(other.pointer, "the resources have multiple allocation roles (\(names))")
        }
        for (index, resource) in resources.enumerated() {
            let before = resources[..<index].first { $0.name == resource.name }
            guard let before, before.isRevocable != resource.isRevocable else { continue }
            let words = "task mixes revocable and non-revocable resources: '\(resource.name)'"
            findings.problem(resource.pointer, words)
        }
    }

    private func checkLimits(_ findings: Findings) {
        for limit in limits {
            switch limit.name {
            case "cpus":
                guard let request = Amounts.sum("cpus", of: resources) else {
                    findings.problem(
                        limit.pointer, "when a CPU limit is specified, a CPU request must be, too")
                    continue
                }
                guard limit.value < request.value else { continue }
                let words = "the cpu limit must be greater than or equal to the cpu request"
                findings.problem(limit.pointer, words)
            case "mem":
                guard let request = Amounts.sum("mem", of: resources) else {
                    findings.problem(
                        limit.pointer, "when a memory limit is specified, a memory request must be, too")
                    continue
                }
                guard Amounts.bytes(mebibytes: limit.value) < Amounts.bytes(mebibytes: request.value) else {
                    continue
                }
                let words = "the memory limit must be greater than or equal to the memory request"
                findings.problem(limit.pointer, words)
            default:
                let words = "only cpus and mem may be included in a task's resource limits"
                findings.problem(limit.pointer, words)
            }
        }
    }
}

extension Identifier {
    /// The rules for what becomes the name of a folder (`src/common/validation.cpp`).
    func check(_ findings: Findings) {
        if value.isEmpty { return findings.problem(pointer, "the ID must not be empty") }
        if value.utf8.count > 255 {
            return findings.problem(pointer, "the ID must not be greater than 255 characters")
        }
        if value == "." || value == ".." { return findings.problem(pointer, "'\(value)' is disallowed") }
        let isInvalid = value.unicodeScalars.contains {
            $0.value < 0x20 || $0.value == 0x7f || $0 == "/" || $0 == "\\"
        }
        if isInvalid { findings.problem(pointer, "'\(value)' contains invalid characters") }
    }
}

extension Resource {
    /// The rules of `Resources::validate` (`src/common/resources.cpp`).
    func check(_ findings: Findings) {
        if name.isEmpty { findings.problem(pointer + "/name", "empty resource name") }
        switch kind {
        case .scalar: checkScalar(findings)
        case .ranges: checkRanges(findings)
        case .set: checkItems(findings)
        case .text: findings.problem(pointer + "/type", "unsupported resource type")
        }
        if let disk, name != "disk" {
            findings.problem(disk, "DiskInfo should not be set for \(name) resource")
        }
    }

    private func checkScalar(_ findings: Findings) {
        guard let scalar, ranges == nil, items == nil else {
            return findings.problem(pointer, "invalid scalar resource '\(name)'")
        }
        // Not Mesos' rule, but it would compute nonsense from it.
        guard scalar.value.isFinite, let fixed = Amounts.Fixed(scalar.value) else {
            return findings.problem(
                scalar.pointer, "invalid scalar resource '\(name)': the value is too large")
        }
        if scalar.value != 0 && fixed.thousandths <= 0 {
            findings.problem(scalar.pointer, "invalid scalar resource '\(name)': value <= 0")
        }
        if name == "gpus" && fixed.thousandths % 1000 != 0 {
            findings.problem(scalar.pointer, "the 'gpus' resource must be an unsigned integer")
        }
    }

    private func checkRanges(_ findings: Findings) {
        guard let ranges, scalar == nil, items == nil else {
            return findings.problem(pointer, "invalid ranges resource '\(name)'")
        }
        if ranges.contains(where: { $0.begin > $0.end }) {
            findings.problem(pointer + "/ranges", "invalid ranges resource '\(name)': begin > end")
        }
        let ordered = ranges.sorted { $0.begin < $1.begin }
        if zip(ordered, ordered.dropFirst()).contains(where: { $0.end >= $1.begin }) {
            findings.problem(pointer + "/ranges", "invalid ranges resource '\(name)': overlapping ranges")
        }
    }

    private func checkItems(_ findings: Findings) {
        guard let items, scalar == nil, ranges == nil else {
            return findings.problem(pointer, "invalid set resource '\(name)'")
        }
        if Set(items).count != items.count {
            findings.problem(pointer + "/set", "invalid set resource '\(name)': duplicated elements")
        }
    }
}

extension CommandInfo {
    /// The rules of `validateCommandInfo` and `validateEnvironment` (`src/common/validation.cpp`).
    func check(_ findings: Findings) {
        for variable in environment { variable.check(findings) }
    }
}

extension Variable {
    func check(_ findings: Findings) {
        let title = "environment variable '\(name)' of type '\(kind.rawValue)'"
        switch kind {
        case .secret:
            if value != nil { findings.problem(pointer + "/value", "\(title) must not have a value set") }
            guard let secret else { return findings.problem(pointer, "\(title) must have a secret set") }
            secret.check(title, findings)
        case .value:
            if let secret { findings.problem(secret.pointer, "\(title) must not have a secret set") }
            if value == nil { findings.problem(pointer, "\(title) must have a value set") }
        case .unknown: findings.problem(pointer + "/type", "\(title) is not allowed")
        }
        // Not Mesos' rules: the kernel splits an entry at its first "=".
        if name.isEmpty {
            findings.problem(pointer + "/name", "the name of an environment variable is empty")
        }
        if name.utf8.contains(UInt8(ascii: "=")) {
            findings.problem(pointer + "/name", "the name of an environment variable holds \"=\": '\(name)'")
        }
    }
}

extension Secret {
    /// The rules of `validateSecret` (`src/common/validation.cpp`).
    func check(_ title: String, _ findings: Findings) {
        switch kind {
        case .reference:
            if !hasReference { findings.problem(pointer, "\(title): a REFERENCE must have 'reference' set") }
            if hasValue { findings.problem(pointer, "\(title): a REFERENCE must not have 'value' set") }
        case .value:
            if !hasValue { findings.problem(pointer, "\(title): a VALUE must have 'value' set") }
            if hasReference { findings.problem(pointer, "\(title): a VALUE must not have 'reference' set") }
        case .unknown: break
        }
    }
}
