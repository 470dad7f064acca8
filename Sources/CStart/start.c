// What happens before main. Only a static executable may link this: it calls start_caller_environment first of all.
#include "include/cstart.h"

#include <unistd.h>

// A static Swift binary asks for its own path before main and aborts where /proc is not mounted, unless SWIFT_ROOT is
// set; and it looks for its backtracer in ten places, unless SWIFT_BACKTRACE names one. So the runtime starts with an
// environment of its own, which nobody inherits.
static char *runtimes_environment[] = {(char[]){"SWIFT_ROOT=/"},
                                       (char[]){"SWIFT_BACKTRACE=enable=no,color=no,swift-backtrace=/dev/null"}, NULL};
static char **callers_environment, **callers_words;
static int callers_word_count;

__attribute__((constructor(101))) static void before_the_runtime(int count, char **words, char **environment) {
    callers_word_count = count;
    callers_words = words;
    callers_environment = environment;
    environ = runtimes_environment;
}

void start_caller_environment(void) {
    if (environ == runtimes_environment) environ = callers_environment;
}

char **start_words(int *count) {
    *count = callers_word_count;
    return callers_words;
}

// In place of the Swift runtime's own search for argv, the one member of libswiftCore.a that these two names pull in: it
// reads /proc/self/maps before main, in each call.
char **_swift_stdlib_getUnsafeArgvArgc(int *count) { return start_words(count); }
void _swift_stdlib_overrideUnsafeArgvArgc(char **words, int count) {
    callers_words = words;
    callers_word_count = count;
}
