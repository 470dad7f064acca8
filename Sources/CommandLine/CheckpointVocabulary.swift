extension Command {
    private static var shared: [Option] {
        [
            .value("image-path", nil, "DIR", .folder, "where the image is (default: ./checkpoint)"),
            .value("work-path", nil, "DIR", .folder, "where criu writes its log (default: with the image)"),
            .flag("tcp-established", nil, "take established TCP connections along"),
            .flag("ext-unix-sk", nil, "take unix sockets along that lead out of the container"),
            .flag("shell-job", nil, "the container has the caller's terminal"),
            .flag("file-locks", nil, "take file locks along"),
            .flag("lazy-pages", nil, "move memory when it is used"),
            .flag("auto-dedup", nil, "drop memory from an image that a later one has"),
            .value(
                "manage-cgroups-mode", nil, "MODE", .words(["soft", "full", "strict", "ignore"]),
                "what criu does about cgroups: soft, full, strict or ignore (default: soft)"),
            .value(
                "empty-ns", nil, "NAMESPACE", .words(["network"]), repeatable: true,
                "make this namespace without what is in it"),
        ]
    }

    static let checkpoint = Command(
        "checkpoint", .lifecycle, "write a running container into files (with criu), and remove it",
        example: "checkpoint --image-path /srv/image web", .container,
        shared + [
            .value(
                "parent-path", nil, "DIR", .folder, "the image of an earlier --pre-dump, relative to this one"
            ),
            .flag("leave-running", nil, "let the container run on"),
            .flag("tcp-skip-in-flight", nil, "leave out TCP connections that are not accepted yet"),
            .flag("link-remap", nil, "take open files along that have been unlinked"),
            .value(
                "status-fd", nil, "N", .anything, "write a byte to descriptor N when lazy pages can be taken"),
            .value("page-server", nil, "ADDRESS:PORT", .anything, "send memory there"),
            .flag("pre-dump", nil, "write memory only, and let the container run on"),
        ])

    static let restore = Command(
        "restore", .lifecycle, "make a container from the files of a checkpoint (with criu)",
        example: "restore --bundle /srv/web --image-path /srv/image web", .newContainer,
        shared + [
            .value("bundle", "b", "DIR", .folder, "the bundle (default: the working directory)"),
            .flag("detach", "d", "return as soon as the task runs"),
            .value("pid-file", nil, "FILE", .file, "write the task's pid to FILE"),
            .value(
                "console-socket", nil, "PATH", .file,
                "refused: criu's command line has no way to hand a terminal on"),
            .flag("no-pivot", nil, "without meaning, for the clients of runc: criu has its own way"),
            .flag("no-subreaper", nil, "without meaning, for the clients of runc"),
            .value(
                "lsm-profile", nil, "TYPE:NAME", .anything,
                "the AppArmor or SELinux label, in place of the image's"),
            .value(
                "lsm-mount-context", nil, "CONTEXT", .anything,
                "the SELinux context of mounts, in place of the image's"),
        ])
}
