// Ids and limits, by the bare calls: glibc's wrappers would change every thread's.
#include "include/namespaces.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long answer(long result) { return result < 0 ? -errno : result; }
#define CALL(...) answer(syscall(__VA_ARGS__))

long sys_setresuid(uint32_t uid) { return CALL(SYS_setresuid, uid, uid, uid); }
long sys_setresgid(uint32_t gid) { return CALL(SYS_setresgid, gid, gid, gid); }
long sys_drop_groups(void) { return CALL(SYS_setgroups, 0, NULL); }
long sys_getegid(void) { return CALL(SYS_getegid); }

long sys_sibling(uint64_t flags) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = flags | CLONE_PARENT};  // which forbids a signal of its own
    return CALL(SYS_clone3, &arguments, sizeof arguments);
}

long sys_run_beside(int (*main)(void *context), void *context) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
    long pid = CALL(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) return pid;
    if (pid == 0) {
        int code = main(context);
        for (;;) syscall(SYS_exit_group, code);
    }
    int status = 0;
    while (CALL(SYS_wait4, pid, &status, 0, NULL) == -EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

long sys_raise_limit(int pid, unsigned resource, uint64_t hard) {
    struct {
        uint64_t soft, hard;
    } limit;
    long result = CALL(SYS_prlimit64, pid, resource, NULL, &limit);
    if (result < 0 || limit.hard >= hard) return result;
    limit.hard = hard;
    return CALL(SYS_prlimit64, pid, resource, &limit, NULL);
}

long sys_netlink_socket(void) { return CALL(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE); }
