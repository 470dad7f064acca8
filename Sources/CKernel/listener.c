#include "include/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static long answer(long result) { return result < 0 ? -errno : result; }

bool sys_seccomp_knows(unsigned flags) {
    // Flags are checked before the program is looked at.
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

long sys_pidfd_getfd(int pidfd, int number) { return answer(syscall(SYS_pidfd_getfd, pidfd, number, 0)); }

long sys_tell_senders(int socket) {
    int on = 1;
    return answer(setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
}

long sys_limit_sending(int socket, int seconds) {
    struct timeval limit = {.tv_sec = seconds};
    return answer(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}

long sys_receive(int socket, void *buffer, size_t count, int *sender) {
    struct iovec part = {.iov_base = buffer, .iov_len = count};
    union {
        struct cmsghdr aligned;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    long received = answer(recvmsg(socket, &message, MSG_CMSG_CLOEXEC));
    *sender = 0;
    if (received < 0) return received;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_CREDENTIALS) continue;
        struct ucred who;
        memcpy(&who, CMSG_DATA(item), sizeof who);
        *sender = who.pid;
    }
    return received;
}
