// mrun-init: the first process of a container. It gets its orders in one sealed block and looks nothing up. Held until
// `start`, it then becomes the task, or stays as the task's parent.
//
// It is not made of the runtime's image, so that nothing in a container leads to that (CVE-2019-5736).
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/signal.h>

#include "init.h"

// What the caller ignores survives execve, and blocked signals do too; neither is the task's affair. An ignored SIGCHLD
// would also lose the task's exit code. Blocked from here on, no signal is lost before somebody is there to take it.
static void take_signals(void)
{
    const uint64_t all = ALL_SIGNALS;
    const unsigned long by_default[4] = {0, 0, 0, 0};  // the kernel's struct sigaction
    _Static_assert(SIG_DFL == (__sighandler_t)0, "a zeroed action is the default one");
    call(rt_sigprocmask, SIG_SETMASK, &all, NULL, SIGNAL_SET_SIZE);
    for (int signal = 1; signal <= 64; signal++)
        call(rt_sigaction, signal, by_default, NULL, SIGNAL_SET_SIZE);
}

// Whatever we open must not become somebody's standard input: holes are filled until the task begins.
static void fill_standard_descriptors(void)
{
    long descriptor;
    do
        descriptor = call(eventfd2, 0, O_CLOEXEC);
    while (descriptor >= 0 && descriptor <= 2);
    if (descriptor > 2)
        call(close, descriptor);
}

// The first one of the caller's descriptors comes to its place, over the orders, which are mapped already. A gap would be
// filled by what we open ourselves.
static void place_preserved(const struct init *init)
{
    if (init->preserved == 0)
        return;
    long result = call(dup3, init->orders->preserved_fd, ORDERS_FD, 0);
    for (unsigned next = ORDERS_FD; result >= 0 && next < ORDERS_FD + init->preserved; next++)
        result = call(fcntl, next, F_GETFD);
    if (result < 0)
        give_up(init, ORDERS_STEP_ORDERS, result, 0);
}

// Really closed (the orders too), not only at the exec: a descriptor that the caller leaked would else be in reach of
// `cwd`, and would stay open for as long as the container is held. What is kept, is kept from the task.
static void keep_descriptors(const struct init *init)
{
    const int kept[] = {init->start, init->report, init->record, init->enter, init->proc};
    unsigned first = ORDERS_FD + init->preserved;
    for (;;) {
        unsigned next = ~0u;
        for (unsigned i = 0; i < sizeof kept / sizeof kept[0]; i++)
            if (kept[i] >= 0 && (unsigned)kept[i] >= first && (unsigned)kept[i] < next)
                next = (unsigned)kept[i];
        long result = next > first ? call(close_range, first, next - 1, 0) : 0;
        if (result >= 0 && next != ~0u)
            result = call(fcntl, next, F_SETFD, FD_CLOEXEC);
        if (result < 0)
            give_up(init, ORDERS_STEP_ORDERS, result, next);
        if (next == ~0u)
            return;
        first = next + 1;
    }
}

static void join_keyring(const struct init *init)
{
    long result = call(keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    if (result < 0 && result != -ENOSYS)  // a kernel without keyrings has none to be shared
        give_up(init, ORDERS_STEP_KEYRING, result, 0);
}

_Noreturn void run(void);
_Noreturn void run(void)
{
    struct init init = {.start = -1, .report = -1, .record = -1, .enter = -1, .proc = -1, .partner = -1};

    call(prctl, PR_SET_NAME, "mrun-init");
    call(prctl, PR_SET_DUMPABLE, 0);
    take_signals();
    // Away from the caller's terminal, before its keys can reach us. A runtime that has set up a terminal for the task
    // has done this already.
    call(setsid, 0);
    take_orders(&init);
    place_preserved(&init);
    keep_descriptors(&init);
    fill_standard_descriptors();

    const bool enters = init.enter >= 0;
    if (enters)
        join_namespace(&init);
    reduce_privileges(&init);
    if (enters || init.orders->flags & ORDERS_BORN)
        be_born_there(&init);
    if (init.start >= 0)
        hold(&init);
    if (call(getsid, 0) != call(getpid, 0))
        give_up(&init, ORDERS_STEP_SESSION, -EPERM, 0);
    if (init.orders->flags & ORDERS_SESSION_KEYRING)
        join_keyring(&init);
    if (init.orders->hook_count > 0)
        run_hooks(&init);
    if (init.orders->flags & ORDERS_STAY)
        stay(&init);
    become_task(&init, 0);
}

ENTRY(run);
