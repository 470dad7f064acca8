import Kernel
import OCI

extension Planner {
    static func addMounts(_ spec: Spec, bundle: String, to plan: inout Plan) throws(Failure) {
        var prepared = 0
        var isReadOnlyLater = false
        // What is said of the whole tree is said last, and yet a mount's own words count.
        let isOverruled =
            spec.linux.rootfsPropagation.map { $0.hasPrefix("rs") || $0.hasPrefix("ru") } == true
        var keepsPropagation = false
        for (index, mount) in spec.mounts.enumerated() {
            let entry = try MountEntry(mount, of: spec, bundle: bundle, at: "/mounts/\(index)")
            var operation = try entry.operation()
            switch operation {
            case .bind(var bind):
                bind.keepsPropagation = isOverruled && !bind.propagation.isEmpty
                keepsPropagation = keepsPropagation || bind.keepsPropagation
                if bind.staysPeer || bind.owners != nil {
                    bind.prepared = prepared
                    prepared += 1
                }
                operation = .bind(bind)
            case .mount(var mount):
                mount.keepsPropagation = isOverruled && !mount.propagation.isEmpty
                keepsPropagation = keepsPropagation || mount.keepsPropagation
                isReadOnlyLater = isReadOnlyLater || mount.readOnlyLater
                operation = .mount(mount)
            default: break
            }
            plan.add(operation, in: .mounts)
        }
        if keepsPropagation { plan.add(.mountPropagation, in: .pivot) }
        if isReadOnlyLater { plan.add(.readOnlyMounts, in: .readOnly) }
    }

    /// How the container's own user namespace maps ids; `nil` where it has none, or none that the config tells.
    static func mappingsOfContainer(_ spec: Spec) -> (uids: IDMap, gids: IDMap)? {
        let linux = spec.linux
        guard linux.namespace(.user) != nil, !linux.uidMappings.isEmpty, !linux.gidMappings.isEmpty else {
            return nil
        }
        return (IDMap(linux.uidMappings), IDMap(linux.gidMappings))
    }

    /// The owners that `idmap` without ranges asks for; `nil` where the container has no user namespace of its own.
    static func ownersOfContainer(_ spec: Spec) -> MappedOwners.Source? {
        if let path = spec.linux.namespace(.user)?.path { return .namespace(path: path) }
        return mappingsOfContainer(spec).map { .ranges(uids: $0.uids.lines, gids: $0.gids.lines) }
    }
}

/// One entry of `mounts`, with what it is to be understood by.
private struct MountEntry {
    private let mount: MountSpec
    private let spec: Spec
    private let bundle: String
    private let pointer: String
    private let options: MountOptions
    private let target: String
    private let type: String

    init(_ mount: MountSpec, of spec: Spec, bundle: String, at pointer: String) throws(Failure) {
        self.mount = mount
        self.spec = spec
        self.bundle = bundle
        self.pointer = pointer
        options = try MountOptions(mount.options, at: pointer + "/options")
        target = try Planner.normalized(mount.destination, at: pointer + "/destination")
        type = mount.type ?? ""
    }

    private var isBind: Bool { options.bind || type == "bind" }

    func operation() throws(Failure) -> Operation {
        if options.remount { return try remount() }
        if isBind { return .bind(try bind()) }
        if options.owners != nil || !mount.uidMappings.isEmpty {
            throw failure(
                options.owners != nil ? "options" : "uidMappings", "only bind mounts have mapped owners")
        }
        if options.links != BindLinks() {
            throw failure("options", "how to treat links is a question of bind mounts only")
        }
        if type == "cgroup" || type == "cgroup2" {
            return .cgroups(
                target: target, attributes: options.attributes.ofOneMount, propagation: options.propagation)
        }
        guard !type.isEmpty, type != "none" else {
            throw failure("type", "a mount that binds nothing needs a type")
        }
        if target == "/proc" && type != "proc" || target.hasPrefix("/proc/") {
            throw failure("destination", "\"\(type)\" must not be mounted on \"\(target)\"")
        }
        return .mount(try filesystem())
    }

