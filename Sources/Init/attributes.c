// What few tasks have: how the kernel schedules it, where its memory lies, what the security modules take it for.
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/openat2.h>

#include "init.h"

enum { LABEL_SIZE = 4096, WORD_BITS = 64 };

static const struct orders_attributes *attributes_of(const struct init *init)
{
    uint64_t offset = init->orders->attributes_offset;
    return offset == 0 ? NULL : in_orders(init, offset);
}

// Only the real-time classes and a higher priority take it, but which those are is the kernel's affair.
uint64_t needed_for_attributes(const struct init *init)
{
    const struct orders_attributes *attributes = attributes_of(init);
    bool is_needed = attributes && attributes->given & (ORDERS_SCHEDULER | ORDERS_IO_PRIORITY);
    return is_needed ? UINT64_C(1) << CAP_SYS_NICE : 0;
}

static void check(const struct init *init, enum orders_attribute attribute, long result)
{
    if (result < 0)
        give_up(init, ORDERS_STEP_ATTRIBUTE, result, attribute);
}

// Through "self" of our own procfs: neither a link of the image nor a mount is in between (CVE-2019-16884).
static int open_attribute(const struct init *init, const struct orders_label *label, uint32_t index, uint64_t flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    long file = call(openat2, init->proc, in_orders(init, label->file_offset), &how, sizeof how);
    if (file < 0)
        give_up(init, ORDERS_STEP_LABEL, file, index);
    return (int)file;
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

// AppArmor shows "profile (mode)" and a line break, SELinux a label and a NUL.
static bool is_shown(const char *label, const char *shown, size_t count)
{
    size_t length = length_of(label);
    if (count < length)
        return false;
    for (size_t place = 0; place < length; place++)
        if (shown[place] != label[place])
            return false;
    return count == length || shown[length] == 0 || shown[length] == '\n' || shown[length] == ' ';
}

// It counts for the next execve of this very thread, which alone may write it. Read again, since a file that takes it
// and does nothing would leave the task unconfined.
static void set_label(const struct init *init, const struct orders_label *label, uint32_t index)
{
    char shown[LABEL_SIZE];
    const char *text = in_orders(init, label->text_offset);
    int file = open_attribute(init, label, index, O_WRONLY);
    long result = call(write, file, text, length_of(text));
    if (result < 0)
        give_up(init, ORDERS_STEP_LABEL, result, index);
    call(close, file);
    file = open_attribute(init, label, index, O_RDONLY);
    result = call(read, file, shown, sizeof shown);
    if (result < 0)
        give_up(init, ORDERS_STEP_LABEL, result, index);
    call(close, file);
    if (!is_shown(in_orders(init, label->label_offset), shown, (size_t)result))
        give_up(init, ORDERS_STEP_LABEL, -EXDEV, index);
}

void set_attributes(const struct init *init)
{
    const struct orders_attributes *attributes = attributes_of(init);
    if (!attributes)
        return;
    if (attributes->given & ORDERS_PERSONALITY)
        check(init, ORDERS_PERSONALITY, call(personality, attributes->personality));
    if (attributes->given & ORDERS_AFFINITY)
        check(init, ORDERS_AFFINITY,
              call(sched_setaffinity, 0, attributes->cpu_words * sizeof(uint64_t),
                   in_orders(init, attributes->cpus_offset)));
    if (attributes->given & ORDERS_MEMORY_POLICY)
        // The kernel counts one bit more than it reads.
        check(init, ORDERS_MEMORY_POLICY,
              call(set_mempolicy, attributes->memory_mode,
                   attributes->node_words ? in_orders(init, attributes->nodes_offset) : NULL,
                   attributes->node_words ? (uint64_t)attributes->node_words * WORD_BITS + 1 : 0));
    if (attributes->given & ORDERS_IO_PRIORITY)
        check(init, ORDERS_IO_PRIORITY, call(ioprio_set, IOPRIO_WHO_PROCESS, 0, attributes->io_priority));
    // After the affinity, which a deadline task may no longer change.
    if (attributes->given & ORDERS_SCHEDULER)
        check(init, ORDERS_SCHEDULER, call(sched_setattr, 0, &attributes->scheduler, 0));
    const struct orders_label *labels = in_orders(init, attributes->labels_offset);
    for (uint32_t index = 0; index < attributes->label_count; index++)
        set_label(init, &labels[index], index);
}
