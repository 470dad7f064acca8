// Who the task is, and what it may do. Every step either works or ends the start.
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "init.h"

static bool has(uint64_t set, unsigned capability)
{
    return set >> capability & 1;
}

// Dropped up to the last one that the kernel knows, including those that are newer than mrun.
static void limit_bounding_set(const struct init *init)
{
    for (unsigned capability = 0; capability < 64; capability++) {
        if (has(init->orders->bounding, capability))
            continue;
        long result = call(prctl, PR_CAPBSET_DROP, capability);
        if (result == -EINVAL)
            return;
        // Without CAP_SETPCAP nothing can be dropped, but what is not there needs no dropping.
        if (result < 0 && call(prctl, PR_CAPBSET_READ, capability) != 0)
            give_up(init, ORDERS_STEP_BOUNDING, result, capability);
    }
}

static void set_ids(const struct init *init)
{
    const struct orders *orders = init->orders;
    long result;
    if (orders->flags & ORDERS_SETGROUPS) {
        result = call(setgroups, orders->group_count, in_orders(init, orders->groups_offset));
        if (result < 0)
            give_up(init, ORDERS_STEP_SETGROUPS, result, 0);
    }
    result = call(setresgid, orders->gid, orders->gid, orders->gid);
    if (result < 0)
        give_up(init, ORDERS_STEP_SETGID, result, 0);
    result = call(setresuid, orders->uid, orders->uid, orders->uid);
    if (result < 0)
        give_up(init, ORDERS_STEP_SETUID, result, 0);
}

static void set_capabilities(const struct init *init)
{
    const struct orders *orders = init->orders;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    for (unsigned word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
        data[word].effective = (uint32_t)(orders->effective >> 32 * word);
        data[word].permitted = (uint32_t)(orders->permitted >> 32 * word);
        data[word].inheritable = (uint32_t)(orders->inheritable >> 32 * word);
    }
    long result = call(capset, &header, data);
    if (result < 0)
        give_up(init, ORDERS_STEP_CAPSET, result, 0);

    result = call(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    if (result < 0)
        give_up(init, ORDERS_STEP_AMBIENT, result, 0);
    for (unsigned capability = 0; capability < 64; capability++) {
        if (!has(orders->ambient, capability))
            continue;
        result = call(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
        if (result < 0)
            give_up(init, ORDERS_STEP_AMBIENT, result, capability);
    }
}

static void keep_capabilities(const struct init *init, bool keep)
{
    long result = call(prctl, PR_SET_KEEPCAPS, keep);
    if (result < 0)
        give_up(init, ORDERS_STEP_KEEPCAPS, result, 0);
}

// The bounding set first, while CAP_SETPCAP is there; the exact sets after the ids, which would change them again.
void set_privileges(const struct init *init)
{
    bool exact = init->orders->flags & ORDERS_CAPABILITIES;
    if (exact) {
        limit_bounding_set(init);
        keep_capabilities(init, true);
    }
    set_ids(init);
    if (exact) {
        set_capabilities(init);
        keep_capabilities(init, false);
    }
}

void load_seccomp(const struct init *init)
{
    const struct orders *orders = init->orders;
    struct sock_fprog program = {
        .len = (uint16_t)orders->seccomp_count,
        .filter = in_orders(init, orders->seccomp_offset),
    };
    long result = call(seccomp, SECCOMP_SET_MODE_FILTER, orders->seccomp_flags, &program);
    if (result < 0)
        give_up(init, ORDERS_STEP_SECCOMP, result, 0);
}
