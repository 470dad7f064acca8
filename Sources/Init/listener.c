// A filter whose calls an agent decides. The runtime hands the agent what it listens on; nobody but the runtime can
// reach the agent, and only it knows the task's pid as the agent sees it.
//
//     init                              runtime, at the other end of the report
//     LISTENER 0                    ->  connects to the agent
//     loads the filter              <-  a byte
//     LISTENER <number>             ->  takes a copy of that descriptor, gives it to the agent
//     goes on to the task           <-  a byte
#include "init.h"

// With the filter loaded this may take no calls but write, whose success does not depend on the agent, and read, which
// the agent can decide once it is there.
void tell_listener(const struct init *init, uint32_t descriptor)
{
    char word = 0;
    long result;
    report(init, ORDERS_STEP_LISTENER, 0, descriptor);
    do
        result = call(read, init->report, &word, 1);
    while (result == -EINTR);
    if (result != 1)
        give_up(init, ORDERS_STEP_LISTENER, result < 0 ? result : -ECONNRESET, descriptor);
}
