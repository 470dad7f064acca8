#include "include/affinity.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

long sys_get_affinity(uint64_t *words, unsigned count) {
    long size = syscall(SYS_sched_getaffinity, 0, count * sizeof *words, words);
    return size < 0 ? -errno : size / (long)sizeof *words;
}
long sys_set_affinity(const uint64_t *words, unsigned count) {
    return syscall(SYS_sched_setaffinity, 0, count * sizeof *words, words) < 0 ? -errno : 0;
}
