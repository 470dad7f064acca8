// System calls as the kernel answers them: every function returns a value >= 0, or -errno. errno itself never crosses
// into Swift, so nothing that runs in between can overwrite it. No policy here.
#ifndef MRUN_CKERNEL_H
#define MRUN_CKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "constants.h"
#include "orders.h"

#pragma clang assume_nonnull begin

// Descriptors and files
long sys_openat(int dir, const char *path, int flags, unsigned mode);
long sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
long sys_close(int fd);
long sys_read(int fd, void *buffer, size_t count);
long sys_write(int fd, const void *buffer, size_t count);
long sys_lseek(int fd, int64_t offset, int whence);
long sys_dup3(int from, int to, int flags);
long sys_fcntl(int fd, int command, long argument);
long sys_fsync(int fd);
long sys_ftruncate(int fd, int64_t length);
long sys_flock(int fd, int operation);
long sys_close_range(unsigned first, unsigned last, unsigned flags);
long sys_memfd_create(const char *name, unsigned flags);
long sys_pipe2(int ends[_Nonnull 2], int flags);
long sys_getdents64(int fd, void *buffer, size_t size);
long sys_faccessat2(int dir, const char *path, int mode, int flags);

// What mrun asks about a file, from fstatat(2); sizes in bytes.
struct file_status {
    uint32_t mode, uid, gid, links;
    uint64_t device, inode, rdev_major, rdev_minor, size;
    int64_t modified;  // nanoseconds since the epoch
};
long sys_status(int dir, const char *path, int flags, struct file_status *out);
// The magic number of the filesystem that `fd` lies on.
long sys_filesystem_magic(int fd);

// Directories and nodes
long sys_mkdirat(int dir, const char *path, unsigned mode);
long sys_mknodat(int dir, const char *path, unsigned mode, unsigned major, unsigned minor);
long sys_symlinkat(const char *target, int dir, const char *path);
long sys_readlinkat(int dir, const char *path, char *buffer, size_t size);
long sys_unlinkat(int dir, const char *path, int flags);
long sys_renameat(int from, const char *path, int to, const char *name);
long sys_fchownat(int dir, const char *path, uint32_t uid, uint32_t gid, int flags);
// The mode of a file that is no symbolic link.
long sys_fchmodat(int dir, const char *path, unsigned mode);
// Gives `path` the times of the last access and change that the open file `from` has.
long sys_copy_times(int from, int dir, const char *path, int flags);
long sys_linkat(int from, const char *path, int to, const char *name);
// Copies from where `from` stands to where `to` stands.
long sys_sendfile(int to, int from, size_t count);
long sys_flistxattr(int fd, char *_Nullable names, size_t size);
long sys_fgetxattr(int fd, const char *name, void *_Nullable value, size_t size);
long sys_fsetxattr(int fd, const char *name, const void *_Nullable value, size_t size);
long sys_fchmod(int fd, unsigned mode);
long sys_fchdir(int fd);
long sys_chdir(const char *path);
// Fills `buffer` with the working directory; returns its length without the NUL.
long sys_getcwd(char *buffer, size_t size);
unsigned sys_umask(unsigned mask);

// Mounts
long sys_open_tree(int dir, const char *path, unsigned flags);
long sys_move_mount(int from, const char *path, int to, const char *target, unsigned flags);
long sys_fsopen(const char *type, unsigned flags);
long sys_fsconfig(int fd, unsigned command, const char *_Nullable key, const char *_Nullable value, int aux);
long sys_fsmount(int fd, unsigned flags, unsigned attributes);
long sys_mount_setattr(int dir, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation);
// Maps the owners of a detached tree through the user namespace `userns`.
long sys_mount_idmap(int tree, unsigned flags, int userns);
long sys_fspick(int dir, const char *path, unsigned flags);
long sys_mount(const char *_Nullable source, const char *target, const char *_Nullable type, unsigned long flags);
long sys_umount2(const char *target, int flags);
long sys_pivot_root(const char *root, const char *old);
long sys_chroot(const char *root);

// Processes
typedef int (*child_main)(void *_Nullable context);
// clone3 with `flags`, a pidfd in `pidfd`, and the child in cgroup `cgroup` where that is >= 0. The child runs `main`
// on a copy of this stack and exits with what it returns. Returns the child's pid.
long sys_spawn(uint64_t flags, int cgroup, int *pidfd, child_main main, void *_Nullable context);
long sys_unshare(int flags);
long sys_setns(int fd, int flags);
long sys_pidfd_open(int pid, unsigned flags);
long sys_pidfd_send_signal(int pidfd, int signal);
long sys_kill(int pid, int signal);
long sys_getpid(void);
long sys_getppid(void);
long sys_geteuid(void);
long sys_prctl(int option, unsigned long argument);
long sys_execveat(int fd, const char *_Nullable const *_Nonnull argv, const char *_Nullable const *_Nonnull envp);
long sys_execve(const char *path, const char *_Nullable const *_Nonnull argv, const char *_Nullable const *_Nonnull envp);
void sys_exit(int status) __attribute__((noreturn));
long sys_sethostname(const char *name, size_t length);
long sys_setdomainname(const char *name, size_t length);
long sys_setsid(void);
// Waits for `pidfd` (P_PIDFD) to end and reaps it; the wait status goes to `status`. `options`: WNOHANG or 0.
// Returns 1 when it was reaped, 0 when WNOHANG found it alive.
long sys_wait_pidfd(int pidfd, int options, int *status);
// PIDFD_GET_INFO with PIDFD_INFO_EXIT (Linux 6.15 and later): the wait status of a process that has ended.
// Returns 1 with `status` filled, 0 while the kernel has none.
long sys_pidfd_exit_status(int pidfd, int *status);

// Signals: sets are bit masks, bit n-1 for signal n.
long sys_signal_mask(int how, uint64_t set, uint64_t *_Nullable old);
long sys_signal_default(int signal);
long sys_signal_ignore(int signal);
long sys_personality(unsigned long persona);
// The next pending signal of `set`; waits for ever when `milliseconds` is negative.
long sys_signal_wait(uint64_t set, int milliseconds);
long sys_signalfd(uint64_t set, int flags);

struct poll_item {
    int fd;
    short events, revents;
};
long sys_poll(struct poll_item *items, unsigned count, int milliseconds);
long sys_inotify_init(int flags);
long sys_inotify_add_watch(int fd, const char *path, uint32_t mask);
long sys_sleep_microseconds(uint64_t microseconds);

// Unix sockets. `path` is at most 107 bytes.
long sys_socketpair(int type, int ends[_Nonnull 2]);
long sys_unix_socket(int type);
long sys_unix_bind(int fd, const char *path);
long sys_unix_connect(int fd, const char *path);
long sys_listen(int fd, int backlog);

long sys_ioctl(int fd, unsigned long request, void *_Nullable argument);
long sys_clock(int clock, int64_t *seconds, int64_t *nanoseconds);
long sys_bpf(int command, void *attributes, unsigned size);
long sys_sysconf(int name);
long sys_sysinfo_total_memory(void);
long sys_getrandom(void *buffer, size_t size);
long sys_secure_execution(void);

// strerror's words for `code`, in the C locale; static storage.
const char *sys_error_text(int code);

#pragma clang assume_nonnull end
#endif
