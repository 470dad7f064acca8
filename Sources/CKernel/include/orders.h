// The one message that mrun-init gets: a flat block in a sealed memfd, found at descriptor ORDERS_FD.
//
// Every offset counts bytes from the start of the block; strings end with NUL; tables of strings are arrays of
// uint64_t offsets that end with a zero entry, so that mrun-init can turn them into pointers in place.
// The Runtime module writes it, mrun-init reads it; both are built from this file, in one build.
#ifndef MRUN_ORDERS_H
#define MRUN_ORDERS_H

#include <stdint.h>

enum { ORDERS_FD = 3, ORDERS_MAGIC = 0x3149524d };  // "MRI1"

enum orders_flag {
    ORDERS_STAY = 1 << 0,          // stay as the container's init: fork the task, reap, forward, write the record
    ORDERS_SUBREAPER = 1 << 1,     // there is no pid namespace of our own: become a subreaper
    ORDERS_NO_NEW_PRIVS = 1 << 2,  // set no_new_privs for the task
    ORDERS_CAPABILITIES = 1 << 3,  // apply the five sets exactly; without it they stay as they are
    ORDERS_SESSION_KEYRING = 1 << 4,  // join a new session keyring
    ORDERS_SETGROUPS = 1 << 5,     // call setgroups (not possible in some user namespaces)
    ORDERS_SECCOMP = 1 << 6,       // load the program at seccomp_offset
    ORDERS_BORN = 1 << 7,          // children are born in another pid namespace: make one, which is held, or the task
};

struct orders_rlimit {
    uint32_t resource;  // RLIMIT_*
    uint32_t reserved;
    uint64_t soft, hard;
};

struct orders {
    uint32_t magic, size, flags, umask;
    uint32_t uid, gid;
    uint32_t group_count, groups_offset;  // uint32_t[]
    uint64_t bounding, effective, permitted, inheritable, ambient;  // bit n = capability n
    uint64_t executable_offset;  // path handed to execve
    uint64_t cwd_offset;
    uint64_t argv_offset, envp_offset;  // uint64_t[], zero-terminated
    uint32_t rlimit_count, rlimits_offset;  // struct orders_rlimit[]
    uint32_t seccomp_count, seccomp_offset, seccomp_flags;  // struct sock_filter[]; flags of seccomp(2)
    uint32_t preserved;  // reserved for --preserve-fds: 0 for now
    int32_t start_fd;   // listening SOCK_SEQPACKET socket to be held on, or -1: start at once
    int32_t report_fd;  // where to report when start_fd is -1, or -1
    int32_t record_fd;  // exit record, opened for appending, or -1
    // pidfd of a process whose pid namespace the task is born in, or that namespace itself, or -1.
    int32_t enter_fd;
};

// What mrun-init reports, as fixed frames on the connection of `start` (or on report_fd). The peer reads until the end
// of the stream: a frame with an error decides; else ORDERS_STEP_RELEASED then the end means that the task runs; the
// end without any frame means that mrun-init died. While it is held, the end of report_fd without any frame means that
// all is well so far: it listens, and has given up what it can.
//
// With enter_fd or ORDERS_BORN there are two: the process that got the orders, and the task, its sibling in the other namespace.
// ORDERS_STEP_ENTERED tells the task's pid, as mrun-init sees it; then the first one ends with code 0, and the task's
// code is that of the sibling. Both report, so this frame comes before or after those of the task; if it is missing
// although the task was released, the first one was killed.
struct orders_report {
    uint32_t step;    // enum orders_step
    uint32_t error;   // errno, 0 with ORDERS_STEP_RELEASED and ORDERS_STEP_ENTERED
    uint32_t detail;  // e.g. the index of the rlimit, the number of the capability
};

enum orders_step {
    ORDERS_STEP_RELEASED = 0,
    ORDERS_STEP_ORDERS,       // the block itself is damaged
    ORDERS_STEP_KEYRING,
    ORDERS_STEP_SESSION,
    ORDERS_STEP_RLIMIT,       // detail: index
    ORDERS_STEP_BOUNDING,     // detail: capability
    ORDERS_STEP_KEEPCAPS,
    ORDERS_STEP_SETGROUPS,
    ORDERS_STEP_SETGID,
    ORDERS_STEP_SETUID,
    ORDERS_STEP_CAPSET,
    ORDERS_STEP_AMBIENT,      // detail: capability
    ORDERS_STEP_CWD,
    ORDERS_STEP_NO_NEW_PRIVS,
    ORDERS_STEP_SECCOMP,
    ORDERS_STEP_FORK,
    ORDERS_STEP_CONFINE,      // limiting the staying init itself
    ORDERS_STEP_EXEC,
    ORDERS_STEP_ENTER,        // detail: 0 setns, 1 clone
    ORDERS_STEP_ENTERED,      // no failure; detail: pid of the task
    ORDERS_STEP_COUNT
};

// The exit record, appended by a staying init, one line each, numbers decimal, times in nanoseconds since the epoch:
//     started <time>
//     finished <time> <wait status>
// A line without its newline is no line.

#endif
