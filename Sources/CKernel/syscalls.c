#include "include/ckernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static long answer(long result) { return result < 0 ? -errno : result; }
#define CALL(...) answer(syscall(__VA_ARGS__))

long sys_openat(int dir, const char *path, int flags, unsigned mode) {
    return CALL(SYS_openat, dir, path, flags | O_CLOEXEC, mode);
}
long sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {flags | O_CLOEXEC, mode, resolve};
    return CALL(SYS_openat2, dir, path, &how, sizeof how);
}
long sys_close(int fd) { return CALL(SYS_close, fd); }
long sys_read(int fd, void *buffer, size_t count) { return CALL(SYS_read, fd, buffer, count); }
long sys_write(int fd, const void *buffer, size_t count) { return CALL(SYS_write, fd, buffer, count); }
long sys_lseek(int fd, int64_t offset, int whence) { return CALL(SYS_lseek, fd, offset, whence); }
long sys_dup3(int from, int to, int flags) { return CALL(SYS_dup3, from, to, flags); }
long sys_fcntl(int fd, int command, long argument) { return CALL(SYS_fcntl, fd, command, argument); }
long sys_fsync(int fd) { return CALL(SYS_fsync, fd); }
long sys_ftruncate(int fd, int64_t length) { return CALL(SYS_ftruncate, fd, length); }
long sys_flock(int fd, int operation) { return CALL(SYS_flock, fd, operation); }
long sys_close_range(unsigned first, unsigned last, unsigned flags) {
    return CALL(SYS_close_range, first, last, flags);
}
long sys_memfd_create(const char *name, unsigned flags) { return CALL(SYS_memfd_create, name, flags); }
long sys_pipe2(int ends[2], int flags) { return CALL(SYS_pipe2, ends, flags); }
long sys_getdents64(int fd, void *buffer, size_t size) { return CALL(SYS_getdents64, fd, buffer, size); }
long sys_faccessat2(int dir, const char *path, int mode, int flags) {
    return CALL(SYS_faccessat2, dir, path, mode, flags);
}

long sys_status(int dir, const char *path, int flags, struct file_status *out) {
    struct stat s;
    if (fstatat(dir, path, &s, flags) < 0) return -errno;
    *out = (struct file_status){.mode = s.st_mode,
                                .uid = s.st_uid,
                                .gid = s.st_gid,
                                .links = (uint32_t)s.st_nlink,
                                .device = s.st_dev,
                                .inode = s.st_ino,
                                .rdev_major = major(s.st_rdev),
                                .rdev_minor = minor(s.st_rdev),
                                .size = (uint64_t)s.st_size,
                                .modified = (int64_t)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec};
    return 0;
}
long sys_filesystem_magic(int fd) {
    struct statfs s;
    return fstatfs(fd, &s) < 0 ? -errno : (long)s.f_type;
}

