// From the container's init to the task. The order of the steps matters; each says why where it is not plain.
#include <linux/limits.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/signal.h>

#include "init.h"

void set_limits(const struct init *init)
{
    const struct orders_rlimit *limits = in_orders(init, init->orders->rlimits_offset);
    for (uint32_t index = 0; index < init->orders->rlimit_count; index++) {
        struct rlimit64 limit = {limits[index].soft, limits[index].hard};
        long result = call(prlimit64, 0, limits[index].resource, &limit, NULL);
        if (result < 0)
            give_up(init, ORDERS_STEP_RLIMIT, result, index);
    }
}

// At the task's ids, so that it may go only where the task may. A working directory that getcwd cannot name from our
// root is one outside of the container, reached through a leaked descriptor (CVE-2024-21626).
void enter_directory(const struct init *init)
{
    char path[PATH_MAX];
    long result = call(chdir, in_orders(init, init->orders->cwd_offset));
    if (result < 0)
        give_up(init, ORDERS_STEP_CWD, result, 0);
    result = call(getcwd, path, sizeof path);
    if (result < 0)
        give_up(init, ORDERS_STEP_CWD, result, 1);
    if (path[0] != '/')
        give_up(init, ORDERS_STEP_CWD, -EXDEV, 1);
}

// The task dies with its init, where no pid namespace sees to that. Changing ids clears it, so it comes after them.
static void follow_parent(int parent)
{
    call(prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (call(getppid, 0) != parent)
        leave(1);
}

// A staying init limits itself before its task may run, while the task gets ready.
static void await_init(const struct init *init)
{
    char word = 0;
    if (!init->is_child)
        return;
    if (call(read, init->partner, &word, 1) != 1 || word != INIT_IS_READY)
        leave(1);
    word = CHILD_RELEASED;
    write_all(init->partner, &word, 1);
}

char **pointers(const struct init *init, uint64_t offset)
{
    uint64_t *table = in_orders(init, offset);
    for (uint64_t *entry = table; *entry; entry++)
        *entry += (uint64_t)init->orders;
    return (char **)table;
}

_Noreturn void become_task(const struct init *init, int parent)
{
    const struct orders *orders = init->orders;
    const bool no_new_privs = orders->flags & ORDERS_NO_NEW_PRIVS;
    const bool filtered = orders->flags & ORDERS_SECCOMP;
    const uint64_t no_signals = 0;

    set_limits(init);
    set_attributes(init);
    call(umask, orders->umask);
    if (filtered && !no_new_privs)
        load_seccomp(init);  // without no_new_privs this needs privileges: the last moment that has them
    set_privileges(init);
    enter_directory(init);
    if (init->is_child && orders->flags & ORDERS_SUBREAPER)
        follow_parent(parent);
    await_init(init);
    report(init, ORDERS_STEP_RELEASED, 0, 0);
    // Last, so that the program need not allow what came before.
    if (filtered && no_new_privs)
        load_seccomp(init);

    char **argv = pointers(init, orders->argv_offset);
    char **envp = pointers(init, orders->envp_offset);
    call(rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, SIGNAL_SET_SIZE);
    long result = call(execve, in_orders(init, orders->executable_offset), argv, envp);
    give_up(init, ORDERS_STEP_EXEC, result, 0);
}
