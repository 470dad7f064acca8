internal import CKernel
internal import Glibc
internal import Kernel
internal import Plan

extension Performer {
    mutating func perform(_ mount: FilesystemMount) throws(Failure) {
        var parameters = mount.parameters
        if mount.type == "tmpfs", !mount.copyUp, !parameters.contains(where: { $0.hasPrefix("mode=") }),
            let mode = try modeOfFolder(mount.target)
        {
            parameters.append("mode=" + String(mode, radix: 8))
        }
        let tree = try fileSystem(mount, parameters)
        if mount.copyUp { try copyUp(into: tree, mount) }
        try propagate(tree, mount.propagation)
        // An image that makes /proc or /sys a link would get labels and masks written elsewhere
        // (CVE-2019-19921).
        let isKernelView = mount.type == "proc" || mount.type == "sysfs"
        try attach(tree, at: mount.target, links: isKernelView ? .none : .inside)
        if mount.keepsPropagation { try propagateLater(tree, mount.propagation) }
        if mount.readOnlyLater { readOnlyLater.append(tree.take().release()) }
    }

    /// The file system itself, not yet in its place.
    private func fileSystem(
        _ mount: FilesystemMount, _ parameters: [String]
    ) throws(Failure) -> DetachedMount {
        if mount.type == "proc" && existingPid >= 0 { return try ForeignProc.mount(mount, of: existingPid) }
        do {
            return try DetachedMount(
                type: mount.type, source: mount.source, parameters: parameters,
                attributes: mount.attributes.set)
        } catch {
            switch (mount.type, error.errno) {
            case ("devpts", EINVAL):
                // In a user namespace the terminals' group is often none at all: they then have the default one.
                let others = parameters.filter { !Performer.isGroup($0) }
                guard others.count < parameters.count else { throw error }
                return try DetachedMount(
                    type: mount.type, source: mount.source, parameters: others,
                    attributes: mount.attributes.set)
            case (_, EPERM):
                // A user namespace may not have a view of what belongs to another one, but for the host's own.
                guard let path = mount.hostView else { throw error }
                let host = try FileDescriptor.open(path, flags: O_PATH | O_DIRECTORY)
                let tree = try DetachedMount(cloning: host, recursive: true)
                try tree.change(set: mount.attributes.set, recursive: true)
                return tree
            default: throw error
            }
        }
    }

    private static func isGroup(_ parameter: String) -> Bool {
        guard parameter.hasPrefix("gid="), let gid = UInt32(parameter.dropFirst(4)) else { return false }
        return gid != UInt32.max
    }

    /// The permissions of the folder that a mount will hide; `nil` where none is.
    private func modeOfFolder(_ path: String) throws(Failure) -> UInt32? {
        let place = try inRoot { (root) throws(Failure) in try root.openIfPresent(path) }
        guard let place else { return nil }
        let status = try place.status()
        return status.isDirectory ? status.mode & 0o7777 : nil
    }

    private func copyUp(into tree: borrowing DetachedMount, _ mount: FilesystemMount) throws(Failure) {
        let place = try inRoot { (root) throws(Failure) in
            try root.openIfPresent(mount.target, flags: O_RDONLY | O_DIRECTORY)
        }
        guard let place else { return }
        func gives(_ name: String) -> Bool { mount.parameters.contains { $0.hasPrefix(name) } }
        try attempting("tmpcopyup") { () throws(Failure) in
            let target = try FileDescriptor.open(
                ".", at: tree.descriptor.raw, flags: O_RDONLY | O_DIRECTORY)
            var copy = TreeCopy(into: target.raw)
            try copy.fill(target, from: place)
            let keeps = TreeCopy.Kept(mode: !gives("mode="), owner: !gives("uid=") && !gives("gid="))
            try copy.describe(target, like: place, keeps)
        }
    }

    func propagate(_ tree: borrowing DetachedMount, _ words: [MountPropagation]) throws(Failure) {
        for word in words { try tree.propagate(word.flags) }
    }

    private mutating func propagateLater(
        _ tree: borrowing DetachedMount, _ words: [MountPropagation]
    ) throws(Failure) {
        propagatedAgain.append((try tree.descriptor.duplicate().release(), words))
    }

    mutating func propagateAgain() throws(Failure) {
        for entry in propagatedAgain {
            let mount = DetachedMount(adopting: FileDescriptor(adopting: entry.mount))
            try propagate(mount, entry.words)
        }
        propagatedAgain = []
    }

