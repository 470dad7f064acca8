internal import CKernel
internal import Glibc
package import Kernel
package import OCI

/// Cgroups that systemd makes.
extension CgroupSet {
    /// Where the cgroups of a container go whose scope is `path`, see `SystemdScope.init`; nothing has been made yet.
    ///
    /// - Throws: a refusal of the path, or when there is no systemd.
    package static func plan(
        systemd path: String?, id: String, layout: CgroupLayout, owner: String
    ) throws(Failure) -> CgroupSet {
        let isUser = try UserMap.isHosts(Files.read("/proc/self/uid_map")) ? sys_geteuid() != 0 : true
        let scope = try SystemdScope(path: path, id: id, isUser: isUser)
        let base = try ServiceManager.controlGroup(isUser: isUser)
        let below = "\(base)\(try UnitName.path(ofSlice: scope.slice))/\(scope.unit)"
        var set = try plan(path: below, layout: layout, owner: owner)
        set.scope = scope
        return set
    }

    /// The cgroups of a container that is to have none: it stays where the caller is.
    package static func none(layout: CgroupLayout) -> CgroupSet {
        CgroupSet(version: layout.version, directories: [])
    }

    /// Whether the container has cgroups of its own.
    package var isEmpty: Bool { directories.isEmpty }
}

extension CgroupManager {
    /// Makes the container's scope, with the process `pid` in it; nothing where systemd does not manage the cgroups.
    ///
    /// - Parameters:
    ///   - pid: the container's first process.
    ///   - resources: the limits, as far as systemd knows them.
    ///   - annotations: those called `org.systemd.property.*` count.
    /// - Throws: what systemd says; the scope is gone then.
    package func startScope(pid: Int32, resources: ResourceSpec, annotations: [Annotation]) throws(Failure) {
        guard let scope = set.scope else { return }
        let properties =
            try UnitProperties.limits(resources, version: set.version) + AnnotatedProperties.all(annotations)
        var control = try ScopeControl(scope, owner: set.owner)
        do throws(Failure) {
            try control.start(pid: pid, properties)
            try refuseElsewhere(pid)
        } catch {
            // A unit that could not be started may be there as a failed one; another's is none of ours.
            do throws(Failure) {
                if case .own = try control.find() { try control.stop() }
            } catch let leftover {
                throw error.during("cleaning up was not possible either (\(leftover.message))")
            }
            throw error
        }
    }

    /// Whether systemd has put the process where mrun will look for it.
    private func refuseElsewhere(_ pid: Int32) throws(Failure) {
        guard set.version == .v2, let unified = set.unified else { return }
        let text = try Files.read("/proc/\(pid)/cgroup")
        let wanted = unified.path.dropFirst(CgroupLayout.root.utf8.count)
        guard !text.split(separator: "\n").contains("0::" + wanted) else { return }
        throw .refused(
            "systemd put the container into another cgroup than \"\(wanted)\": \(text.prefix { $0 != "\n" })")
    }

    /// What there is under the name of the container's scope.
    package enum ScopeFinding: Sendable {
        /// The container has no scope.
        case none
        /// The scope is this container's, or gone.
        case own
        /// Another unit has the name.
        case another
    }

    /// Looks whether the scope is this container's.
    package func findScope() throws(Failure) -> ScopeFinding {
        guard let scope = set.scope else { return .none }
        var control = try ScopeControl(scope, owner: set.owner)
        switch try control.find() {
        case .nothing, .own: return .own
        case .another: return .another
        }
    }

    /// Makes systemd end and forget the scope, if it is this container's.
    package func stopScope() throws(Failure) {
        guard let scope = set.scope else { return }
        var control = try ScopeControl(scope, owner: set.owner)
        if case .own = try control.find() { try control.stop() }
    }

    /// Tells systemd of changed limits.
    func changeScope(_ resources: ResourceSpec) throws(Failure) {
        guard let scope = set.scope else { return }
        let properties = try UnitProperties.limits(resources, version: set.version)
        if properties.isEmpty { return }
        var control = try ScopeControl(scope, owner: set.owner)
        try control.change(properties)
    }
}
