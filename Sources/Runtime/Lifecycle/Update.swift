internal import Cgroups
public import JSON
public import Kernel
internal import OCI

extension Containers {
    /// Changes the limits of a container that lives: created, running or paused.
    ///
    /// What the document does not give stays as it is. When one limit cannot be changed, none is: those that were are
    /// put back. The container's copy of its config is rewritten, so that the next `update` begins from these limits.
    ///
    /// `resources`: an object like `linux.resources` of a config.
    public func update(_ id: String, resources: JSON) throws(Failure) {
        let given = try ResourceSpec.document(resources)
        let folder = try existingLocked(id)
        let snapshot = try snapshot(of: folder)
        guard snapshot.status != .stopped && snapshot.status != .creating else {
            throw .refused("container not running")
        }
        let config = try folder.config()
        let before = try config["linux"]?["resources"].map(ResourceSpec.document) ?? ResourceSpec()
        var merged = before.merged(with: given)
        let changed = merged.touched(by: given)
        if snapshot.record.cgroups.version == .v2 { try merged.dropOverridden(by: changed) }
        try CgroupManager(snapshot.record.cgroups).update(
            resources: changed, before: before.touched(by: given))
        let linux = (config["linux"] ?? .object([])).replacing("resources", by: merged.json)
        try folder.write(ContainerFolder.Name.config, config.replacing("linux", by: linux).text())
    }
}

extension ContainerFolder {
    /// The config as it was at `create`, with the limits of the last `update`.
    fileprivate borrowing func config() throws(Failure) -> JSON {
        let text = try Files.readRegular(Name.config, at: directory.raw)
        return try attempting("config of container \"\(id)\"") { () throws(Failure) in
            try JSON.parse(text)
        }
    }
}

extension JSON {
    /// This object with another value for the member `name`; `nil` takes it out.
    fileprivate func replacing(_ name: String, by value: JSON?) -> JSON {
        guard case .object(var members) = self else { return self }
        let index = members.firstIndex { $0.name == name }
        switch (index, value) {
        case (let index?, let value?): members[index] = Member(name, value)
        case (let index?, nil): members.remove(at: index)
        case (nil, let value?): members.append(Member(name, value))
        case (nil, nil): break
        }
        return .object(members)
    }
}
