// Running one hook: in mrun-init (hooks.c here), and on the host's side (CKernel/hooks.c), where a process of its own does
// it. Nothing of a libc, and of the caller nothing but what is in `struct hook`.
#ifndef MRUN_HOOK_H
#define MRUN_HOOK_H

#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/signal.h>
#include <linux/time.h>
#include <linux/wait.h>
#include <stdbool.h>

#include "../CKernel/include/orders.h"
#include "syscalls.h"

// Of Linux 6.3; Debian 12's headers are older. HOOK_DRAIN reads take what a pipe can hold.
enum { MEMFD_NEVER_EXECUTED = 0x08, HOOK_CHUNK = 4096, HOOK_DRAIN = 16 };

#define HOOK_SECOND INT64_C(1000000000)
#define HOOK_GRACE (5 * HOOK_SECOND)  // in which what was killed must be gone

struct hook {
    const char *path, *cwd;  // cwd: "/" where it is gone; NULL for the caller's
    char **argv, **envp;
    const char *state, *rest;        // what it reads on standard input; unless rest is NULL, our pid is in between
    uint32_t timeout;                // seconds; 0: none
    int watched;                     // a connection whose end means that nobody wants to know any more, or -1
    void (*prepare)(const void *);   // what the hook's process does last before execve, or NULL
    const void *context;
    void (*end_descendants)(void);   // kills and reaps everything, after the hook's own group; or NULL
};

struct hook_report {
    struct orders_hook_report fixed;
    char text[2 * ORDERS_HOOK_TEXT];  // one half for each of its outputs
};

struct hook_process {
    int pid, handle, out, err, failure;  // the last three: our ends of its output, and of where execve's error comes
};

