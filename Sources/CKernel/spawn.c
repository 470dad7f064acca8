// Making children and hearing of their end.
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/ckernel.h"

long sys_spawn(uint64_t flags, int cgroup, int *pidfd, child_main main, void *context) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments = {.flags = flags | CLONE_PIDFD,
                   .pidfd = (uint64_t)(uintptr_t)pidfd,
                   .exit_signal = SIGCHLD,
                   .cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup};
    if (cgroup >= 0) arguments.flags |= CLONE_INTO_CGROUP;
    // Without the cgroup member the older kernels' struct size is enough.
    size_t size = cgroup < 0 ? sizeof arguments - sizeof arguments.cgroup : sizeof arguments;
    long pid = syscall(SYS_clone3, &arguments, size);
    if (pid < 0) return -errno;
    if (pid == 0) sys_exit(main(context));
    return pid;
}

long sys_wait_pidfd(int pidfd, int options, int *status) {
    siginfo_t info = {0};
    for (;;) {
        if (syscall(SYS_waitid, 3 /* P_PIDFD */, pidfd, &info, options | WEXITED | __WALL, NULL) == 0) break;
        if (errno != EINTR) return -errno;
    }
    if (info.si_pid == 0) return 0;
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8
                                         : (info.si_status & 0x7f) | (info.si_code == CLD_DUMPED ? 0x80 : 0);
    return 1;
}

// <linux/pidfd.h> of Debian 12 is older than this call.
struct pidfd_info {
    uint64_t mask, cgroup_id;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
    uint32_t coredump_mask, reserved;
};
enum { INFO_EXIT = 1 << 3 };

long sys_pidfd_exit_status(int pidfd, int *status) {
    struct pidfd_info info = {.mask = INFO_EXIT};
    if (ioctl(pidfd, _IOWR(0xff, 11, struct pidfd_info), &info) < 0) return -errno;
    if (!(info.mask & INFO_EXIT)) return 0;
    *status = info.exit_code;
    return 1;
}
