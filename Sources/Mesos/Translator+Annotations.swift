internal import JSON
internal import OCI

extension Translator {
    /// What a config cannot say otherwise: for mrun, and for the executor to read back.
    ///
    /// The table of all names is in `docs/mesos.md`.
    func annotations() -> [Annotation] {
        var pairs: [(String, String?)] = [
            (Meaning.stayingInit, "true"),
            (Meaning.capabilities, "untouched"),
            (Meaning.controllers, controllers),
            (Meaning.executable, executable),
            ("org.apache.mesos.container_id", options.containerID),
            ("org.apache.mesos.task_id", task.taskID.value),
            ("org.apache.mesos.name", task.name),
            ("org.apache.mesos.agent_id", task.agentID.value),
            ("org.apache.mesos.kill_policy.grace_period", nanoseconds(task.killPolicy?.gracePeriod)),
            ("org.apache.mesos.max_completion_time", nanoseconds(task.maxCompletionTime)),
            ("org.apache.mesos.check", text(of: task.check)),
            ("org.apache.mesos.health_check", text(of: task.healthCheck)),
        ]
        pairs += labels()
        warnOfWhatIsNotKept()
        return pairs.compactMap { name, value in value.map { Annotation(name, $0) } }
    }

    /// The hierarchies that the container joins on version 1 (always the freezer: Mesos kills with it), or the
    /// controllers that it needs on version 2.
    private var controllers: String {
        var names: [String] = []
        switch options.cgroupVersion {
        case .v1:
            names.append("freezer")
            if options.isolation.limitsCPU { names += ["cpu", "cpuacct"] }
        case .v2:
            if options.isolation.limitsCPU { names.append("cpu") }
        }
        if options.isolation.limitsMemory { names.append("memory") }
        return names.joined(separator: ",")
    }

    private func nanoseconds(_ duration: DurationInfo?) -> String? { duration.map { String($0.nanoseconds) } }

    /// A check as it stands in the document, on one line.
    private func text(of check: CheckInfo?) -> String? {
        guard let check else { return nil }
        let name = String(check.pointer.dropFirst())
        return document[name]?.text()
    }

    /// One annotation for each key; of several labels with one key, the last one counts.
    private func labels() -> [(String, String?)] {
        var labels: [(String, String?)] = []
        for label in task.labels {
            let name = "org.apache.mesos.label." + label.key
            labels.removeAll { $0.0 == name }
            labels.append((name, label.value ?? ""))
        }
        return labels
    }

    private func warnOfWhatIsNotKept() {
        for resource in task.resources where resource.name == "gpus" {
            findings.warn(resource.pointer, "ignored, because the isolator gpu/nvidia is off")
        }
        if let discovery = task.discovery {
            findings.warn(discovery.pointer, "ignored: it tells others how to reach the task")
        }
        if let data = task.data { findings.warn(data, "ignored: it is for the executor alone") }
    }
}
