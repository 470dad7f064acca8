// What only the cgroups need of the kernel. The same rule as in ckernel.h: >= 0, or -errno.
#ifndef MRUN_CGROUP_H
#define MRUN_CGROUP_H

#include <stddef.h>
#include <stdint.h>

// O_PATH, which Swift's Glibc module lacks.
static const int32_t K_O_PATH = 010000000;

#pragma clang assume_nonnull begin

// The magic number of the filesystem at `path`.
long sys_path_filesystem_magic(const char *path);
// Extended attributes; a symbolic link at the end of `path` is not followed. `add` refuses one that is there with
// EEXIST; `get` answers the value's length.
long sys_add_attribute(const char *path, const char *name, const void *_Nullable value, size_t size);
long sys_get_attribute(const char *path, const char *name, void *buffer, size_t size);
long sys_remove_attribute(const char *path, const char *name);
// A counter for the kernel to add to, which does not block; closed on exec.
long sys_eventfd(void);

#pragma clang assume_nonnull end
#endif