long sys_mkdirat(int dir, const char *path, unsigned mode) { return CALL(SYS_mkdirat, dir, path, mode); }
long sys_mknodat(int dir, const char *path, unsigned mode, unsigned major, unsigned minor) {
    return CALL(SYS_mknodat, dir, path, mode, makedev(major, minor));
}
long sys_symlinkat(const char *target, int dir, const char *path) {
    return CALL(SYS_symlinkat, target, dir, path);
}
long sys_readlinkat(int dir, const char *path, char *buffer, size_t size) {
    return CALL(SYS_readlinkat, dir, path, buffer, size);
}
long sys_unlinkat(int dir, const char *path, int flags) { return CALL(SYS_unlinkat, dir, path, flags); }
long sys_renameat(int from, const char *path, int to, const char *name) {
    return CALL(SYS_renameat2, from, path, to, name, 0);
}
long sys_fchownat(int dir, const char *path, uint32_t uid, uint32_t gid, int flags) {
    return CALL(SYS_fchownat, dir, path, uid, gid, flags);
}
long sys_fchmodat(int dir, const char *path, unsigned mode) { return CALL(SYS_fchmodat, dir, path, mode); }
long sys_copy_times(int from, int dir, const char *path, int flags) {
    struct stat s;
    if (fstatat(from, "", &s, AT_EMPTY_PATH) < 0) return -errno;
    struct timespec times[2] = {s.st_atim, s.st_mtim};
    return CALL(SYS_utimensat, dir, path, times, flags);
}
long sys_linkat(int from, const char *path, int to, const char *name) {
    return CALL(SYS_linkat, from, path, to, name, 0);
}
long sys_sendfile(int to, int from, size_t count) { return CALL(SYS_sendfile, to, from, NULL, count); }
long sys_flistxattr(int fd, char *names, size_t size) { return CALL(SYS_flistxattr, fd, names, size); }
long sys_fgetxattr(int fd, const char *name, void *value, size_t size) {
    return CALL(SYS_fgetxattr, fd, name, value, size);
}
long sys_fsetxattr(int fd, const char *name, const void *value, size_t size) {
    return CALL(SYS_fsetxattr, fd, name, value, size, 0);
}
long sys_fchmod(int fd, unsigned mode) { return CALL(SYS_fchmod, fd, mode); }
long sys_fchdir(int fd) { return CALL(SYS_fchdir, fd); }
long sys_chdir(const char *path) { return CALL(SYS_chdir, path); }
long sys_getcwd(char *buffer, size_t size) {
    long length = CALL(SYS_getcwd, buffer, size);
    return length > 0 ? length - 1 : length;
}
unsigned sys_umask(unsigned mask) { return umask(mask); }

long sys_open_tree(int dir, const char *path, unsigned flags) { return CALL(SYS_open_tree, dir, path, flags); }
long sys_move_mount(int from, const char *path, int to, const char *target, unsigned flags) {
    return CALL(SYS_move_mount, from, path, to, target, flags);
}
long sys_fsopen(const char *type, unsigned flags) { return CALL(SYS_fsopen, type, flags); }
long sys_fsconfig(int fd, unsigned command, const char *key, const char *value, int aux) {
    return CALL(SYS_fsconfig, fd, command, key, value, aux);
}
long sys_fsmount(int fd, unsigned flags, unsigned attributes) {
    return CALL(SYS_fsmount, fd, flags, attributes);
}
long sys_mount_setattr(int dir, const char *path, unsigned flags, uint64_t set, uint64_t clear,
                       uint64_t propagation) {
    struct {
        uint64_t set, clear, propagation, userns_fd;
    } attributes = {set, clear, propagation, 0};
    return CALL(SYS_mount_setattr, dir, path, flags, &attributes, sizeof attributes);
}
long sys_mount_idmap(int tree, unsigned flags, int userns) {
    struct {
        uint64_t set, clear, propagation, userns_fd;
    } attributes = {K_MOUNT_ATTR_IDMAP, 0, 0, (uint64_t)userns};
    return CALL(SYS_mount_setattr, tree, "", flags, &attributes, sizeof attributes);
}
long sys_fspick(int dir, const char *path, unsigned flags) { return CALL(SYS_fspick, dir, path, flags); }
long sys_mount(const char *source, const char *target, const char *type, unsigned long flags) {
    return CALL(SYS_mount, source, target, type, flags, NULL);
}
long sys_umount2(const char *target, int flags) { return CALL(SYS_umount2, target, flags); }
long sys_pivot_root(const char *root, const char *old) { return CALL(SYS_pivot_root, root, old); }
long sys_chroot(const char *root) { return CALL(SYS_chroot, root); }

