// The staying init: the task is its child. It reaps, forwards, writes the record, and can do nothing else.
//
//     init                         child
//     limits itself                gets everything ready
//     INIT_IS_READY            ->
//                              <-  CHILD_RELEASED, then execve
//                              <-  end of the stream (close-on-exec), or CHILD_FAILED before it
//     writes `started`, ends the report
#include <asm/ioctls.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <linux/wait.h>

#include "init.h"

enum { UNIX_SOCKETS = 1, PACKETS = 5 };  // AF_UNIX, SOCK_SEQPACKET: not in the kernel's own headers

static long drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};
    // The task may run as another user.
    data[0].effective = data[0].permitted = 1u << CAP_KILL;
    long result = call(capset, &header, data);
    if (result == -EPERM) {
        // CAP_KILL was not ours to keep.
        data[0].effective = data[0].permitted = 0;
        result = call(capset, &header, data);
    }
    return result;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS(value, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0), RETURN(otherwise)
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)

// Often first. Neither open nor execve nor clone is here: whoever takes over this process has gained nothing.
static const struct sock_filter own_filter[] = {
    LOAD(arch), UNLESS(AUDIT_ARCH_OURS, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    ALLOW(rt_sigtimedwait), ALLOW(wait4), ALLOW(kill),
    ALLOW(read), ALLOW(write), ALLOW(close), ALLOW(clock_gettime), ALLOW(exit_group),
    RETURN(SECCOMP_RET_KILL_PROCESS),
};

static long limit_self(void)
{
    const struct sock_fprog program = {
        .len = sizeof own_filter / sizeof own_filter[0],
        .filter = (struct sock_filter *)own_filter,
    };
    long result = call(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    if (result >= 0)
        result = drop_capabilities();
    if (result >= 0)
        result = call(prctl, PR_SET_NO_NEW_PRIVS, 1);
    if (result >= 0)
        result = call(seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    return result;
}

// The task gets a group in our session, and not a session of its own, for two reasons: it keeps the terminal that the
// runtime has set up, as the foreground group; and the group is not an orphaned one, in which the kernel would discard
// SIGTSTP, SIGTTIN and SIGTTOU, so that nobody could stop the task by them.
static void lead_group(const struct init *init)
{
    int group = (int)call(getpid, 0);
    long result = call(setpgid, 0, 0);
    if (result < 0)
        give_up(init, ORDERS_STEP_SESSION, result, 0);
    call(ioctl, 0, TIOCSPGRP, &group);  // fails where standard input is not the session's terminal: nothing to do
}

// One SIGCHLD can stand for many children.
static void reap(const struct init *init, int task)
{
    int status = 0;
    for (;;) {
        long pid = call(wait4, -1, &status, WNOHANG, NULL);
        if (pid == -EINTR)
            continue;
        if (pid <= 0)
            return;
        if (pid != task)
            continue;
        // Whatever still runs does not keep us: it ends with the pid namespace, or the runtime ends it by the cgroup.
        record_finished(init, status);
        leave((status & 0x7f) ? 128 + (status & 0x7f) : status >> 8 & 0xff);
    }
}

// The task's group and not only the task: what a shell runs in the foreground is to hear of it as well.
static void forward(int task, int signal)
{
    if (call(kill, -task, signal) == -ESRCH)
        call(kill, task, signal);
}

static _Noreturn void serve(const struct init *init, int task)
{
    const uint64_t all = ALL_SIGNALS;
    for (;;) {
        long signal = call(rt_sigtimedwait, &all, NULL, NULL, SIGNAL_SET_SIZE);
        if (signal == SIGCHLD)
            reap(init, task);
        else if (signal > 0)
            forward(task, (int)signal);
    }
}

// Whether the child became the task, as far as can be known: it was released, and took back nothing.
static bool has_started(const struct init *init)
{
    char word = INIT_IS_READY, last = 0;
    write_all(init->partner, &word, 1);
    for (;;) {
        long count = call(read, init->partner, &word, 1);
        if (count == 1)
            last = word;
        else if (count != -EINTR)
            return last == CHILD_RELEASED;
    }
}

_Noreturn void stay(struct init *init)
{
    int ends[2] = {-1, -1};
    int self = (int)call(getpid, 0);
    long result = call(socketpair, UNIX_SOCKETS, PACKETS | O_CLOEXEC, 0, ends);
    if (result >= 0 && init->orders->flags & ORDERS_SUBREAPER)
        result = call(prctl, PR_SET_CHILD_SUBREAPER, 1);
    long task = result < 0 ? result : call(clone, SIGCHLD);
    if (task < 0)
        give_up(init, ORDERS_STEP_FORK, task, 0);
    init->is_child = task == 0;
    init->partner = ends[init->is_child];
    call(close, ends[!init->is_child]);
    if (init->is_child) {
        lead_group(init);
        become_task(init, self);
    }

    // The task's output must end with the task, and a terminal must not stay busy because of us.
    for (unsigned descriptor = 0; descriptor < ORDERS_FD + init->preserved; descriptor++)
        call(close, descriptor);
    if (init->proc >= 0)
        call(close, init->proc);
    call(munmap, init->orders, init->orders->size);
    result = limit_self();
    if (result < 0) {
        call(kill, task, SIGKILL);
        give_up(init, ORDERS_STEP_CONFINE, result, 0);
    }
    // The report ends only when the record says what became of the start: either here, or when we end.
    if (has_started(init)) {
        record_started(init);
        call(close, init->report);
    }
    call(close, init->partner);
    serve(init, (int)task);
}
