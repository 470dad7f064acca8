// Taking the orders. Nothing in the block is believed before it is checked, and what is checked cannot change
// afterwards: the memfd is sealed, and the mapping is our own.
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/filter.h>

#include "init.h"

enum { FIRST_FREE_FD = ORDERS_FD + 1, MOST_PRESERVED = 1 << 20 };

static bool fits(const struct orders *orders, uint64_t offset, uint64_t count, uint64_t size, uint64_t alignment)
{
    return offset >= sizeof *orders && offset <= orders->size && offset % alignment == 0
        && count <= (orders->size - offset) / size;
}

static bool are_descriptors(const struct orders *orders)
{
    const int32_t all[] = {
        orders->start_fd, orders->report_fd, orders->record_fd, orders->enter_fd, orders->preserved_fd,
    };
    const int32_t first = FIRST_FREE_FD + (int32_t)orders->preserved;
    if ((orders->preserved > 0) != (orders->preserved_fd >= 0))
        return false;
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i] == -1)
            continue;
        if (all[i] < first)
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
        && orders->umask <= 0777 && orders->preserved <= MOST_PRESERVED && orders->reserved == 0
        && are_descriptors(orders);
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

static bool is_array(const struct orders *orders, uint64_t offset, uint64_t count)
{
    return count == 0 || fits(orders, offset, count, sizeof(uint64_t), _Alignof(uint64_t));
}

static bool are_labels(const struct orders *orders, const struct orders_attributes *attributes, uint64_t end)
{
    const struct orders_label *labels
        = (const struct orders_label *)((const char *)orders + attributes->labels_offset);
    if (!fits(orders, attributes->labels_offset, attributes->label_count, sizeof *labels, _Alignof(uint64_t)))
        return false;
    for (uint32_t index = 0; index < attributes->label_count; index++)
        if (!is_string(labels[index].file_offset, end) || !is_string(labels[index].text_offset, end)
            || !is_string(labels[index].label_offset, end))
            return false;
    return true;
}

static bool are_hooks(const struct orders *orders, uint64_t end)
{
    const struct orders_hook *hooks = (const struct orders_hook *)((const char *)orders + orders->hooks_offset);
    if (orders->hook_count == 0)
        return true;
    if (!fits(orders, orders->hooks_offset, orders->hook_count, sizeof *hooks, _Alignof(struct orders_hook))
        || !is_string(orders->hook_state_offset, end) || !is_string(orders->hook_rest_offset, end))
        return false;
    for (uint32_t index = 0; index < orders->hook_count; index++)
        if (!is_string(hooks[index].path_offset, end) || !is_table(orders, hooks[index].argv_offset, end)
            || !is_table(orders, hooks[index].envp_offset, end))
            return false;
    return true;
}

static bool are_attributes(const struct orders *orders, uint64_t end)
{
    const uint32_t known = ORDERS_PERSONALITY | ORDERS_SCHEDULER | ORDERS_IO_PRIORITY | ORDERS_MEMORY_POLICY
        | ORDERS_AFFINITY | ORDERS_LABELS;
    uint64_t offset = orders->attributes_offset;
    const struct orders_attributes *attributes = (const struct orders_attributes *)((const char *)orders + offset);
    if (offset == 0)
        return true;
    if (!fits(orders, offset, 1, sizeof *attributes, _Alignof(struct orders_attributes))
        || attributes->given & ~known || attributes->reserved != 0)
        return false;
    // The kernel reads as much of it as it says of itself.
    if (attributes->given & ORDERS_SCHEDULER && attributes->scheduler.size != sizeof attributes->scheduler)
        return false;
    if (!is_array(orders, attributes->nodes_offset, attributes->node_words)
        || !is_array(orders, attributes->cpus_offset, attributes->cpu_words))
        return false;
    if (!(attributes->given & ORDERS_LABELS))
        return attributes->label_count == 0 && attributes->proc_fd == -1;
    const int fd = attributes->proc_fd;
    return fd >= FIRST_FREE_FD + (int)orders->preserved && fd != orders->preserved_fd && fd != orders->start_fd
        && fd != orders->report_fd && fd != orders->record_fd
        && fd != orders->enter_fd && are_labels(orders, attributes, end);
}

static bool is_body(const struct orders *orders)
{
    uint64_t end = after_last_nul(orders);
    if (!is_string(orders->executable_offset, end) || !is_string(orders->cwd_offset, end))
        return false;
    if (!is_table(orders, orders->argv_offset, end) || !is_table(orders, orders->envp_offset, end))
        return false;
    if (!are_hooks(orders, end))
        return false;
    if (orders->group_count > 0
        && !fits(orders, orders->groups_offset, orders->group_count, sizeof(uint32_t), _Alignof(uint32_t)))
        return false;
    if (orders->rlimit_count > 0
        && !fits(orders, orders->rlimits_offset, orders->rlimit_count, sizeof(struct orders_rlimit),
                 _Alignof(struct orders_rlimit)))
        return false;
    if (!are_attributes(orders, end))
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
    init->preserved = init->orders->preserved;
    if (!is_body(init->orders))
        give_up(init, ORDERS_STEP_ORDERS, -EINVAL, 0);
    if (init->orders->attributes_offset != 0)
        init->proc = ((struct orders_attributes *)in_orders(init, init->orders->attributes_offset))->proc_fd;
}
