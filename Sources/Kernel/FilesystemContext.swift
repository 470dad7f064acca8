internal import CKernel
internal import Glibc

/// The kernel's notes on a file system that is being set up or changed (fsopen, fspick).
package struct FilesystemContext: ~Copyable {
    private let descriptor: FileDescriptor
    private let type: String

    /// A new file system of `type`; see filesystems(5).
    package init(type: String) throws(Failure) {
        let answer = sys_fsopen(type, K_FSOPEN_CLOEXEC)
        if answer == -Int(ENODEV) {
            throw .refused("\"\(type)\" is no file system that the kernel knows")
        }
        descriptor = FileDescriptor(adopting: try checked("fsopen \"\(type)\"", answer))
        self.type = type
    }

    /// The one that is mounted at an open place, to be changed.
    package init(changing place: borrowing FileDescriptor) throws(Failure) {
        let answer = sys_fspick(place.raw, "", K_FSPICK_CLOEXEC | K_FSPICK_EMPTY_PATH)
        if answer == -Int(EINVAL) { throw .refused("nothing is mounted there that could be changed") }
        descriptor = FileDescriptor(adopting: try checked("fspick", answer))
        type = "the file system"
    }

    /// What is mounted: a device, the name of a share, or any word.
    package borrowing func set(source: String) throws(Failure) {
        try expect(
            sys_fsconfig(descriptor.raw, K_FSCONFIG_SET_STRING, "source", source, 0), "source \"\(source)\"")
    }

    /// One parameter: `key`, or `key=value`, as mount(8) writes them.
    package borrowing func set(_ parameter: String) throws(Failure) {
        guard let equals = parameter.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            return try expect(
                sys_fsconfig(descriptor.raw, K_FSCONFIG_SET_FLAG, parameter, nil, 0),
                "option \"\(parameter)\" of \(type)")
        }
        let key = String(parameter[..<equals])
        let value = String(parameter[parameter.utf8.index(after: equals)...])
        guard value.utf8.count <= FilesystemContext.longest else { return try setLong(key, value) }
        let answer = sys_fsconfig(descriptor.raw, K_FSCONFIG_SET_STRING, key, value, 0)
        if answer == -Int(EINVAL), FilesystemContext.labels.contains(key) {
            throw .refused(
                "option \"\(parameter)\" of \(type): labels need SELinux, which is not active here")
        }
        try expect(answer, "option \"\(parameter)\" of \(type)")
    }

    private static let labels = ["context", "fscontext", "defcontext", "rootcontext"]

    /// The length of a value, in bytes, that the kernel takes.
    private static let longest = 255

    /// Folders of an overlay can have longer paths than fit: the kernel finds them through our descriptors.
    private borrowing func setLong(_ key: String, _ value: String) throws(Failure) {
        let isUpper = key == "upperdir" || key == "workdir"
        guard type == "overlay", isUpper || key == "lowerdir" else {
            throw .refused(
                "option \"\(key)\" of \(type): its value has more than \(FilesystemContext.longest) bytes")
        }
        if isUpper { return try setFolder(key, value) }
        var layer: [UInt8] = []
        var isEscaped = false
        for byte in Array(value.utf8) + [UInt8(ascii: ":")] {
            if byte == UInt8(ascii: ":") && !isEscaped {
                guard !layer.isEmpty else {
                    throw .refused(
                        "option \"lowerdir\" of overlay: a list this long cannot have data-only layers")
                }
                try setFolder("lowerdir+", String(decoding: layer, as: UTF8.self))
                layer = []
                continue
            }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            if !isEscaped { layer.append(byte) }
        }
    }

    private borrowing func setFolder(_ key: String, _ path: String) throws(Failure) {
        let folder = try FileDescriptor.open(path, flags: O_PATH | O_DIRECTORY)
        let value = path.utf8.count <= FilesystemContext.longest ? path : folder.procPath
        try expect(
            sys_fsconfig(descriptor.raw, K_FSCONFIG_SET_STRING, key, value, 0),
            "option \"\(key)=\(path)\" of \(type)")
    }

    /// Makes it; the mount belongs to no tree yet.
    ///
    /// `attributes` are bits of MOUNT_ATTR_*.
    package borrowing func create(attributes: UInt64) throws(Failure) -> FileDescriptor {
        try expect(sys_fsconfig(descriptor.raw, K_FSCONFIG_CMD_CREATE, nil, nil, 0), "create \(type)")
        let answer = sys_fsmount(descriptor.raw, K_FSMOUNT_CLOEXEC, UInt32(truncatingIfNeeded: attributes))
        return FileDescriptor(adopting: try checked("fsmount \(type)", answer))
    }

    /// Makes the changes, for everyone who sees this file system.
    package borrowing func reconfigure() throws(Failure) {
        try expect(
            sys_fsconfig(descriptor.raw, K_FSCONFIG_CMD_RECONFIGURE, nil, nil, 0), "change \(type)")
    }

    /// Throws a failure with what the kernel wrote down about it, where it did.
    private borrowing func expect(_ answer: Int, _ call: @autoclosure () -> String) throws(Failure) {
        guard answer < 0 else { return }
        var call = call()
        var line = [UInt8](repeating: 0, count: 512)
        // "e tmpfs: Unknown parameter 'x'": its kind, then the words. Read until there are no more; the last counts.
        while true {
            let length = sys_read(descriptor.raw, &line, line.count)
            guard length > 2 else { break }
            let words = String(decoding: line[2..<length].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            call = "\(call) (\(words))"
        }
        try checked(call, answer)
    }
}
