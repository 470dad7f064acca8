// Taking the orders. Nothing in the block is believed before it is checked, and what is checked cannot change
// afterwards: the memfd is sealed, and the mapping is our own.
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/filter.h>

#include "init.h"

enum { FIRST_FREE_FD = ORDERS_FD + 1 };

static bool fits(const struct orders *orders, uint64_t offset, uint64_t count, uint64_t size, uint64_t alignment)
{
    return offset >= sizeof *orders && offset <= orders->size && offset % alignment == 0
        && count <= (orders->size - offset) / size;
}

static bool are_descriptors(const struct orders *orders)
{
    const int32_t all[] = {orders->start_fd, orders->report_fd, orders->record_fd, orders->enter_fd};
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] == -1)
            continue;
        if (all[i] < FIRST_FREE_FD)
            return false;
        for (unsigned other = 0; other < i; other++)
            if (all[other] == all[i])
                return false;
    }
    return true;
}

static bool is_header(const struct orders *orders, uint64_t length)
{
    const uint32_t known = ORDERS_STAY | ORDERS_SUBREAPER | ORDERS_NO_NEW_PRIVS | ORDERS_CAPABILITIES
        | ORDERS_SESSION_KEYRING | ORDERS_SETGROUPS | ORDERS_SECCOMP | ORDERS_BORN;
    return orders->magic == ORDERS_MAGIC && orders->size == length && (orders->flags & ~known) == 0
        && orders->umask <= 0777 && orders->preserved == 0 && are_descriptors(orders);
}

// A string ends inside the block if it begins before the block's last NUL.
static uint64_t after_last_nul(const struct orders *orders)
{
    const char *bytes = (const char *)orders;
    uint64_t end = orders->size;
    while (end > sizeof *orders && bytes[end - 1] != 0)
        end--;
    return end;
}

static bool is_string(uint64_t offset, uint64_t end)
{
    return offset >= sizeof(struct orders) && offset < end;
}

static bool is_table(const struct orders *orders, uint64_t offset, uint64_t end)
{
    const uint64_t *entry = (const uint64_t *)((const char *)orders + offset);
    for (; fits(orders, offset, 1, sizeof *entry, _Alignof(uint64_t)); offset += sizeof *entry, entry++) {
        if (*entry == 0)
            return true;
        if (!is_string(*entry, end))
            return false;
    }
    return false;
}

static bool is_body(const struct orders *orders)
{
    uint64_t end = after_last_nul(orders);
    if (!is_string(orders->executable_offset, end) || !is_string(orders->cwd_offset, end))
        return false;
    if (!is_table(orders, orders->argv_offset, end) || !is_table(orders, orders->envp_offset, end))
        return false;
    if (orders->group_count > 0
        && !fits(orders, orders->groups_offset, orders->group_count, sizeof(uint32_t), _Alignof(uint32_t)))
        return false;
    if (orders->rlimit_count > 0
        && !fits(orders, orders->rlimits_offset, orders->rlimit_count, sizeof(struct orders_rlimit),
                 _Alignof(struct orders_rlimit)))
        return false;
    // The kernel counts a program's instructions in 16 bits: a longer one would be cut, not refused.
    return orders->seccomp_count <= UINT16_MAX
        && (orders->seccomp_count == 0
            || fits(orders, orders->seccomp_offset, orders->seccomp_count, sizeof(struct sock_filter),
                    _Alignof(struct sock_filter)));
}

void take_orders(struct init *init)
{
    long length = call(lseek, ORDERS_FD, 0, SEEK_END), address;
    if (length < 0)
        give_up(init, ORDERS_STEP_ORDERS, length, 0);
    if (length < (long)sizeof(struct orders) || length > UINT32_MAX)
        give_up(init, ORDERS_STEP_ORDERS, -EINVAL, 0);
    address = call(mmap, NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, ORDERS_FD, 0);
    if (address < 0 && address > -4096)
        give_up(init, ORDERS_STEP_ORDERS, address, 0);

    init->orders = (struct orders *)address;
    if (!is_header(init->orders, (uint64_t)length))
        give_up(init, ORDERS_STEP_ORDERS, -EINVAL, 0);
    init->start = init->orders->start_fd;
    init->report = init->orders->report_fd;
    init->record = init->orders->record_fd;
    init->enter = init->orders->enter_fd;
    if (!is_body(init->orders))
        give_up(init, ORDERS_STEP_ORDERS, -EINVAL, 0);
}
