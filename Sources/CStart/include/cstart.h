#ifndef MRUN_CSTART_H
#define MRUN_CSTART_H

#pragma clang assume_nonnull begin

// Puts the caller's environment in place of the one that the Swift runtime started with.
void start_caller_environment(void);
// The words that this process was called with, as many as `count` says.
char *_Nonnull *_Nonnull start_words(int *count);

#pragma clang assume_nonnull end
#endif
