// Seccomp filters whose calls an agent decides.
#ifndef MRUN_LISTENER_H
#define MRUN_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// Whether this kernel's seccomp(2) knows these flags.
bool sys_seccomp_knows(unsigned flags);
// A copy of descriptor `number` of another process; needs the right to trace it.
long sys_pidfd_getfd(int pidfd, int number);
// From now on sys_receive tells who has written.
long sys_tell_senders(int socket);
// How long a connect or a write may take.
long sys_limit_sending(int socket, int seconds);
// Like read(2); `sender` gets the pid of who has written, or 0.
long sys_receive(int socket, void *buffer, size_t count, int *sender);

#pragma clang assume_nonnull end
#endif