    mutating func perform(_ mount: BindMount) throws(Failure) {
        if let number = mount.prepared {
            if let tree = prepared.take(number) { return try place(tree, for: mount) }
        }
        let source = try source(of: mount)
        guard let tree = try source.tree(recursive: mount.recursive) else {
            return try makeLink(to: try source.target(), at: mount.target)
        }
        try place(tree, for: mount)
    }

    private mutating func place(_ tree: borrowing DetachedMount, for mount: BindMount) throws(Failure) {
        try apply(mount.attributes, to: tree.descriptor)
        try propagate(tree, mount.propagation)
        if mount.target == "/proc" { try requireProcfs(tree.descriptor) }
        let isDirectory = try tree.descriptor.status().isDirectory
        try attach(tree, at: mount.target, directory: isDirectory, overLink: !mount.links.followsTarget)
        if mount.keepsPropagation { try propagateLater(tree, mount.propagation) }
    }

    /// `copy-symlink`: the same link in the container; another one, or a file, is not replaced.
    private func makeLink(to link: String, at path: String) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            let entry = try root.folder(of: path, links: .inside)
            try entry.makeLink(to: link)
            let status = try FileStatus.of(entry.name, at: entry.folder.raw)
            guard status?.isSymbolicLink == true, try Files.link(entry.name, at: entry.folder.raw) == link
            else { throw .refused("something else than the link is there already") }
        }
    }

    func perform(_ mount: Remount) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            let place = try root.open(mount.target)
            if !mount.parameters.isEmpty {
                let context = try FilesystemContext(changing: place)
                for parameter in mount.parameters { try context.set(parameter) }
                try context.reconfigure()
            }
            do throws(Failure) {
                try apply(mount.attributes, to: place)
                for word in mount.propagation {
                    try MountTree.change(
                        place, propagation: word.flags & ~K_MS_REC, recursive: word.flags & K_MS_REC != 0)
                }
            } catch {
                guard error.errno == EINVAL else { throw error }
                throw .refused("nothing is mounted there that could be changed")
            }
        }
    }

    /// Puts a mount in its place, if that place really is what the config calls it.
    ///
    /// The planner has looked at the words; a link of the image can still lead to procfs, where a mount would deceive
    /// whoever reads or writes there, or to the root, which it would hide.
    func attach(
        _ tree: borrowing DetachedMount, at target: String, directory: Bool = true,
        links: Root.Links = .inside, overLink: Bool = false
    ) throws(Failure) {
        try inRoot { (root) throws(Failure) in
            let place = try root.mountPoint(target, directory: directory, links: links, overLink: overLink)
            let status = try place.status()
            if !directory && status.isDirectory {
                // The kernel would say EINVAL; clients look for "not a directory".
                throw Failure(.kernel(call: "mount a file over a folder", errno: ENOTDIR))
            }
            let top = try root.directory.status()
            if status.inode == top.inode && status.device == top.device {
                throw .refused("it leads to the root, which a mount would hide")
            }
            let isProcfs = sys_filesystem_magic(place.raw) == Int(K_PROC_SUPER_MAGIC)
            if isProcfs && target != "/proc" && !Planner.mountableInProc.contains(target) {
                throw .refused("it leads into procfs, where nothing may be mounted")
            }
            try tree.attach(to: place)
        }
    }

    /// At /proc itself only a procfs may lie; the few files below it that may be covered are in the planner's
    /// list.
    private func requireProcfs(_ source: borrowing FileDescriptor) throws(Failure) {
        let magic = try checked("statfs", sys_filesystem_magic(source.raw))
        guard magic == Int(K_PROC_SUPER_MAGIC) else {
            throw .refused("only a procfs may be mounted on \"/proc\"")
        }
    }

    private func apply(
        _ attributes: MountAttributes, to mount: borrowing FileDescriptor
    ) throws(Failure) {
        try MountTree.change(mount, set: attributes.set, clear: attributes.clear)
        try MountTree.change(
            mount, set: attributes.setRecursive, clear: attributes.clearRecursive, recursive: true)
    }

    /// Closes what was to be read-only, now that everything in it is made.
    mutating func makeMountsReadOnly() throws(Failure) {
        for raw in readOnlyLater {
            let mount = FileDescriptor(adopting: raw)
            try attempting("make a mount read-only") { () throws(Failure) in
                try MountTree.change(mount, set: MountAttributes.readOnly)
            }
        }
        readOnlyLater = []
    }
}