long sys_unshare(int flags) { return CALL(SYS_unshare, flags); }
long sys_setns(int fd, int flags) { return CALL(SYS_setns, fd, flags); }
long sys_pidfd_open(int pid, unsigned flags) { return CALL(SYS_pidfd_open, pid, flags); }
long sys_pidfd_send_signal(int pidfd, int signal) { return CALL(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }
long sys_kill(int pid, int signal) { return CALL(SYS_kill, pid, signal); }
long sys_getpid(void) { return CALL(SYS_getpid); }
long sys_getppid(void) { return CALL(SYS_getppid); }
long sys_geteuid(void) { return CALL(SYS_geteuid); }
long sys_prctl(int option, unsigned long argument) { return CALL(SYS_prctl, option, argument, 0, 0, 0); }
long sys_execveat(int fd, const char *const *argv, const char *const *envp) {
    return CALL(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}
long sys_execve(const char *path, const char *const *argv, const char *const *envp) {
    return CALL(SYS_execve, path, argv, envp);
}
void sys_exit(int status) {
    for (;;) syscall(SYS_exit_group, status);
}
long sys_sethostname(const char *name, size_t length) { return CALL(SYS_sethostname, name, length); }
long sys_setdomainname(const char *name, size_t length) { return CALL(SYS_setdomainname, name, length); }
long sys_setsid(void) { return CALL(SYS_setsid); }

long sys_signal_mask(int how, uint64_t set, uint64_t *old) {
    return CALL(SYS_rt_sigprocmask, how, &set, old, sizeof set);
}
static long set_disposition(int signal, uintptr_t handler) {
    struct {
        uintptr_t handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {.handler = handler};
    return CALL(SYS_rt_sigaction, signal, &action, NULL, sizeof action.mask);
}
long sys_signal_default(int signal) { return set_disposition(signal, 0); }
long sys_signal_ignore(int signal) { return set_disposition(signal, 1); }
long sys_personality(unsigned long persona) { return CALL(SYS_personality, persona); }
long sys_signal_wait(uint64_t set, int milliseconds) {
    struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return CALL(SYS_rt_sigtimedwait, &set, NULL, milliseconds < 0 ? NULL : &limit, sizeof set);
}
long sys_signalfd(uint64_t set, int flags) { return CALL(SYS_signalfd4, -1, &set, sizeof set, flags); }

_Static_assert(sizeof(struct poll_item) == sizeof(struct pollfd), "poll_item is the kernel's pollfd");
long sys_poll(struct poll_item *items, unsigned count, int milliseconds) {
    struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return CALL(SYS_ppoll, items, count, milliseconds < 0 ? NULL : &limit, NULL, 0);
}
long sys_inotify_init(int flags) { return CALL(SYS_inotify_init1, flags); }
long sys_inotify_add_watch(int fd, const char *path, uint32_t mask) {
    return CALL(SYS_inotify_add_watch, fd, path, mask);
}
long sys_sleep_microseconds(uint64_t microseconds) {
    struct timespec t = {(time_t)(microseconds / 1000000), (long)(microseconds % 1000000 * 1000)};
    return CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
}

long sys_socketpair(int type, int ends[2]) { return answer(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends)); }
long sys_unix_socket(int type) { return answer(socket(AF_UNIX, type | SOCK_CLOEXEC, 0)); }
static long unix_address(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) return -ENAMETOOLONG;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, length + 1);
    return 0;
}
long sys_unix_bind(int fd, const char *path) {
    struct sockaddr_un address;
    long bad = unix_address(path, &address);
    return bad ? bad : answer(bind(fd, (struct sockaddr *)&address, sizeof address));
}
long sys_unix_connect(int fd, const char *path) {
    struct sockaddr_un address;
    long bad = unix_address(path, &address);
    return bad ? bad : answer(connect(fd, (struct sockaddr *)&address, sizeof address));
}
long sys_listen(int fd, int backlog) { return CALL(SYS_listen, fd, backlog); }

long sys_ioctl(int fd, unsigned long request, void *argument) { return CALL(SYS_ioctl, fd, request, argument); }
long sys_clock(int clock, int64_t *seconds, int64_t *nanoseconds) {
    struct timespec t;
    if (clock_gettime(clock, &t) < 0) return -errno;
    *seconds = t.tv_sec;
    *nanoseconds = t.tv_nsec;
    return 0;
}
long sys_bpf(int command, void *attributes, unsigned size) { return CALL(SYS_bpf, command, attributes, size); }
long sys_sysconf(int name) { return sysconf(name); }
long sys_sysinfo_total_memory(void) {
    struct sysinfo info;
    return sysinfo(&info) < 0 ? -errno : (long)(info.totalram * info.mem_unit);
}
long sys_getrandom(void *buffer, size_t size) { return CALL(SYS_getrandom, buffer, size, 0); }
long sys_secure_execution(void) { return (long)getauxval(AT_SECURE); }

const char *sys_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}
