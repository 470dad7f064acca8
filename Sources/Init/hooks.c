// The hooks startContainer: in the container, before the task, and as the task. They may be the image's programs, so they
// get all that confines the task: its ids, capabilities, limits, attributes, seccomp program and working directory. We
// wait outside of that.
#include "hook.h"
#include "init.h"

// In the order in which become_task does it, and why.
static void live_as_the_task(const void *context)
{
    const struct init *init = context;
    const bool no_new_privs = init->orders->flags & ORDERS_NO_NEW_PRIVS;
    const bool filtered = init->orders->flags & ORDERS_SECCOMP;
    set_limits(init);
    set_attributes(init);
    if (filtered && !no_new_privs)
        load_seccomp(init);
    set_privileges(init);
    enter_directory(init);
    if (filtered && no_new_privs)
        load_seccomp(init);
}

static _Noreturn void tell(const struct init *init, struct hook_report *failed, uint32_t index)
{
    failed->fixed.head.step = ORDERS_STEP_HOOK;
    failed->fixed.head.detail = index;
    if (init->report >= 0)
        write_all(init->report, failed, hook_frame(failed));
    record_finished(init, 1 << 8);
    leave(1);
}

void run_hooks(const struct init *init)
{
    const struct orders_hook *hooks = in_orders(init, init->orders->hooks_offset);
    // What fails on the way to a hook is reported by the hook's process, and recorded here.
    struct init inside = {.orders = init->orders, .start = -1, .report = init->report, .record = -1, .enter = -1,
                          .proc = init->proc, .partner = -1, .is_child = true};
    for (uint32_t index = 0; index < init->orders->hook_count; index++) {
        struct hook_report report;
        const struct hook hook = {
            .path = in_orders(init, hooks[index].path_offset),
            .argv = pointers(init, hooks[index].argv_offset),
            .envp = pointers(init, hooks[index].envp_offset),
            .state = in_orders(init, init->orders->hook_state_offset),
            .rest = in_orders(init, init->orders->hook_rest_offset),
            .timeout = hooks[index].timeout,
            .watched = -1,
            .prepare = live_as_the_task,
            .context = &inside,
        };
        run_hook(&hook, &report);
        if (!has_succeeded(&report))
            tell(init, &report, index);
    }
    // As pid 1 we have got what the hooks left behind. The task need not find it dead.
    while (call(wait4, -1, NULL, WNOHANG, NULL) > 0)
        ;
}
