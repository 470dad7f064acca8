// Held: created, not started. Until somebody connects and says START, the only other way out is a signal.
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/signal.h>
#include <linux/signalfd.h>
#include <linux/time.h>

#include "init.h"

enum { START = 'S', MESSAGE_SIZE = 2 };  // one byte more than START has, to see that nothing follows it

// The signals whose default is to end the process. As pid 1 of a namespace we would ignore them without a handler; being
// blocked they wait for the signalfd instead, and a held container ends alike with and without a namespace.
#define DEADLY \
    (ALL_SIGNALS \
     & ~(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) \
         | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU)))

static _Noreturn void end_by_signal(const struct init *init, int signals)
{
    struct signalfd_siginfo info = {.ssi_signo = SIGKILL};
    call(read, signals, &info, sizeof info);
    record_finished(init, (int)info.ssi_signo);
    leave(128 + (int)info.ssi_signo);
}

// Whether `descriptor` has something to say, within `limit`, or at all if that is NULL. The kernel counts `limit` down,
// so a wait that was interrupted does not begin anew.
static bool wait_for(const struct init *init, int signals, int descriptor, struct timespec *limit)
{
    struct pollfd poll[] = {{.fd = signals, .events = POLLIN}, {.fd = descriptor, .events = POLLIN}};
    while (call(ppoll, poll, 2, limit) < 0)
        ;
    if (poll[0].revents)
        end_by_signal(init, signals);
    return poll[1].revents;
}

// The next connection, or −1 when it is worth trying again.
static int next_connection(const struct init *init, int signals)
{
    struct timespec pause = {0, 100000000};
    long connection;
    wait_for(init, signals, init->start, NULL);
    connection = call(accept4, init->start, NULL, NULL, O_CLOEXEC);
    switch (connection) {
    case -ENFILE:
    case -EMFILE:
    case -ENOMEM:
    case -ENOBUFS:
        wait_for(init, signals, -1, &pause);  // the machine is short of something: no reason to give up, nor to spin
        return -1;
    case -EINTR:
    case -EAGAIN:
    case -ECONNABORTED:
        return -1;
    }
    if (connection < 0)
        give_up(init, ORDERS_STEP_ORDERS, connection, 0);
    return (int)connection;
}

void hold(struct init *init)
{
    uint64_t deadly = DEADLY;
    char message[MESSAGE_SIZE];
    int connection;
    long signals = call(signalfd4, -1, &deadly, SIGNAL_SET_SIZE, SFD_CLOEXEC);
    if (signals < 0)
        give_up(init, ORDERS_STEP_ORDERS, signals, 0);
    // Checked, and not needed for now: the pages come back from the memfd when they are read again.
    call(madvise, init->orders, init->orders->size, MADV_DONTNEED);
    if (init->report >= 0) {
        report(init, ORDERS_STEP_HELD, 0, 0);  // all is well so far
        call(close, init->report);
    }
    init->report = -1;

    for (;;) {
        connection = next_connection(init, (int)signals);
        if (connection < 0)
            continue;
        // One who only connects and closes wanted to know whether we are held. One who connects and says nothing keeps
        // the others waiting, but not for ever.
        struct timespec patience = {1, 0};
        if (wait_for(init, (int)signals, connection, &patience)
            && call(read, connection, message, sizeof message) == 1 && message[0] == START)
            break;
        call(close, connection);
    }
    // From here on a connect is refused: nobody can start us twice, or believe that we are still held.
    call(close, init->start);
    call(close, signals);
    init->start = -1;
    init->report = connection;
}
