#include "include/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

long sys_path_filesystem_magic(const char *path) {
    struct statfs s;
    return statfs(path, &s) < 0 ? -errno : (long)s.f_type;
}

static long answer(long result) { return result < 0 ? -errno : result; }

long sys_add_attribute(const char *path, const char *name, const void *value, size_t size) {
    return answer(syscall(SYS_lsetxattr, path, name, value, size, XATTR_CREATE));
}
long sys_get_attribute(const char *path, const char *name, void *buffer, size_t size) {
    return answer(syscall(SYS_lgetxattr, path, name, buffer, size));
}
long sys_remove_attribute(const char *path, const char *name) {
    return answer(syscall(SYS_lremovexattr, path, name));
}

// EFD_CLOEXEC and EFD_NONBLOCK are O_CLOEXEC and O_NONBLOCK.
long sys_eventfd(void) { return answer(syscall(SYS_eventfd2, 0, O_CLOEXEC | O_NONBLOCK)); }
