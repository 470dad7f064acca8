// Who the task is, and what it may do. Every step either works or ends the start.
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "init.h"

enum { WORDS = _LINUX_CAPABILITY_U32S_3 };

static uint64_t bit(unsigned capability)
{
    return UINT64_C(1) << capability;
}

static bool has(uint64_t set, unsigned capability)
{
    return set & bit(capability);
}

static uint64_t permitted_now(const struct init *init)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[WORDS];
    long result = call(capget, &header, data);
    if (result < 0)
        give_up(init, ORDERS_STEP_CAPSET, result, 0);
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static void set_sets(const struct init *init, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[WORDS];
    for (unsigned word = 0; word < WORDS; word++) {
        data[word].effective = (uint32_t)(effective >> 32 * word);
        data[word].permitted = (uint32_t)(permitted >> 32 * word);
        data[word].inheritable = (uint32_t)(inheritable >> 32 * word);
    }
    long result = call(capset, &header, data);
    if (result < 0)
        give_up(init, ORDERS_STEP_CAPSET, result, 0);
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
    if (orders->inheritable & ~orders->permitted) {
        // More than permitted takes an effective CAP_SETPCAP, and new ids have emptied the effective set.
        uint64_t now = permitted_now(init);
        set_sets(init, now, now, 0);
    }
    set_sets(init, orders->effective, orders->permitted, orders->inheritable);
    for (unsigned capability = 0; capability < 64; capability++) {
        if (!has(orders->ambient, capability))
            continue;
        long result = call(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
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

// What the way to the task takes, whatever the task itself may do.
static uint64_t needed(const struct init *init)
{
    const struct orders *orders = init->orders;
    uint64_t set = needed_for_attributes(init) | bit(CAP_SETUID) | bit(CAP_SETGID) | bit(CAP_SETPCAP);
    if (orders->rlimit_count > 0)
        set |= bit(CAP_SYS_RESOURCE);
    if (orders->flags & ORDERS_SECCOMP && !(orders->flags & ORDERS_NO_NEW_PRIVS))
        set |= bit(CAP_SYS_ADMIN);
    if (orders->flags & ORDERS_STAY || orders->hook_count > 0)
        set |= bit(CAP_KILL);
    return set;
}

// Whoever can trace us can do what we can, and from now on we may be in the namespace of somebody who can.
void reduce_privileges(const struct init *init)
{
    const struct orders *orders = init->orders;
    if (orders->flags & ORDERS_CAPABILITIES) {
        limit_bounding_set(init);
        uint64_t kept = (orders->permitted | needed(init)) & permitted_now(init);
        set_sets(init, kept, kept, 0);  // where nothing is inheritable, nothing is ambient
    }
    if (orders->flags & ORDERS_NO_NEW_PRIVS) {
        long result = call(prctl, PR_SET_NO_NEW_PRIVS, 1);
        if (result < 0)
            give_up(init, ORDERS_STEP_NO_NEW_PRIVS, result, 0);
    }
}

// The exact sets come after the ids, which would change them again. The bounding set is reduced already.
void set_privileges(const struct init *init)
{
    bool exact = init->orders->flags & ORDERS_CAPABILITIES;
    if (exact)
        keep_capabilities(init, true);
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
    const bool listens = orders->seccomp_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if (listens)
        tell_listener(init, 0);
    long result = call(seccomp, SECCOMP_SET_MODE_FILTER, orders->seccomp_flags, &program);
    if (result < 0)
        give_up(init, ORDERS_STEP_SECCOMP, result, 0);
    if (listens)
        tell_listener(init, (uint32_t)result);
}
