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

// Laid out as the kernel's struct sched_attr, second version: it is passed on as it is.
struct orders_scheduler {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;  // nanoseconds
    uint32_t clamp_least, clamp_most;
};

// A security label for the coming execve, in the attribute file of a security module.
struct orders_label {
    uint64_t file_offset;   // path below a procfs: "self/attr/exec"
    uint64_t text_offset;   // what is written there
    uint64_t label_offset;  // what must then be read there, up to the end, a blank or a line break
};

enum orders_attribute {
    ORDERS_PERSONALITY = 1 << 0,
    ORDERS_SCHEDULER = 1 << 1,
    ORDERS_IO_PRIORITY = 1 << 2,
    ORDERS_MEMORY_POLICY = 1 << 3,
    ORDERS_AFFINITY = 1 << 4,
    ORDERS_LABELS = 1 << 5,
};

// What few tasks have, apart from the header: the others have no page of it.
struct orders_attributes {
    uint32_t given;           // orders_attribute
    uint32_t personality;     // argument of personality(2)
    uint32_t io_priority;     // as ioprio_set(2) takes it
    uint32_t memory_mode;     // mode and flags of set_mempolicy(2)
    uint32_t node_words, nodes_offset;  // uint64_t[], bit n = node n
    uint32_t cpu_words, cpus_offset;    // uint64_t[], bit n = processor n
    uint32_t label_count, labels_offset;  // struct orders_label[]
    int32_t proc_fd;          // root of a procfs that knows the task, mounted nowhere; -1 without labels
    uint32_t reserved;
    struct orders_scheduler scheduler;
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
    // How many descriptors of the caller the task gets, as 3, 4, …: all but the first are in their places, and that one,
    // whose place the orders take, is at preserved_fd (-1 where there are none). Our own are above them all.
    uint32_t preserved;
    int32_t start_fd;   // listening SOCK_SEQPACKET socket to be held on, or -1: start at once
    int32_t report_fd;  // where to report when start_fd is -1, or -1
    int32_t record_fd;  // exit record, opened for appending, or -1
    // pidfd of a process whose pid namespace the task is born in, or that namespace itself, or -1.
    int32_t enter_fd;
    int32_t preserved_fd;
    uint32_t reserved;  // 0: the size is a multiple of eight
    uint64_t attributes_offset;  // struct orders_attributes, or 0: none of them
    uint32_t hook_count, hooks_offset;  // to run before the task is: struct orders_hook[]
    // What they find on their standard input: the first string, mrun-init's pid, the second one.
    uint64_t hook_state_offset, hook_rest_offset;
};

struct orders_hook {
    uint64_t path_offset;
    uint64_t argv_offset, envp_offset;  // uint64_t[], zero-terminated
    uint32_t timeout;                   // seconds; 0: none
    uint32_t reserved;
};

// What mrun-init reports, as fixed frames on the connection of `start` (or on report_fd). The peer reads until the end
// of the stream: a frame with an error decides; else ORDERS_STEP_RELEASED then the end means that the task runs; the
// end without any frame means that mrun-init died. One that is to be held says ORDERS_STEP_HELD on report_fd when it
// listens and has given up what it can, and closes it: its end alone, which death brings about as well, means nothing.
//
// With enter_fd or ORDERS_BORN there are two: the process that got the orders, and the task, its sibling in the other namespace.
// ORDERS_STEP_ENTERED tells the task's pid, as mrun-init sees it; then the first one ends with code 0, and the task's
// code is that of the sibling. Both report, so this frame comes before or after those of the task; if it is missing
// although the task was released, the first one was killed.
//
// With SECCOMP_FILTER_FLAG_NEW_LISTENER among the seccomp_flags two frames ORDERS_STEP_LISTENER come, and mrun-init waits
// for one byte after each (the end of the stream ends the start): right before the filter is loaded, and when it is,
// with the number of the listener's descriptor in the task, written by nothing but write(2).
struct orders_report {
    uint32_t step;    // enum orders_step
    uint32_t error;   // errno, 0 with ORDERS_STEP_RELEASED, _ENTERED and _HELD
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
    ORDERS_STEP_ATTRIBUTE,    // detail: the orders_attribute
    ORDERS_STEP_HELD,         // no failure: it waits for the start
    ORDERS_STEP_LABEL,        // detail: index; EXDEV: what is read there is another label
    ORDERS_STEP_LISTENER,     // no failure with error 0; detail: 0, or the number of the descriptor
    ORDERS_STEP_HOOK,         // detail: index; the frame is a struct orders_hook_report
    ORDERS_STEP_COUNT
};

// How a hook ended. In a frame of ORDERS_STEP_HOOK it follows the usual head, whose error is that of the system call that
// failed, or else ECANCELED; then come the last bytes of the hook's standard output, and those of its standard error.
struct orders_hook_report {
    struct orders_report head;
    uint32_t how;                 // enum orders_hook_how
    uint32_t status;              // as wait(2) gives it
    uint32_t out_size, err_size;  // bytes, each at most ORDERS_HOOK_TEXT
    uint32_t cut;                 // bit 0, 1: there was more than this of the first, the second
};

enum { ORDERS_HOOK_TEXT = 1024 };

enum orders_hook_how {
    ORDERS_HOOK_ENDED,
    ORDERS_HOOK_TIMED_OUT,     // and was killed
    ORDERS_HOOK_ABANDONED,     // and was killed, for whoever wanted to know is gone
    ORDERS_HOOK_NOT_EXECUTED,  // by execve, or what led to it
    ORDERS_HOOK_NOT_STARTED,   // there is no process for it
};

// The exit record, appended by a staying init, one line each, numbers decimal, times in nanoseconds since the epoch:
//     started <time>
//     finished <time> <wait status>
// A line without its newline is no line.

#endif
