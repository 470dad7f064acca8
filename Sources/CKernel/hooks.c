// Hooks on the host's side. No header of the libc here: hook.h stands on the kernel's.
#include "include/hooks.h"

#include <linux/resource.h>

#include "../Init/hook.h"

enum { FAMILY_OF_PIDS = 1 << 16, UNIX_SOCKETS = 1, PACKETS = 5 };  // AF_UNIX, SOCK_SEQPACKET

// A process and its parent, in the order in which they were found. Used by the supervisor alone.
static struct {
    int pid, parent;
} family[FAMILY_OF_PIDS];
static unsigned family_size;

static char *put(char *to, const char *text) {
    while (*text) *to++ = *text++;
    return to;
}
static char *put_number(char *to, int number) {
    char digits[12];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count > 0) *to++ = digits[--count];
    return to;
}
static long open_process_file(int pid, const char *name) {
    char path[64], *end = put_number(put(path, "/proc/"), pid);
    end = put_number(put(end, "/task/"), pid);
    *put(put(end, "/"), name) = 0;
    return call(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static void add_children(int parent) {
    char text[4096];
    long file = open_process_file(parent, "children"), count;
    int pid = 0;
    if (file < 0) return;
    while ((count = call(read, file, text, sizeof text)) > 0)
        for (long i = 0; i < count; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + text[i] - '0';
            } else if (pid > 0) {
                if (family_size < FAMILY_OF_PIDS) {
                    family[family_size].pid = pid;
                    family[family_size++].parent = parent;
                }
                pid = 0;
            }
        }
    call(close, file);
}

// The fourth field of its stat, 0 when it is gone. The name before it may hold anything.
static int parent_of(int pid) {
    char text[512];
    long file = open_process_file(pid, "stat");
    if (file < 0) return 0;
    long count = call(read, file, text, sizeof text), at = count - 1;
    call(close, file);
    while (at >= 0 && text[at] != ')') at--;
    int parent = 0;
    if (at < 0) return 0;
    for (at += 4; at < count && text[at] >= '0' && text[at] <= '9'; at++) parent = parent * 10 + text[at] - '0';
    return parent;
}

// Our own children keep their pids until we reap them. Those of others are held first, and killed if they are still what
// they were found as.
static void kill_member(int self, int pid, int parent) {
    if (parent == self) {
        call(kill, pid, SIGKILL);
        return;
    }
    long handle = call(pidfd_open, pid, 0);
    if (handle < 0) return;
    int now = parent_of(pid);
    if (now == parent || now == self) call(pidfd_send_signal, handle, SIGKILL, NULL, 0);
    call(close, handle);
}

// Everything that a hook has started comes to us when its parents end, at the latest. What has been killed makes no
// children any more; one round is faster than a chain of forks, and what it missed is ours in the next.
static void end_descendants(void) {
    const int self = (int)call(getpid, 0);
    const int64_t end = hook_now() + HOOK_GRACE;
    call(setpriority, PRIO_PROCESS, 0, -20);
    while (hook_now() < end) {
        struct timespec pause = {0, 500000};
        family_size = 0;
        add_children(self);
        for (unsigned i = 0; i < family_size; i++) {
            kill_member(self, family[i].pid, family[i].parent);
            add_children(family[i].pid);
        }
        long pid;
        do pid = call(wait4, -1, NULL, WNOHANG, NULL);
        while (pid > 0);
        if (pid == -ECHILD) return;
        call(ppoll, NULL, 0, &pause, NULL, 0);
    }
}

// The supervisor is not of the caller's session, and has no descriptor of the caller's but the standard ones: those of a
// pipe or a lock would outlive the caller in it.
static _Noreturn void supervise(struct hook *hook, int connection) {
    static struct hook_report report;
    const uint64_t all = ~UINT64_C(0);
    call(prctl, PR_SET_NAME, "mrun:hook");
    call(prctl, PR_SET_CHILD_SUBREAPER, 1);
    call(rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    call(setsid, 0);
    call(close_range, 3, connection - 1, 0);
    call(close_range, connection + 1, ~0u, 0);
    hook->watched = connection;
    hook->end_descendants = end_descendants;
    run_hook(hook, &report);
    call(write, connection, &report, hook_frame(&report));
    for (;;) call(exit_group, 0);
}

static long run_supervised(struct hook *hook, void *frame, size_t room) {
    int ends[2], status = 0;
    long result = call(socketpair, UNIX_SOCKETS, PACKETS | O_CLOEXEC, 0, ends);
    if (result < 0) return result;
    long supervisor = call(clone, SIGCHLD);
    if (supervisor == 0) supervise(hook, ends[1]);
    call(close, ends[1]);
    if (supervisor > 0) {
        do result = call(read, ends[0], frame, room);
        while (result == -EINTR);
        while (call(wait4, supervisor, &status, 0, NULL) == -EINTR)
            ;
    }
    call(close, ends[0]);
    return supervisor < 0 ? supervisor : result;
}

long sys_run_hook(const struct hook_request *request, bool supervised, void *frame, size_t room) {
    struct hook hook = {.path = request->path,
                        .cwd = request->cwd,
                        .argv = (char **)request->argv,
                        .envp = (char **)request->envp,
                        .state = request->state,
                        .timeout = request->timeout,
                        .watched = -1};
    if (supervised) return run_supervised(&hook, frame, room);
    struct hook_report report;
    run_hook(&hook, &report);
    size_t size = hook_frame(&report);
    if (size > room) return -EMSGSIZE;
    for (size_t i = 0; i < size; i++) ((char *)frame)[i] = ((const char *)&report)[i];
    return (long)size;
}
