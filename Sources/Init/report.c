// Telling others: the report on `start`'s connection, the exit record, the exit code.
#include <linux/signal.h>
#include <linux/time.h>

#include "init.h"

// Best effort: a peer that has gone must not stop the container.
void write_all(int descriptor, const void *bytes, size_t count)
{
    const char *next = bytes;
    while (count > 0) {
        long written = call(write, descriptor, next, count);
        if (written == -EINTR)
            continue;
        if (written == -EPIPE) {
            // The SIGPIPE of our own write waits behind the mask: it would kill the task, or be forwarded to it.
            uint64_t set = SIGNAL_BIT(SIGPIPE);
            struct timespec now = {0, 0};
            call(rt_sigtimedwait, &set, NULL, &now, SIGNAL_SET_SIZE);
        }
        if (written <= 0)
            return;
        next += written;
        count -= (size_t)written;
    }
}

void report(const struct init *init, enum orders_step step, long error, uint32_t detail)
{
    struct orders_report frame = {.step = step, .error = (uint32_t)-error, .detail = detail};
    if (init->report >= 0)
        write_all(init->report, &frame, sizeof frame);
}

static char *put_number(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

// Made from its end, in one piece and one write: a reader sees the whole line or none of it.
static void record(const struct init *init, const char *word, bool has_status, uint32_t status)
{
    struct timespec now = {0, 0};
    char line[64], *end = line + sizeof line, *next = end;
    size_t length = 0;
    if (init->record < 0)
        return;
    *--next = '\n';
    if (has_status) {
        next = put_number(next, status);
        *--next = ' ';
    }
    call(clock_gettime, CLOCK_REALTIME, &now);
    next = put_number(next, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    *--next = ' ';
    while (word[length])
        length++;
    while (length > 0)
        *--next = word[--length];
    write_all(init->record, next, (size_t)(end - next));
}

void record_started(const struct init *init)
{
    record(init, "started", false, 0);
}

void record_finished(const struct init *init, int status)
{
    record(init, "finished", true, (uint32_t)status);
}

_Noreturn void leave(int code)
{
    call(exit_group, code);
    __builtin_trap();  // the task's seccomp program did not let us go
}

// The codes of the shell: 127 for a program that is not there, 126 for one that does not run, 1 for all else.
static int code_for(enum orders_step step, long error)
{
    if (step != ORDERS_STEP_EXEC)
        return 1;
    return error == -ENOENT || error == -ENOTDIR ? 127 : 126;
}

_Noreturn void give_up(const struct init *init, enum orders_step step, long error, uint32_t detail)
{
    int code = code_for(step, error);
    report(init, step, error, detail);
    if (!init->is_child) {
        record_finished(init, code << 8);
    } else {
        // The staying init sees us end and writes the record; it only has to know that the task never ran.
        char word = CHILD_FAILED;
        write_all(init->partner, &word, 1);
    }
    leave(code);
}
