#!/usr/bin/env bats
# linux.resources on cgroup v1: every limit is the kernel's, or the place in the config is named.

load helpers

setup_file() { make_rootfs; }

setup() {
    begin
    [ "$(cgroup_version)" -eq 1 ] || skip "looks at v1 hierarchies; cgroup2 is tested in a virtual machine"
}

teardown() { finish; }

# is CONTROLLER FILE VALUE: what the kernel says of the container `id`.
is() {
    local found
    found=$(cgroup_value "$1" "$id" "$2")
    [ "$found" = "$3" ] || { echo "$2 is $found, not $3" && return 1; }
}

# a_disk: sets `major` and `minor` to a whole block device of this machine.
a_disk() {
    local disk
    for disk in /sys/block/*/dev; do
        [ -e "$disk" ] || skip "no block device here"
        IFS=: read -r major minor <"$disk"
        return
    done
}

# limited RESOURCES: starts a container that sleeps, with these limits only.
limited() { start_script 'sleep 1000' ".linux.resources = $1"; }

# refuses POINTER RESOURCES: such limits are refused with this place, and nothing is left.
refuses() {
    new_id
    make_bundle "$id" ".linux.resources = $2"
    refused "$1" mrun create --bundle "$bundle" "$id"
    [ ! -e "$ROOT/$id" ]
    [ -z "$(find /sys/fs/cgroup -path "*/$id*" 2>/dev/null)" ]
    # Clients take these words for a missing executable.
    [[ ${message,,} != *'no such file or directory'* ]]
}

@test "block I/O limits are the kernel's" {
    a_disk
    limited "{blockIO: {weight: 300,
        throttleReadBpsDevice: [{major: $major, minor: $minor, rate: 1048576}],
        throttleWriteBpsDevice: [{major: $major, minor: $minor, rate: 2097152}],
        throttleReadIOPSDevice: [{major: $major, minor: $minor, rate: 100}],
        throttleWriteIOPSDevice: [{major: $major, minor: $minor, rate: 200}]}}"
    is blkio blkio.throttle.read_bps_device "$major:$minor 1048576"
    is blkio blkio.throttle.write_bps_device "$major:$minor 2097152"
    is blkio blkio.throttle.read_iops_device "$major:$minor 100"
    is blkio blkio.throttle.write_iops_device "$major:$minor 200"
    local directory weight
    directory=$(cgroup_directory blkio "$id")
    for weight in blkio.weight blkio.bfq.weight; do
        [ ! -e "$directory/$weight" ] || is blkio "$weight" 300
    done
}

@test "a weight of one disk, or why there is none" {
    a_disk
    new_id
    make_bundle "$id" ".process.args = [\"sleep\", \"1000\"] |
        .linux.resources = {blockIO: {weightDevice: [{major: $major, minor: $minor, weight: 200}]}}"
    # BFQ weighs its own disks only; others are a reason of the kernel's to refuse.
    if create_container "$id" "$bundle" >"$BATS_TEST_TMPDIR/said"; then
        grep -h "^$major:$minor 200" "$(cgroup_directory blkio "$id")"/blkio*weight_device
    else
        grep -q '/linux/resources/blockIO/weightDevice: .*weight_device' "$BATS_TEST_TMPDIR/said"
        [ -z "$(own_cgroups)" ]
    fi
}

@test "block I/O limits that cannot be are refused where they stand" {
    refuses /linux/resources/blockIO/weight '{blockIO: {weight: 9}}'
    refuses /linux/resources/blockIO/weight '{blockIO: {weight: 1001}}'
    refuses /linux/resources/blockIO/leafWeight '{blockIO: {leafWeight: 100}}'
    refuses /linux/resources/blockIO/weightDevice/0 '{blockIO: {weightDevice: [{major: 8, minor: 0}]}}'
    refuses /linux/resources/blockIO/throttleReadBpsDevice/0 '{blockIO: {throttleReadBpsDevice: [{major: 8, rate: 1}]}}'
    refuses /linux/resources/blockIO/throttleReadBpsDevice/0/rate '{blockIO: {throttleReadBpsDevice: [{major: 8, minor: 0, rate: -1}]}}'
    # There is no such disk: the kernel's reason is in the message, with the file.
    refuses /linux/resources/blockIO/throttleWriteIOPSDevice '{blockIO: {throttleWriteIOPSDevice: [{major: 4000, minor: 0, rate: 1}]}}'
    [[ $message == *'"blkio.throttle.write_iops_device": '* ]]
}

