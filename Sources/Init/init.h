// What the parts of mrun-init share. It has no global variables: a page written is a page of memory for as long as the
// container waits.
#ifndef MRUN_INIT_H
#define MRUN_INIT_H

#include <stdbool.h>

#include "../CKernel/include/orders.h"
#include "syscalls.h"

// Sets of signals are plain words: bit n − 1 is signal n, and the kernel wants to hear that they have eight bytes.
#define SIGNAL_BIT(signal) (UINT64_C(1) << ((signal) - 1))
#define ALL_SIGNALS (~UINT64_C(0))
#define SIGNAL_SET_SIZE sizeof(uint64_t)

struct init {
    struct orders *orders;  // the block, mapped privately
    int start;              // where `start` connects while we are held, else -1
    int report;             // where struct orders_report goes, else -1
    int record;             // the exit record, else -1
    int enter;              // what leads to the pid namespace of the task, else -1
    int proc;               // root of a procfs, for the labels, else -1
    unsigned preserved;     // how many descriptors from 3 on are the task's
    int partner;            // between a staying init and the child that becomes the task, else -1
    bool is_child;          // this is that child
};

// What a child tells its staying init: it is about to become the task; it failed after all.
enum { CHILD_RELEASED = 'R', CHILD_FAILED = 'F' };
// What the init tells the child: it has limited itself, the task may run.
enum { INIT_IS_READY = 'G' };

// orders.c
void take_orders(struct init *init);
static inline void *in_orders(const struct init *init, uint64_t offset) { return (char *)init->orders + offset; }

// enter.c
void join_namespace(struct init *init);
void be_born_there(const struct init *init);

// hold.c
void hold(struct init *init);

// hooks.c
void run_hooks(const struct init *init);

// task.c
void set_limits(const struct init *init);
void enter_directory(const struct init *init);
char **pointers(const struct init *init, uint64_t offset);
_Noreturn void become_task(const struct init *init, int parent);
// privileges.c
void reduce_privileges(const struct init *init);
void set_privileges(const struct init *init);
void load_seccomp(const struct init *init);

// attributes.c
uint64_t needed_for_attributes(const struct init *init);
void set_attributes(const struct init *init);
// listener.c
void tell_listener(const struct init *init, uint32_t descriptor);

// stay.c
_Noreturn void stay(struct init *init);

// report.c
void write_all(int descriptor, const void *bytes, size_t count);
void report(const struct init *init, enum orders_step step, long error, uint32_t detail);
void record_started(const struct init *init);
void record_finished(const struct init *init, int status);
_Noreturn void leave(int code);
_Noreturn void give_up(const struct init *init, enum orders_step step, long error, uint32_t detail);

#endif
