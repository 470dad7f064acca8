// What terminals and passed descriptors need of the kernel. The same rule as in ckernel.h: >= 0, or -errno.
#ifndef MRUN_TERMINAL_H
#define MRUN_TERMINAL_H

#include <stddef.h>
#include <stdint.h>

#define K(name, value) static const uint32_t name = value
K(K_DEVPTS_SUPER_MAGIC, 0x1cd1);
#undef K

#pragma clang assume_nonnull begin

// Pseudo terminals. `unlock` before `peer`, which opens the slave without a path: nothing can stand in its place.
long sys_pty_unlock(int master);
long sys_pty_number(int master);
long sys_pty_peer(int master);
// Makes `fd` the controlling terminal of this session, which has none.
long sys_take_terminal(int fd);

// In characters.
struct window_size {
    uint16_t rows, columns;
};
long sys_window_size(int fd, struct window_size *out);
long sys_set_window_size(int fd, const struct window_size *size);

// How a terminal behaves; ENOTTY for what is none.
struct terminal_modes {
    uint32_t words[16];
};
long sys_terminal_modes(int fd, struct terminal_modes *out);
long sys_set_terminal_modes(int fd, const struct terminal_modes *modes);
// `modes`, changed so that every byte goes through as it is.
void sys_make_raw(struct terminal_modes *modes);
// The byte that ends the input, or -1 while the terminal takes bytes as they come.
int sys_end_of_input(const struct terminal_modes *modes);
// Whether this process may read from its terminal `fd`: 0 only in a background job.
long sys_is_foreground(int fd);

// Sends `count` bytes and one descriptor in one message; a peer that is gone is EPIPE.
long sys_send_descriptor(int socket, const void *bytes, size_t count, int fd);
// Receives one message; `fd` gets its descriptor, close-on-exec, or -1. Does not wait.
long sys_receive_descriptor(int socket, void *buffer, size_t size, int *fd);
// How long a connect or a write may take.
long sys_send_timeout(int socket, int milliseconds);
// Connects to the address in NOTIFY_SOCKET: a path, or @ and a name that lies in no folder.
long sys_notify_connect(int socket, const char *address);

#pragma clang assume_nonnull end
#endif
