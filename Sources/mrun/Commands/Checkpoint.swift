internal import CommandLine
internal import Kernel
internal import Runtime

/// The command `mrun checkpoint`.
enum CheckpointCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        var options = CheckpointOptions()
        options.criu = try CriuOptions(arguments)
        options.parentPath = arguments.value("parent-path")
        options.leaveRunning = arguments.flag("leave-running")
        options.tcpSkipInFlight = arguments.flag("tcp-skip-in-flight")
        options.linkRemap = arguments.flag("link-remap")
        options.preDump = arguments.flag("pre-dump")
        options.statusDescriptor = try statusDescriptor(arguments.value("status-fd"))
        options.pageServer = try pageServer(arguments.value("page-server"))
        try invocation.containers.checkpoint(try invocation.containerID(), options)
        return 0
    }

    private static func statusDescriptor(_ text: String?) throws(Failure) -> Int32? {
        // What clients write for "none".
        guard let text, text != "-1" else { return nil }
        guard let number = Int32(text), number > 2 else {
            throw .refused("invalid --status-fd argument \(text): it must be a number above 2")
        }
        return number
    }

    /// `ADDRESS:PORT`; an IPv6 address has colons of its own.
    private static func pageServer(_ text: String?) throws(Failure) -> (address: String, port: UInt16)? {
        guard let text, !text.isEmpty else { return nil }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), colon > text.startIndex,
            let port = UInt16(text[text.utf8.index(after: colon)...]), port > 0
        else { throw .refused("invalid --page-server \"\(text)\": it must be ADDRESS:PORT") }
        var address = text[..<colon]
        if address.hasPrefix("[") && address.hasSuffix("]") { address = address.dropFirst().dropLast() }
        return (String(address), port)
    }
}

/// The command `mrun restore`.
enum RestoreCommand {
    static func run(_ invocation: Invocation) throws(Failure) -> Int32 {
        let arguments = invocation.arguments
        if arguments.value("console-socket") != nil {
            throw .refused("--console-socket: criu's command line has no way to hand a terminal on")
        }
        var options = RestoreOptions(bundle: arguments.value("bundle") ?? ".")
        options.criu = try CriuOptions(arguments)
        options.pidFile = arguments.value("pid-file")
        options.lsmProfile = arguments.value("lsm-profile")
        options.lsmMountContext = arguments.value("lsm-mount-context")
        return try invocation.containers.restore(
            try invocation.containerID(), options, detach: arguments.flag("detach"))
    }
}

extension CriuOptions {
    fileprivate init(_ arguments: Arguments) throws(Failure) {
        self.init()
        imagePath = arguments.value("image-path") ?? imagePath
        workPath = arguments.value("work-path")
        tcpEstablished = arguments.flag("tcp-established")
        externalUnixSockets = arguments.flag("ext-unix-sk")
        shellJob = arguments.flag("shell-job")
        fileLocks = arguments.flag("file-locks")
        lazyPages = arguments.flag("lazy-pages")
        autoDedup = arguments.flag("auto-dedup")
        emptyNamespaces = arguments.values("empty-ns")
        manageCgroups = arguments.value("manage-cgroups-mode") ?? manageCgroups
        guard ["soft", "full", "strict", "ignore"].contains(manageCgroups) else {
            throw .refused("--manage-cgroups-mode \(manageCgroups): it must be soft, full, strict or ignore")
        }
    }
}
