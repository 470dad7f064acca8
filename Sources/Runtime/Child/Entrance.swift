internal import CKernel
internal import Glibc
internal import Kernel
internal import OCI

/// By which steps a new container's first process comes into its namespaces.
///
/// Without a user namespace, and with a new one alone, clone3 does it all at once. With a user namespace and existing
/// ones it goes step by step: some may be entered only from outside of the user namespace, others only from inside, and
/// what is new must be made inside, or it would not be the container's.
struct Entrance: Sendable {
    /// What clone3 makes.
    let born: UInt64
    /// What the child makes for itself, step by step.
    let unshared: UInt64
    let usesUser: Bool
    let makesUser: Bool
    /// Whether the child makes a sibling that is the first in a new pid namespace, and goes.
    let makesSibling: Bool
    /// Whether mrun-init must make one more process, which is born in the container's pid namespace: that one only is
    /// seen inside, and it is the container's.
    let isBornLater: Bool
    let makesTime: Bool
    let timeOffsets: [TimeOffset]
    /// Whether the container's file system is that of an existing mount namespace.
    let joinsMounts: Bool

    /// Whether the child says when it is in its user namespace, and waits for the maps.
    var isStepwise: Bool { usesUser && born == 0 }

    init(of linux: LinuxSpec) {
        var new: UInt64 = 0
        var joins = false
        for namespace in linux.namespaces {
            if namespace.path != nil {
                joins = true
                // A cgroup namespace shows the cgroup in which it was made: it must wait until the child is in it. A time
                // namespace that clone3 makes has its clocks fixed already.
            } else if namespace.kind != .cgroup && namespace.kind != .time {
                new |= NamespaceJoins.bit(namespace.kind)
            }
        }
        let user = linux.namespace(.user)
        usesUser = user != nil
        makesUser = user != nil && user?.path == nil
        let steps = usesUser && joins
        born = steps ? 0 : new
        unshared = steps ? new & ~UInt64(K_CLONE_NEWPID) : 0
        makesSibling = steps && new & UInt64(K_CLONE_NEWPID) != 0
        isBornLater = linux.namespace(.pid)?.path != nil
        let time = linux.namespace(.time)
        makesTime = time != nil && time?.path == nil
        timeOffsets = linux.timeOffsets
        joinsMounts = linux.namespace(.mount)?.path != nil
    }

    /// For a further process in a container that runs.
    init(entering joins: borrowing NamespaceJoins) {
        makesSibling = false
        (born, unshared, makesUser, makesTime, joinsMounts) = (0, 0, false, false, false)
        timeOffsets = []
        usesUser = joins.entersUser
        isBornLater = joins.entersPid
    }
}

/// What the child does before it makes its mounts.
extension Child {
    /// From the namespaces of mrun to those of the container; `prepare` is the last moment at which files of the host are
    /// reached with mrun's ids.
    mutating func enterNamespaces(_ prepare: () throws(Failure) -> Void) throws(Failure) {
        let entrance = launch.entrance
        let clocks = entrance.makesTime ? try openClocks(entrance) : nil
        // From here on it may be seen by those that already live where it goes.
        try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 0))
        if entrance.isStepwise && !launch.isFurtherProcess {
            try launch.joins.enterStepwise(making: entrance.unshared)
            // The clocks are this very process': before it makes another.
            if let clocks { try makeTime(entrance.timeOffsets, clocks) }
            if entrance.makesSibling { try makeSibling() } else { try parent.say(.entered) }
            guard try parent.hear() == .mapped else { sys_exit(1) }
        } else {
            try launch.joins.enter()
            if let clocks { try makeTime(entrance.timeOffsets, clocks) }
        }
        try prepare()
        if entrance.usesUser {
            groupsDenied = try deniesGroups()
            if groupsDenied, !launch.process.user.additionalGids.isEmpty {
                throw .refused("additionalGids: setgroups is forbidden in the container's user namespace")
            }
            try becomeRoot()
        }
        if launch.newCgroupNamespace {
            try checked("create the cgroup namespace", sys_unshare(Int32(bitPattern: K_CLONE_NEWCGROUP)))
        }
    }

    /// Goes on as the first process of a new pid namespace, in which nobody else is yet.
    private func makeSibling() throws(Failure) {
        let pid = try checked("create the pid namespace", sys_sibling(UInt64(K_CLONE_NEWPID)))
        if pid > 0 {
            try parent.say(entered: Int32(pid))
            sys_exit(0)
        }
        try checked("PR_SET_PDEATHSIG", sys_prctl(Int32(K_PR_SET_PDEATHSIG), UInt(SIGKILL)))
    }

    /// The ids that own the container's files, instead of ids that mean nobody in there.
    private func becomeRoot() throws(Failure) {
        if !groupsDenied { try checked("drop the groups of the host", sys_drop_groups()) }
        try checked("become the container's root group", sys_setresgid(0))
        try checked("become the container's root", sys_setresuid(0))
        // New ids undo both.
        try checked("PR_SET_PDEATHSIG", sys_prctl(Int32(K_PR_SET_PDEATHSIG), UInt(SIGKILL)))
        try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 0))
    }

    /// Whether the user namespace forbids setgroups (CVE-2014-8989: dropping a group can be a gain).
    private func deniesGroups() throws(Failure) -> Bool {
        if let known = launch.joins.deniesGroups { return known }
        return try Files.read("/proc/self/setgroups").hasPrefix("deny")
    }

    /// The offsets of the clocks, opened while that is allowed.
    ///
    /// Who is not dumpable cannot open them once he is in a user namespace. Nobody else is in there yet who could make
    /// use of it.
    private func openClocks(_ entrance: Entrance) throws(Failure) -> FileDescriptor {
        let exposes = entrance.makesUser || sys_geteuid() != 0
        if exposes { try checked("PR_SET_DUMPABLE", sys_prctl(Int32(K_PR_SET_DUMPABLE), 1)) }
        return try FileDescriptor.open("/proc/self/timens_offsets", flags: O_WRONLY)
    }

    private func makeTime(
        _ offsets: [TimeOffset], _ clocks: borrowing FileDescriptor
    ) throws(Failure) {
        try checked("create the time namespace", sys_unshare(Int32(K_CLONE_NEWTIME)))
        for offset in offsets {
            try attempting("/linux/timeOffsets/\(offset.clock)") { () throws(Failure) in
                try clocks.write(offset.line)
            }
        }
        // So far only children would be born there.
        let namespace = try FileDescriptor.open("/proc/self/ns/time_for_children")
        try checked("enter the time namespace", sys_setns(namespace.raw, Int32(K_CLONE_NEWTIME)))
    }
}
