extension Command {
    static let update = Command(
        "update", .lifecycle, "change the limits of a container", example: "update --memory 512m web",
        .container,
        [
            .value(
                "resources", "r", "FILE|-", .file,
                "take a linux.resources object; other options are then ignored"),
            .value("blkio-weight", nil, "WEIGHT", .anything, "weight for the disks, 10 to 1000"),
            .value("cpu-period", nil, "US", .anything, "length of a period, in microseconds"),
            .value("cpu-quota", nil, "US", .anything, "CPU time in each period; -1: no limit"),
            .value("cpu-burst", nil, "US", .anything, "unused CPU time that may be saved up"),
            .value("cpu-share", nil, "SHARES", .anything, "weight for the CPUs, 2 to 262144"),
            .value("cpu-rt-period", nil, "US", .anything, "length of a real-time period (cgroup v1)"),
            .value("cpu-rt-runtime", nil, "US", .anything, "real-time in each period (cgroup v1)"),
            .value("cpuset-cpus", nil, "LIST", .anything, "the CPUs to run on, like 0-3,7"),
            .value("cpuset-mems", nil, "LIST", .anything, "the memory nodes to use"),
            .value("cpu-idle", nil, "0|1", .words(["0", "1"]), "1: run only when nothing else wants to"),
            .value("memory", nil, "BYTES", .anything, "limit of memory, like 512m; -1: no limit"),
            .value("memory-reservation", nil, "BYTES", .anything, "memory that is left to it under pressure"),
            .value("memory-swap", nil, "BYTES", .anything, "limit of memory and swap together; -1: no limit"),
            .value("pids-limit", nil, "COUNT", .anything, "tasks at once; -1: no limit"),
            .hidden("kernel-memory", "BYTES", "ignored: no kernel has such a limit any more"),
            .hidden("kernel-memory-tcp", "BYTES", "ignored: no kernel has such a limit any more"),
            .hidden("l3-cache-schema", "SCHEMA", "Intel RDT: part of the level 3 cache"),
            .hidden("mem-bw-schema", "SCHEMA", "Intel RDT: part of the memory bandwidth"),
        ])
}