# has_hugetlb SIZE: whether this kernel limits pages of this size, on v1 or on the cgroup2 of a hybrid host.
has_hugetlb() {
    [ -d "/sys/kernel/mm/hugepages/hugepages-$((2 * 1024))kB" ] &&
        { [ -d /sys/fs/cgroup/hugetlb ] || grep -qw hugetlb /sys/fs/cgroup/unified/cgroup.controllers; }
} 2>/dev/null

@test "huge page limits are the kernel's, also where cgroup2 alone has them" {
    has_hugetlb || skip "no huge page limits here"
    limited '{hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
    if [ -d /sys/fs/cgroup/hugetlb ]; then
        is hugetlb hugetlb.2MB.limit_in_bytes 4194304
    else
        is unified hugetlb.2MB.max 4194304
        is unified hugetlb.2MB.rsvd.max 4194304
        # And it holds for the container's processes.
        [ "$(cgroup_value unified "$id" cgroup.procs)" = "$(pid_of "$id")" ]
        run mrun exec "$id" cat /proc/self/cgroup
        [[ $output == *"0::/mrun/$id"* ]]
    fi
    jq -e '.hugetlb["2MB"].failcnt == 0' < <(mrun stats "$id")
    mrun update --pids-limit 20 "$id"
    mrun update -r - "$id" <<<'{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}]}'
    [ -d /sys/fs/cgroup/hugetlb ] || is unified hugetlb.2MB.max 2097152
    mrun pause "$id" && mrun resume "$id"
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]
}

@test "huge page limits that cannot be are refused where they stand" {
    local size
    for size in 3MB 2mb 2M MB 02MB ../2MB 2MB.max; do
        refuses /linux/resources/hugepageLimits "{hugepageLimits: [{pageSize: \"$size\", limit: 1}]}"
    done
    refuses /linux/resources/hugepageLimits/0 '{hugepageLimits: [{pageSize: "2MB"}]}'
}

@test "network classes and RDMA limits are refused where the kernel has no such cgroup" {
    [ ! -d /sys/fs/cgroup/net_cls ] || skip "net_cls is mounted here"
    refuses /linux/resources/network/classID '{network: {classID: 1048577}}'
    refuses /linux/resources/network/priorities '{network: {priorities: [{name: "lo", priority: 3}]}}'
    refuses /linux/resources/network/priorities/0/name '{network: {priorities: [{name: "a b", priority: 3}]}}'
    refuses /linux/resources/rdma '{rdma: {mlx5_1: {hcaHandles: 3}}}'
    refuses /linux/resources/rdma/mlx5_1 '{rdma: {mlx5_1: {}}}'
    # An empty wish is none.
    limited '{network: {classID: 0, priorities: []}, rdma: {}, blockIO: {}, hugepageLimits: []}'
}

