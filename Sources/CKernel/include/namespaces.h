// What only namespaces need of the kernel. The same rule as in ckernel.h: >= 0, or -errno.
#ifndef MRUN_NAMESPACES_H
#define MRUN_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// All three ids of this process.
long sys_setresuid(uint32_t uid);
long sys_setresgid(uint32_t gid);
// No supplementary groups any more.
long sys_drop_groups(void);
long sys_getegid(void);
// A copy of this process in new namespaces, as its sibling: it returns 0 there, and the sibling's pid here.
long sys_sibling(uint64_t flags);
// A process that shares this one's descriptors, is born where children are born, and exits with what `main` returns.
// Waits for it; returns its exit code.
long sys_run_beside(int (*main)(void *_Nullable context), void *_Nullable context);
// Raises the hard limit of process `pid` to at least `hard`; the soft limit stays.
long sys_raise_limit(int pid, unsigned resource, uint64_t hard);

// A route netlink socket.
long sys_netlink_socket(void);

#pragma clang assume_nonnull end
#endif