static inline int64_t hook_now(void)
{
    struct timespec now = {0, 0};
    call(clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * HOOK_SECOND + now.tv_nsec;
}

static inline long hook_write(long file, const char *text, size_t size)
{
    size_t done = 0;
    while (done < size) {
        long result = call(write, file, text + done, size - done);
        if (result < 0 && result != -EINTR)
            return result;
        if (result > 0)
            done += (size_t)result;
    }
    return 0;
}

static inline long hook_write_text(long file, const char *text)
{
    size_t size = 0;
    while (text[size])
        size++;
    return hook_write(file, text, size);
}

static inline long hook_write_pid(long file)
{
    char digits[12], *first = digits + sizeof digits;
    unsigned number = (unsigned)call(getpid, 0);
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return hook_write(file, first, (size_t)(digits + sizeof digits - first));
}

// A file and no pipe: nobody need write while the hook reads, or does not read, or is another user who opens /dev/stdin.
static inline long hook_input(const struct hook *hook)
{
    long file = call(memfd_create, "hook-state", MFD_CLOEXEC | MFD_ALLOW_SEALING | MEMFD_NEVER_EXECUTED);
    if (file == -EINVAL)
        file = call(memfd_create, "hook-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return file;
    long result = hook_write_text(file, hook->state);
    if (result >= 0 && hook->rest)
        result = hook_write_pid(file);
    if (result >= 0 && hook->rest)
        result = hook_write_text(file, hook->rest);
    if (result >= 0)
        result = call(lseek, file, 0, 0);
    if (result >= 0)
        result = call(fcntl, file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    if (result >= 0)
        return file;
    call(close, file);
    return result;
}

// The child. Of the caller's it has neither signals, nor descriptors, nor a terminal, nor the umask.
static inline _Noreturn void hook_become(const struct hook *hook, int parent, const int files[3], int failure)
{
    const uint64_t no_signals = 0;
    const unsigned long by_default[4] = {0, 0, 0, 0};  // the kernel's struct sigaction
    long result = 0;
    call(setsid, 0);
    call(prctl, PR_SET_PDEATHSIG, SIGKILL);
    long above = call(getppid, 0);  // 0: in another pid namespace
    if (above != 0 && above != parent)
        call(exit_group, 1);
    for (int signal = 1; signal <= 64; signal++)
        call(rt_sigaction, signal, by_default, NULL, sizeof no_signals);
    call(umask, 022);
    for (int number = 0; number <= 2 && result >= 0; number++)
        result = call(dup3, files[number], number, 0);
    if (result >= 0)
        result = call(close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (hook->cwd && call(chdir, hook->cwd) < 0)
        call(chdir, "/");
    call(rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof no_signals);
    if (result >= 0 && hook->prepare)
        hook->prepare(hook->context);
    if (result >= 0)
        result = call(execve, hook->path, hook->argv, hook->envp);
    call(write, failure, &result, sizeof result);
    for (;;)
        call(exit_group, 127);
}

static inline void hook_close(const int *descriptors, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (descriptors[i] >= 0)
            call(close, descriptors[i]);
}

static inline long hook_start(const struct hook *hook, struct hook_process *process)
{
    int read[3] = {-1, -1, -1}, write[3] = {-1, -1, -1};
    long input = hook_input(hook), result = input;
    for (int i = 0; i < 3 && result >= 0; i++) {
        int ends[2];
        result = call(pipe2, ends, O_CLOEXEC);
        if (result < 0)
            break;
        read[i] = ends[0];
        write[i] = ends[1];
        result = call(fcntl, ends[0], F_SETFL, O_NONBLOCK);
    }
    if (result >= 0) {
        int parent = (int)call(getpid, 0);
        const int files[3] = {(int)input, write[0], write[1]};
        result = call(clone, SIGCHLD | CLONE_PIDFD, 0, &process->handle);
        if (result == 0)
            hook_become(hook, parent, files, write[2]);
    }
    if (input >= 0)
        call(close, input);
    hook_close(write, 3);
    if (result < 0) {
        hook_close(read, 3);
        return result;
    }
    process->pid = (int)result;
    process->out = read[0];
    process->err = read[1];
    process->failure = read[2];
    return 0;
}

// Keeps the last bytes.
static inline void hook_keep(const char *bytes, uint32_t count, char *text, uint32_t *size, uint32_t *cut, uint32_t bit)
{
    uint32_t from = count > ORDERS_HOOK_TEXT ? count - ORDERS_HOOK_TEXT : 0;
    uint32_t added = count - from;
    uint32_t lost = *size + added > ORDERS_HOOK_TEXT ? *size + added - ORDERS_HOOK_TEXT : 0;
    if (from > 0 || lost > 0)
        *cut |= bit;
    for (uint32_t i = lost; i < *size; i++)
        text[i - lost] = text[i];
    *size -= lost;
    for (uint32_t i = 0; i < added; i++)
        text[*size + i] = bytes[from + i];
    *size += added;
}

// One read of its output. At the end of the stream the descriptor is closed and becomes -1. Whether there was something.
static inline bool hook_read(int *descriptor, struct hook_report *report, bool is_error)
{
    char chunk[HOOK_CHUNK];
    struct orders_hook_report *fixed = &report->fixed;
    if (*descriptor < 0)
        return false;
    long count = call(read, *descriptor, chunk, sizeof chunk);
    if (count > 0) {
        if (is_error)
            hook_keep(chunk, (uint32_t)count, report->text + ORDERS_HOOK_TEXT, &fixed->err_size, &fixed->cut, 2);
        else
            hook_keep(chunk, (uint32_t)count, report->text, &fixed->out_size, &fixed->cut, 1);
        return true;
    }
    if (count != -EAGAIN && count != -EINTR) {
        call(close, *descriptor);
        *descriptor = -1;
    }
    return false;
}

// The end of the hook itself is what counts: who holds its pipes may live on.
static inline enum orders_hook_how hook_wait(const struct hook *hook, struct hook_process *process,
                                             struct hook_report *report)
{
    const int64_t end = hook_now() + hook->timeout * HOOK_SECOND;
    for (;;) {
        struct pollfd polls[] = {{.fd = process->handle, .events = POLLIN}, {.fd = hook->watched, .events = 0},
                                 {.fd = process->out, .events = POLLIN}, {.fd = process->err, .events = POLLIN}};
        int64_t left = hook->timeout ? end - hook_now() : HOOK_SECOND;
        if (left <= 0)
            return ORDERS_HOOK_TIMED_OUT;
        struct timespec limit = {left / HOOK_SECOND, left % HOOK_SECOND};
        if (call(ppoll, polls, 4, hook->timeout ? &limit : NULL, NULL, 0) < 0)
            continue;
        if (polls[1].revents)
            return ORDERS_HOOK_ABANDONED;
        if (polls[2].revents)
            hook_read(&process->out, report, false);
        if (polls[3].revents)
            hook_read(&process->err, report, true);
        if (polls[0].revents)
            return ORDERS_HOOK_ENDED;
    }
}

// By its group, and so at one blow, whatever has stayed in that; then what has not.
static inline void hook_kill(const struct hook *hook, const struct hook_process *process)
{
    struct pollfd poll = {.fd = process->handle, .events = POLLIN};
    struct timespec limit = {HOOK_GRACE / HOOK_SECOND, 0};
    call(kill, -process->pid, SIGKILL);
    call(kill, process->pid, SIGKILL);
    if (hook->end_descendants) {
        hook->end_descendants();
        return;
    }
    while (call(ppoll, &poll, 1, &limit, NULL, 0) == -EINTR)
        ;
    call(wait4, process->pid, NULL, WNOHANG, NULL);
}

// Runs a hook and waits for its end. `report->fixed.head` is left to the caller, but for the error.
static inline void run_hook(const struct hook *hook, struct hook_report *report)
{
    struct hook_process process = {-1, -1, -1, -1, -1};
    struct orders_hook_report *fixed = &report->fixed;
    long error = hook_start(hook, &process);
    int status = 0;
    *fixed = (struct orders_hook_report){.how = ORDERS_HOOK_NOT_STARTED};
    fixed->head.error = error < 0 ? (uint32_t)-error : ECANCELED;
    if (error < 0)
        return;
    fixed->how = hook_wait(hook, &process, report);
    if (fixed->how == ORDERS_HOOK_ENDED)
        while (call(wait4, process.pid, &status, 0, NULL) == -EINTR)
            ;
    else
        hook_kill(hook, &process);
    fixed->status = (uint32_t)status;
    for (int i = 0; i < HOOK_DRAIN && hook_read(&process.out, report, false); i++)
        ;
    for (int i = 0; i < HOOK_DRAIN && hook_read(&process.err, report, true); i++)
        ;
    if (fixed->how == ORDERS_HOOK_ENDED
        && call(read, process.failure, &error, sizeof error) == (long)sizeof error) {
        fixed->how = ORDERS_HOOK_NOT_EXECUTED;
        fixed->head.error = (uint32_t)-error;
    }
    const int ours[] = {process.handle, process.out, process.err, process.failure};
    hook_close(ours, sizeof ours / sizeof ours[0]);
}

static inline bool has_succeeded(const struct hook_report *report)
{
    return report->fixed.how == ORDERS_HOOK_ENDED && report->fixed.status == 0;
}

// Makes one piece of the frame; its length.
static inline size_t hook_frame(struct hook_report *report)
{
    for (uint32_t i = 0; i < report->fixed.err_size; i++)
        report->text[report->fixed.out_size + i] = report->text[ORDERS_HOOK_TEXT + i];
    return sizeof report->fixed + report->fixed.out_size + report->fixed.err_size;
}

#endif