@test "network classes and priorities are the kernel's where their hierarchies are mounted" {
    grep -qw net_cls /proc/cgroups || skip "this kernel has no net_cls"
    in_private_mounts || return 0
    local name
    # A view of /sys/fs/cgroup of this test's own, with two hierarchies more.
    mkdir -p "$BATS_TEST_TMPDIR/cgroups"
    mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/cgroups"
    for name in /sys/fs/cgroup/*/; do
        name=$(basename "$name")
        mkdir "$BATS_TEST_TMPDIR/cgroups/$name"
        mount --rbind "/sys/fs/cgroup/$name" "$BATS_TEST_TMPDIR/cgroups/$name"
    done
    for name in net_cls net_prio; do
        mkdir "$BATS_TEST_TMPDIR/cgroups/$name"
        mount -t cgroup -o "$name" cgroup "$BATS_TEST_TMPDIR/cgroups/$name" || skip "$name is in use elsewhere"
    done
    mount --move "$BATS_TEST_TMPDIR/cgroups" /sys/fs/cgroup
    limited '{network: {classID: 1048577, priorities: [{name: "lo", priority: 3}]}}'
    is net_cls net_cls.classid 1048577
    cgroup_value net_prio "$id" net_prio.ifpriomap | grep -qx 'lo 3'
    mrun delete --force "$id"
    rmdir /sys/fs/cgroup/net_cls/mrun /sys/fs/cgroup/net_prio/mrun
    # A hierarchy goes with its last mount, but not while a cgroup in it is on its way out.
    alone() { awk '/^net_(cls|prio)\t/ && $3 > 1 { exit 1 }' /proc/cgroups; }
    wait_until 20 alone
    umount /sys/fs/cgroup/net_cls /sys/fs/cgroup/net_prio
    umount --recursive --lazy /sys/fs/cgroup
}

@test "memory limits of every kind are the kernel's" {
    limited '{memory: {limit: 67108864, swap: 134217728, reservation: 33554432, swappiness: 7, disableOOMKiller: true,
        useHierarchy: true, kernel: 1048576, kernelTCP: 1048576, checkBeforeUpdate: true}}'
    is memory memory.limit_in_bytes 67108864
    is memory memory.memsw.limit_in_bytes 134217728
    is memory memory.soft_limit_in_bytes 33554432
    is memory memory.swappiness 7
    [[ $(cgroup_value memory "$id" memory.oom_control) == *'oom_kill_disable 1'* ]]
    # No kernel of today limits its own memory; that is told to those who ask.
    new_id
    make_bundle "$id" '.process.args = ["true"] | .linux.resources = {memory: {kernel: 1048576}}'
    mrun --log "$BATS_TEST_TMPDIR/log" --debug run --bundle "$bundle" "$id"
    grep -q 'Kernel memory settings are ignored' "$BATS_TEST_TMPDIR/log"
    mrun --log "$BATS_TEST_TMPDIR/quiet" run --bundle "$bundle" "$id"
    [ ! -s "$BATS_TEST_TMPDIR/quiet" ]
    refuses /linux/resources/memory/useHierarchy '{memory: {useHierarchy: false}}'
}

@test "cpu limits of every kind are the kernel's, or its reason is told" {
    limited '{cpu: {shares: 200, quota: 20000, period: 50000, burst: 10000, idle: 0}}'
    is cpu cpu.shares 200
    is cpu cpu.cfs_quota_us 20000
    is cpu cpu.cfs_period_us 50000
    is cpu cpu.cfs_burst_us 10000
    limited '{cpu: {idle: 1, shares: 200}}'
    is cpu cpu.idle 1
    # Real time is the parent's to give, and it has none.
    refuses /linux/resources/cpu/realtimeRuntime '{cpu: {realtimePeriod: 1000000, realtimeRuntime: 950000}}'
    [[ $message == *'"cpu.rt_runtime_us": '* ]]
    refuses /linux/resources/cpu/quota '{cpu: {quota: 1}}'
    [[ $message == *'write "1" to "cpu.cfs_quota_us": Invalid argument' ]]
    refuses /linux/resources/cpu/cpus '{cpu: {cpus: "4000"}}'
    refuses /linux/resources/unified '{unified: {"memory.max": "1"}}'
}

@test "a pids limit: none, unlimited, and 0, which leaves room for the first process" {
    local pair
    for pair in '{}=max' '{limit: -1}=max' '{limit: -7}=max' '{limit: 0}=1' '{limit: 5}=5'; do
        limited "{pids: ${pair%=*}}"
        is pids pids.max "${pair#*=}"
        mrun delete --force "$id"
    done
}

@test "a deny-all without a type leaves what every container needs, and no disk" {
    local script='mknod /dev/disk b 7 0 && head -c 1 /dev/disk >/dev/null 2>&1 && echo disk
        for node in null zero full random urandom tty; do [ -c /dev/$node ] && echo "$node"; done
        echo x >/dev/null && head -c 1 /dev/urandom >/dev/null && echo end'
    run_script "$script" '.linux.resources = {devices: [{allow: false, access: "rwm"}]} |
        .process.capabilities |= map_values(. + ["CAP_MKNOD", "CAP_DAC_OVERRIDE"])'
    [ "$output" = $'null\nzero\nfull\nrandom\nurandom\ntty\nend' ]
    limited '{devices: [{allow: false, access: "rwm"}]}'
    [ "$(cgroup_value devices "$id" devices.list | LC_ALL=C sort | tr '\n' ,)" = \
        'b *:* m,c *:* m,c 10:200 rwm,c 136:* rwm,c 1:3 rwm,c 1:5 rwm,c 1:7 rwm,c 1:8 rwm,c 1:9 rwm,c 5:0 rwm,c 5:2 rwm,' ]
}

@test "device rules for an existing cgroup with others in it are refused with the reason" {
    new_id
    make_bundle "$id" '.linux.resources = {devices: [{allow: false, access: "rwm"}]}'
    mkdir -p "/sys/fs/cgroup/devices/mrun/$id/inner"
    refused /linux/resources/devices mrun create --bundle "$bundle" "$id"
    [[ $message == *'while there are cgroups in it'* ]]
    [ -d "/sys/fs/cgroup/devices/mrun/$id/inner" ]
    rmdir "/sys/fs/cgroup/devices/mrun/$id/inner" "/sys/fs/cgroup/devices/mrun/$id"
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
}

@test "256 KiB of memory are enough for a small program" {
    # A page table, a stack, the program: what mrun needs for itself is not in it.
    local round
    for round in {1..5}; do
        run_script 'true' '.process.args = ["true"] | .linux.resources = {memory: {limit: 262144, swap: 262144}}'
        [ "$status" -eq 0 ] || { echo "round $round: $output" && return 1; }
    done
}

@test "a frozen cgroup inside of the container's is thawed by delete" {
    start_script 'sleep 1000 & sleep 1000' 'del(.linux.namespaces[] | select(.type == "pid"))'
    local directory
    directory=$(cgroup_directory freezer "$id")
    mkdir "$directory/inner" "$directory/inner/most"
    has_two() { [ "$(wc -l <"$directory/cgroup.procs")" -ge 2 ]; }
    wait_until 5 has_two
    tail -n 1 "$directory/cgroup.procs" >"$directory/inner/most/cgroup.procs"
    echo FROZEN >"$directory/inner/freezer.state"
    SECONDS=0
    mrun delete --force "$id"
    [ "$SECONDS" -le 5 ]
    [ -z "$(own_cgroups)" ]
}

@test "a regular expression names many containers for kill and delete" {
    local first second third
    start_script 'sleep 1000' && first=$id
    start_script 'sleep 1000' && second=$id
    start_script 'sleep 1000' && third=$id
    refused 'invalid regular expression' mrun kill --regex '(' KILL
    refused 'invalid regular expression' mrun delete -r '*['
    mrun kill -r "^$TAG-[12]\$" KILL
    wait_until 5 has_status "$first" stopped
    wait_until 5 has_status "$second" stopped
    has_status "$third" running
    # One that is running does not keep the others.
    refused "$third: cannot delete container $third that is not stopped" mrun delete --regex "^$TAG-"
    [ "$(list_state "$ROOT")" = "$third" ]
    mrun delete --force --regex '.'
    [ -z "$(list_state "$ROOT")" ]
    mrun delete --regex '^nothing matches this$'
}
