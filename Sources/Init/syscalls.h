// System calls without a libc. Like the kernel, everything here returns −errno when it fails; no policy.
#ifndef MRUN_INIT_SYSCALLS_H
#define MRUN_INIT_SYSCALLS_H

#include <asm/unistd.h>
#include <linux/errno.h>
#include <stddef.h>
#include <stdint.h>

// call(kill, pid, signal): the arguments that are not given are zero, as prctl demands of those that it reserves.
#define call(name, ...) call_padded(__NR_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define call_padded(number, a, b, c, d, e, f, ...) \
    kernel_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#if defined(__x86_64__)

static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}

#define ENTRY(function) \
    __asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call " #function "\n hlt\n")
#define AUDIT_ARCH_OURS AUDIT_ARCH_X86_64

#elif defined(__aarch64__)

static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#define ENTRY(function) __asm__(".globl _start\n_start: mov x29, xzr\n mov x30, xzr\n b " #function "\n")
#define AUDIT_ARCH_OURS AUDIT_ARCH_AARCH64

#else
#error "mrun-init knows x86_64 and aarch64 only"
#endif

_Static_assert(sizeof(long) == 8, "addresses and offsets are 64 bits wide");

#endif
