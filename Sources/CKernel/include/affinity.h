// The processors that the calling thread may run on. The same rule as in ckernel.h: >= 0, or -errno.
#ifndef MRUN_AFFINITY_H
#define MRUN_AFFINITY_H

#include <stdint.h>

#pragma clang assume_nonnull begin

// Bit n of all words in a row is processor n. `get` answers how many words the kernel has filled.
long sys_get_affinity(uint64_t *words, unsigned count);
long sys_set_affinity(const uint64_t *words, unsigned count);

#pragma clang assume_nonnull end
#endif
