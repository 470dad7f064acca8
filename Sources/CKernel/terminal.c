#include "include/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static long answer(long result) { return result < 0 ? -errno : result; }

long sys_pty_unlock(int master) {
    int locked = 0;
    return answer(ioctl(master, TIOCSPTLCK, &locked));
}
long sys_pty_number(int master) {
    unsigned number = 0;
    return ioctl(master, TIOCGPTN, &number) < 0 ? -errno : (long)number;
}
long sys_pty_peer(int master) { return answer(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)); }
long sys_take_terminal(int fd) { return answer(ioctl(fd, TIOCSCTTY, 0)); }

long sys_window_size(int fd, struct window_size *out) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -errno;
    *out = (struct window_size){size.ws_row, size.ws_col};
    return 0;
}
long sys_set_window_size(int fd, const struct window_size *size) {
    struct winsize wanted = {.ws_row = size->rows, .ws_col = size->columns};
    return answer(ioctl(fd, TIOCSWINSZ, &wanted));
}

_Static_assert(sizeof(struct termios) <= sizeof(struct terminal_modes), "the C library's modes fit");
long sys_terminal_modes(int fd, struct terminal_modes *out) {
    struct termios modes;
    if (tcgetattr(fd, &modes) < 0) return -errno;
    memcpy(out, &modes, sizeof modes);
    return 0;
}
// At once: what was typed ahead stays, and output that nobody takes does not keep us.
long sys_set_terminal_modes(int fd, const struct terminal_modes *modes) {
    struct termios wanted;
    memcpy(&wanted, modes, sizeof wanted);
    return answer(tcsetattr(fd, TCSANOW, &wanted));
}
void sys_make_raw(struct terminal_modes *modes) {
    struct termios raw;
    memcpy(&raw, modes, sizeof raw);
    cfmakeraw(&raw);
    memcpy(modes, &raw, sizeof raw);
}
int sys_end_of_input(const struct terminal_modes *modes) {
    struct termios now;
    memcpy(&now, modes, sizeof now);
    return now.c_lflag & ICANON && now.c_cc[VEOF] ? now.c_cc[VEOF] : -1;
}
long sys_is_foreground(int fd) {
    pid_t group = tcgetpgrp(fd);
    // Another session's terminal knows no background of ours.
    return group < 0 || group == getpgrp();
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

long sys_send_descriptor(int socket, const void *bytes, size_t count, int fd) {
    union control control = {0};
    struct iovec piece = {(void *)bytes, count};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return answer(sendmsg(socket, &message, MSG_NOSIGNAL));
}
long sys_receive_descriptor(int socket, void *buffer, size_t size, int *fd) {
    union control control = {0};
    struct iovec piece = {buffer, size};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *fd = -1;
    ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
        && header->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return count;
}
long sys_send_timeout(int socket, int milliseconds) {
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000L};
    return answer(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
}
long sys_notify_connect(int socket, const char *address) {
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    size_t length = strlen(address);
    if (length == 0 || length >= sizeof place.sun_path) return -ENAMETOOLONG;
    memcpy(place.sun_path, address, length);
    socklen_t size = sizeof place;
    if (address[0] == '@') {
        place.sun_path[0] = 0;
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    return answer(connect(socket, (struct sockaddr *)&place, size));
}
