internal import JSON
internal import Kernel
internal import OCI

/// One task on its way to a config: what Mesos' containerizer and its isolators do in `prepare`.
struct Translator {
    let task: TaskInfo
    let document: JSON
    let options: TranslationOptions
    let findings: Findings

    /// The container's config; not to be used when a problem was noted meanwhile.
    func spec() -> Spec {
        var spec = Spec()
        checkContainer()
        var process = process()
        let cpu = cpu()
        let memory = memory()
        process.oomScoreAdj = memory?.oomScore(totalMemory: options.totalMemory)
        spec.linux.resources = ResourceSpec(cpu: cpu, memory: memory, options: options)
        spec.process = process
        spec.root = RootSpec(path: options.rootfs ?? "/")
        spec.linux.cgroupsPath = cgroupsPath
        addNamespacesAndMounts(to: &spec)
        spec.annotations = annotations()
        return spec
    }

    /// `/mesos/<container id>`, in every hierarchy; with systemd the scope `mesos-<container id>`.
    private var cgroupsPath: String {
        let steps = Path.steps(options.cgroupsRoot) + [Substring(options.containerID)]
        if options.systemd {
            // Where a Mesos agent puts its executors, so that they outlive it.
            return "mesos_executors.slice:\(steps.dropLast().joined(separator: "-")):\(options.containerID)"
        }
        return "/" + steps.joined(separator: "/")
    }

    /// Where the task sees its sandbox; `nil`: it has none.
    var sandbox: String? {
        guard let sandbox = options.sandbox else { return nil }
        return options.rootfs == nil ? sandbox : options.sandboxDirectory
    }

    /// Notes what `container` asks for in vain.
    private func checkContainer() {
        guard let container = task.container else { return }
        if container.kind == .docker {
            if container.docker == nil {
                let words = "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
                findings.problem(container.pointer, words)
            }
            let words = "the docker containerizer: not supported, only containers of type MESOS are"
            return findings.problem(container.pointer + "/type", words)
        }
        if let docker = container.docker {
            findings.warn(docker, "ignored, because the container is of type MESOS")
        }
        for network in container.networks where network.name == nil {
            findings.warn(network.pointer, "ignored, because it names no network")
        }
        if let hostname = container.hostname {
            findings.warn(hostname, "ignored, because the container joins no network")
        }
    }
}

extension Translator {
    /// What the command executor needs for itself: it lives in the task's container in Mesos.
    private static let overhead: [String: Double] = ["cpus": 0.1, "mem": 32]

    /// Request and limit of a resource, with what the executor needs; a problem where nobody asks for any.
    private func claim(_ name: String, for isolator: String) -> Claim? {
        let extra = options.executorOverhead ? Translator.overhead[name].flatMap(Amounts.Fixed.init) : nil
        let requests = [Amounts.sum(name, of: task.resources), extra].compactMap { $0 }
        guard let first = requests.first else {
            findings.problem("/resources", "no \(name) resource given, and the isolator \(isolator) is on")
            return nil
        }
        let request = requests.dropFirst().reduce(first, +)
        let limit = task.limits.first { $0.name == name }?.value
        guard let limit, let extra, let own = Amounts.Fixed(limit) else {
            return Claim(request: request.value, limit: limit)
        }
        return Claim(request: request.value, limit: (own + extra).value)
    }

    private func cpu() -> CPUValues? {
        guard options.isolation.limitsCPU, let claim = claim("cpus", for: "cgroups/cpu") else { return nil }
        let isRevocable = task.resources.contains { $0.name == "cpus" && $0.isRevocable }
        return CPUValues(
            claim: claim, isLow: isRevocable && options.revocableCPULowPriority, enableCFS: options.enableCFS)
    }

    private func memory() -> MemoryValues? {
        guard options.isolation.limitsMemory else { return nil }
        return claim("mem", for: "cgroups/mem").map(MemoryValues.init)
    }
}