    private func filesystem() throws(Failure) -> FilesystemMount {
        if options.copyUp, type != "tmpfs" {
            throw failure("options", "\"tmpcopyup\" is for a tmpfs, not for \"\(type)\"")
        }
        var attributes = options.attributes.ofOneMount
        var parameters = options.flags + options.parameters
        let isReadOnly = attributes.set & MountAttributes.readOnly != 0
        // A device that cannot be written is mounted only where the file system is told so, and not just the mount.
        if isReadOnly, mount.source?.hasPrefix("/") == true { parameters.insert("ro", at: 0) }
        let later = isReadOnly && (type == "tmpfs" || target == "/dev")
        if later { attributes.set &= ~MountAttributes.readOnly }
        if let label = spec.linux.mountLabel, !label.isEmpty, type != "proc", type != "sysfs",
            !parameters.contains(where: { $0.hasPrefix("context=") })
        {
            parameters.append("context=" + label)
        }
        return FilesystemMount(
            type: type, source: mount.source, target: target, attributes: attributes, parameters: parameters,
            propagation: options.propagation, copyUp: options.copyUp, readOnlyLater: later,
            hostView: hostView)
    }

    /// Without a namespace of its own for what these file systems show, the container has in its own ones what the
    /// host has in its.
    private var hostView: String? {
        switch type {
        case "sysfs": spec.linux.namespace(.network) == nil ? "/sys" : nil
        case "proc": spec.linux.namespace(.pid) == nil ? "/proc" : nil
        case "mqueue": spec.linux.namespace(.ipc) == nil ? "/dev/mqueue" : nil
        default: nil
        }
    }

    private func bind() throws(Failure) -> BindMount {
        guard let source = mount.source, !source.isEmpty else {
            throw failure("source", "\"source\" is missing")
        }
        if let word = options.parameters.first {
            throw failure("options", "\"\(word)\" is no option of a bind mount")
        }
        if options.copyUp {
            throw failure("options", "\"tmpcopyup\" is for a tmpfs, not for a bind mount")
        }
        if target.hasPrefix("/proc/"), !Planner.mountableInProc.contains(target) {
            throw failure("destination", "nothing may be mounted on \"\(target)\"")
        }
        // As a peer of its source it takes part in what is mounted there, both ways; only a container whose root
        // is to be shared gets that far, and a word for this mount alone can still cut the tie. The root of a user
        // namespace never does: he could mount on the host what he may not.
        let isShared =
            spec.linux.rootfsPropagation?.hasSuffix("shared") == true && spec.linux.namespace(.user) == nil
        return BindMount(
            source: source.hasPrefix("/") ? source : bundle + "/" + source, target: target,
            recursive: options.recursive, attributes: options.attributes, propagation: options.propagation,
            links: options.links, owners: try owners(),
            staysPeer: isShared && options.propagation.allSatisfy(\.isShared))
    }

    private func remount() throws(Failure) -> Operation {
        if options.copyUp || options.owners != nil || !mount.uidMappings.isEmpty {
            throw failure("options", "\"remount\" changes what is there: it copies and maps nothing")
        }
        if isBind, let word = options.parameters.first {
            throw failure("options", "\"\(word)\" is no option of a bind mount")
        }
        return .remount(
            Remount(
                target: target, attributes: options.attributes,
                parameters: isBind ? [] : options.flags + options.parameters,
                propagation: options.propagation))
    }

    /// The mapping of owners: in the order of preference that of the option, of the entry, of the container.
    private func owners() throws(Failure) -> MappedOwners? {
        let recursive = options.owners?.recursive == true
        let mappings = Planner.mappingsOfContainer(spec)
        if let option = options.owners, !option.uids.isEmpty {
            return MappedOwners(
                source: .ranges(
                    uids: try absolute(option.uids, mappings?.uids),
                    gids: try absolute(option.gids, mappings?.gids)),
                recursive: recursive)
        }
        if !mount.uidMappings.isEmpty {
            return MappedOwners(
                source: .ranges(uids: mount.uidMappings, gids: mount.gidMappings), recursive: recursive)
        }
        guard options.owners != nil else { return nil }
        guard let source = Planner.ownersOfContainer(spec) else {
            let reason =
                "without mappings the owners are mapped as in the container's user namespace, and it has none"
            throw failure("options", reason)
        }
        return MappedOwners(source: source, recursive: recursive)
    }

    private func absolute(
        _ ranges: [OwnerOption.Range], _ map: IDMap?
    ) throws(Failure) -> [IDMapping] {
        var absolute: [IDMapping] = []
        for range in ranges {
            guard range.isRelative else {
                absolute.append(range.mapping)
                continue
            }
            guard let map else {
                throw failure("options", "\"@\" means ids of the container's user namespace, and it has none")
            }
            guard let outside = map.outside(range.mapping.hostID) else {
                throw failure("options", "the container's user namespace has no id \(range.mapping.hostID)")
            }
            absolute.append(
                IDMapping(
                    containerID: range.mapping.containerID, hostID: outside, size: range.mapping.size))
        }
        return absolute
    }

    private func failure(_ member: String, _ reason: String) -> Failure {
        Failure(.document(at: "\(pointer)/\(member)", reason))
    }
}
