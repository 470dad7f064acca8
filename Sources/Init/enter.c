// Into a container that runs already. Its processes may hold CAP_SYS_PTRACE over whoever is in their pid namespace, so
// nobody is born there before he has nothing left to lead out: neither an image, nor a root, nor a capability.
#include <asm/ioctls.h>
#include <linux/sched.h>
#include <linux/signal.h>

#include "init.h"

// Only for those that are born from now on. Needs privileges, so it comes before they are reduced.
void join_namespace(struct init *init)
{
    long result = call(setns, init->enter, CLONE_NEWPID);
    if (result < 0)
        give_up(init, ORDERS_STEP_ENTER, result, 0);
    call(close, init->enter);
    init->enter = -1;
}

// Returns in the child: the sibling of this process, so that the caller can wait for the task. The exit record is the
// sibling's affair.
void be_born_there(const struct init *init)
{
    // A terminal belongs to one session, and the task gets its own: handed on by letting go of it first. The SIGHUP for
    // that waits behind our mask, and the child does not inherit what waits.
    const bool has_terminal = call(ioctl, 0, TIOCNOTTY) >= 0;
    long child = call(clone, CLONE_PARENT | SIGCHLD);  // the rest is zero, so the order of the arguments is no matter
    if (child < 0)
        give_up(init, ORDERS_STEP_ENTER, child, 1);
    if (child > 0) {
        report(init, ORDERS_STEP_ENTERED, 0, (uint32_t)child);
        leave(0);
    }
    long result = call(setsid, 0);
    if (result >= 0 && has_terminal)
        result = call(ioctl, 0, TIOCSCTTY, 0);
    if (result < 0)
        give_up(init, ORDERS_STEP_SESSION, result, 0);
}
