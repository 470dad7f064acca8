// Hooks, as the runtime runs them. The same rule as in ckernel.h: >= 0, or -errno.
#ifndef MRUN_HOOKS_H
#define MRUN_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

struct hook_request {
    const char *path, *cwd;
    const char *_Nullable const *_Nonnull argv;
    const char *_Nullable const *_Nonnull envp;
    const char *state;  // for its standard input
    uint32_t timeout;   // seconds; 0: none
};

// Runs a hook and waits for its end. `frame` gets a struct orders_hook_report and the hook's last words; answers the
// number of bytes, 0 when the supervisor was killed.
//
// `supervised`: a process of its own runs it, the subreaper of all that the hook starts. When the hook takes too long, or
// we are gone, it leaves nothing of that alive. Otherwise we run it, and only its group is killed: for hooks in the
// container, which ends as a whole.
long sys_run_hook(const struct hook_request *request, bool supervised, void *frame, size_t room);

#pragma clang assume_nonnull end
#endif
