package import OCI

/// A file system of its own, like a tmpfs.
package struct FilesystemMount: Hashable, Sendable {
    package let type: String
    package let source: String?
    package let target: String
    package let attributes: MountAttributes
    /// Parameters of the file system: `key` or `key=value`.
    package let parameters: [String]
    package let propagation: [MountPropagation]
    /// Whether it begins with what the image has in its place.
    package var copyUp = false
    /// Whether it becomes read-only when all mount points and devices in it are made.
    package var readOnlyLater = false
    /// Whether its words of propagation are said again at the end, after those of the root.
    package var keepsPropagation = false
    /// What shows the same where the kernel lets us make none of our own; `nil`: nothing does.
    package var hostView: String?
}

/// A part of the host's tree.
package struct BindMount: Hashable, Sendable {
    package let source: String
    package let target: String
    package let recursive: Bool
    package let attributes: MountAttributes
    package let propagation: [MountPropagation]
    /// Whether its words of propagation are said again at the end, after those of the root.
    package var keepsPropagation = false
    package var links = BindLinks()
    package var owners: MappedOwners?
    /// Whether it and its source go on sharing what is mounted on either.
    package var staysPeer = false
    /// Its number among those that are opened on the host before the child exists; `nil`: the child opens it.
    package var prepared: Int?
}

/// The owners that the files of a bind mount are shown with.
package struct MappedOwners: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// As these say: from the ids of the file system to those of the host.
        case ranges(uids: [IDMapping], gids: [IDMapping])
        /// As an existing user namespace does.
        case namespace(path: String)
    }

    package let source: Source
    /// Also of what is mounted below.
    package let recursive: Bool
}

/// A change of what is mounted at a place.
package struct Remount: Hashable, Sendable {
    package let target: String
    package let attributes: MountAttributes
    /// Changes of the file system, which everyone sees who has it.
    package let parameters: [String]
    package let propagation: [MountPropagation]
}
