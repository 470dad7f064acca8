internal import Cgroups
public import JSON
public import Kernel
internal import OCI
internal import Plan

/// One thing that `create` would do.
public struct PlanStep: Sendable, Equatable {
    /// Who does it: `mrun`, the `child` in the new namespaces, or `mrun-init`.
    public let actor: String
    /// What, in one line.
    public let text: String

    /// One element of `--format json`.
    public var json: JSON { .object(["actor": .string(actor), "step": .string(text)]) }
}

extension Containers {
    /// What `create` and `start` would do for a bundle, in order, as far as the config tells; nothing is done.
    public func preview(_ id: String, _ options: CreateOptions) throws(Failure) -> [PlanStep] {
        let bundle = try Bundle(options.bundle, config: options.config)
        let spec = bundle.spec
        let stays = options.stayingInit || spec.annotation(Meaning.stayingInit) == "true"
        let plan = try Planner.plan(
            for: spec, rootfs: bundle.rootfs, bundle: bundle.path, movesRoot: options.movesRoot)
        let cgroups = try CgroupSet.plan(
            for: spec, id: id, driver: options.cgroupDriver, controllers: Creation.controllers(spec),
            owner: store.root + "/" + id)
        let limits = try CgroupManager(cgroups).preview(resources: spec.linux.resources)
        let orders = try Orders(for: spec, bundle.process, stays: stays, newKeyring: options.newKeyring)
        return before(id, spec) + limits.map { PlanStep(actor: "mrun", text: $0) }
            + plan.ordered.map { PlanStep(actor: "child", text: $0.summary) }
            + handOver(bundle.process, spec, orders, stays: stays)
    }

    private func before(_ id: String, _ spec: Spec) -> [PlanStep] {
        var steps = ["write the record \(store.root)/\(id)/state.json"]
        let fresh = spec.linux.namespaces.filter { $0.path == nil }.map(\.kind.rawValue)
        if !fresh.isEmpty {
            steps.append("clone3 a child into new namespaces: \(fresh.joined(separator: ", "))")
        }
        for namespace in spec.linux.namespaces {
            guard let path = namespace.path else { continue }
            steps.append("join the \(namespace.kind.rawValue) namespace at \(path)")
        }
        if let score = spec.process?.oomScoreAdj { steps.append("oom_score_adj \(score)") }
        return steps.map { PlanStep(actor: "mrun", text: $0) }
    }

    private func handOver(
        _ process: ProcessSpec, _ spec: Spec, _ orders: Orders, stays: Bool
    ) -> [PlanStep] {
        var steps = [stays ? "stay as the container's init" : "wait for start, then become the task"]
        for limit in process.rlimits {
            steps.append("\(limit.type) \(limit.soft):\(limit.hard)")
        }
        if orders.capabilities != nil {
            let bounding = process.capabilities?.bounding ?? []
            steps.append("capabilities: \(bounding.isEmpty ? "none" : bounding.joined(separator: " "))")
        } else {
            steps.append("capabilities: as mrun has them")
        }
        if process.noNewPrivileges { steps.append("no_new_privs") }
        if let seccomp = orders.seccomp { steps.append("seccomp filter of \(seccomp.count) instructions") }
        let user = process.user
        let groups =
            user.additionalGids.isEmpty
            ? "" : ", groups \(user.additionalGids.map(String.init).joined(separator: " "))"
        steps.append(
            "uid \(user.uid), gid \(user.gid)\(groups), umask 0\(String(user.umask ?? 0o022, radix: 8))")
        steps.append("chdir \(process.cwd)")
        steps.append("execute \((spec.annotation(Meaning.executable).map { [$0] } ?? []) + process.args)")
        return steps.map { PlanStep(actor: "mrun-init", text: $0) }
    }
}
