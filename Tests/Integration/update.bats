#!/usr/bin/env bats
# `update`: the limits of a container that lives.

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

# memory_is LIMIT WITH-SWAP
memory_is() { is memory memory.limit_in_bytes "$1" && is memory memory.memsw.limit_in_bytes "$2"; }

# all_limits: every file of the container's that a limit can be in.
all_limits() {
    local file
    for file in cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.cfs_burst_us cpu/cpu.idle cpuset/cpuset.cpus \
        cpuset/cpuset.mems memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes \
        memory/memory.swappiness memory/memory.oom_control pids/pids.max devices/devices.list \
        blkio/blkio.throttle.read_bps_device; do
        echo "$file: $(LC_ALL=C sort "/sys/fs/cgroup/${file%/*}/mrun/$id/${file#*/}" | tr '\n' ' ')"
    done
}

# document JSON: writes it to a file; sets `document`. (`refused` reads nothing.)
document() {
    document=$BATS_TEST_TMPDIR/document.json
    echo "$1" >"$document"
}

MIB=1048576
UNLIMITED=9223372036854771712

@test "every option changes its limit" {
    start_script 'sleep 1000'
    mrun update --cpu-period 200000 --cpu-quota 60000 --cpu-burst 5000 --cpu-share 300 --cpuset-cpus 0 --cpuset-mems 0 \
        --memory 64m --memory-reservation 32M --memory-swap 128mb --pids-limit 33 --blkio-weight 100 "$id"
    is cpu cpu.cfs_period_us 200000
    is cpu cpu.cfs_quota_us 60000
    is cpu cpu.cfs_burst_us 5000
    is cpu cpu.shares 300
    is cpuset cpuset.cpus 0
    is cpuset cpuset.mems 0
    memory_is $((64 * MIB)) $((128 * MIB))
    is memory memory.soft_limit_in_bytes $((32 * MIB))
    is pids pids.max 33
    mrun update --pids-limit -1 --cpu-quota -1 --cpu-burst 0 "$id"
    is pids pids.max max
    is cpu cpu.cfs_quota_us -1
    has_status "$id" running
}

@test "memory with swap goes up and down in any order" {
    start_script 'sleep 1000'
    local limit
    for limit in 64 256 32 512 16 17; do
        mrun update --memory "${limit}m" --memory-swap "${limit}m" "$id"
        memory_is $((limit * MIB)) $((limit * MIB))
    done
    # One of them alone leaves the other.
    mrun update --memory-swap 40m "$id"
    memory_is $((17 * MIB)) $((40 * MIB))
    mrun update --memory 24m "$id"
    memory_is $((24 * MIB)) $((40 * MIB))
    refused /linux/resources/memory/swap mrun update --memory 64m "$id"
    memory_is $((24 * MIB)) $((40 * MIB))
    mrun update --memory -1 "$id"
    memory_is $UNLIMITED $UNLIMITED
    mrun update --memory 1g --memory-swap -1 "$id"
    memory_is $((1024 * MIB)) $UNLIMITED
}

@test "quota or period alone keeps the other, and idle takes the weight back" {
    start_script 'sleep 1000' '.linux.resources.cpu = {quota: 50000, period: 100000, shares: 512}'
    mrun update --cpu-quota 30000 "$id"
    is cpu cpu.cfs_quota_us 30000
    is cpu cpu.cfs_period_us 100000
    mrun update --cpu-period 60000 "$id"
    is cpu cpu.cfs_quota_us 30000
    is cpu cpu.cfs_period_us 60000
    is cpu cpu.shares 512
    mrun update --cpu-idle 1 "$id"
    is cpu cpu.idle 1
    mrun update --cpu-quota 20000 "$id"
    is cpu cpu.idle 1
    mrun update --cpu-idle 0 --cpu-share 700 "$id"
    is cpu cpu.idle 0
    is cpu cpu.shares 700
}

@test "a document is read from a file and from standard input, and what it leaves out stays" {
    start_script 'sleep 1000' '.linux.resources += {pids: {limit: 42}, cpu: {shares: 100}}'
    local devices
    devices=$(cgroup_value devices "$id" devices.list)
    echo '{"memory":{"limit":83886080,"swap":83886080},"cpu":{"shares":512,"quota":30000}}' >"$BATS_TEST_TMPDIR/some.json"
    # Other options are ignored then.
    mrun update "--resources=$BATS_TEST_TMPDIR/some.json" --pids-limit 7 "$id"
    memory_is 83886080 83886080
    is cpu cpu.shares 512
    is cpu cpu.cfs_quota_us 30000
    is pids pids.max 42
    # containerd sends all that there is, with zeros for what it does not mean.
    mrun update --resources - "$id" <<<'{"devices":[{"allow":false,"access":"rwm"}],
        "memory":{"limit":41943040,"swap":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":"","mems":""},"pids":{"limit":9},"blockIO":{"weight":0}}'
    memory_is 41943040 83886080
    is cpu cpu.shares 512
    is pids pids.max 9
    [ "$(cgroup_value devices "$id" devices.list)" = "$devices" ]
    mrun update -r "$BATS_TEST_TMPDIR/some.json" "$id"
    is pids pids.max 9
    mrun update -r - "$id" <<<'{}'
}

@test "other device rules take the place of the old ones, without a moment in which all is denied" {
    start_script 'while :; do echo x >/dev/null || echo denied; done' '.linux.resources.devices = [{allow: false, access: "rwm"},
        {allow: true, type: "c", major: 10, minor: 229, access: "rw"}]'
    local round
    for round in 1 2 3 4 5 6; do
        mrun update -r - "$id" <<<'{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}'
        [[ $(cgroup_value devices "$id" devices.list) == *'c 1:11 r'* ]]
        [[ $(cgroup_value devices "$id" devices.list) != *'c 10:229'* ]]
        mrun update -r - "$id" <<<'{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}]}'
        [[ $(cgroup_value devices "$id" devices.list) == *'c 10:229 rw'* ]]
        [[ $(cgroup_value devices "$id" devices.list) != *'c 1:11'* ]]
    done
    has_status "$id" running
    [ ! -s "$bundle/out" ]
    [ ! -s "$bundle/err" ]
}

@test "what cannot be changed leaves all as it was" {
    start_script 'sleep 1000' '.linux.resources += {cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}, pids: {limit: 42},
        memory: {limit: 67108864, swap: 134217728, swappiness: 11}}'
    local before config bad
    before=$(all_limits)
    config=$(cat "$ROOT/$id/config.json")
    # Each is refused by the kernel at a time when others have been changed already: each hierarchy comes once as the last.
    for bad in '"cpu":{"shares":99,"quota":1}' '"cpu":{"cpus":"0-4000"}' '"memory":{"limit":1}' '"memory":{"limit":33554432,"swap":33554432,"useHierarchy":false}' \
        '"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":0,"rate":1}]}' \
        '"hugepageLimits":[{"pageSize":"2MB","limit":1}]'; do
        document "$(jq -nc "{cpu:{shares:77,quota:20000,idle:1}, pids:{limit:7},
            memory:{limit:50331648,swap:100663296,swappiness:3,disableOOMKiller:true},
            devices:[{allow:false,access:\"rwm\"},{allow:true,type:\"c\",major:10,minor:229,access:\"rw\"}]} * {$bad}")"
        refused /linux/resources/ mrun update -r "$document" "$id"
        [ "$(all_limits)" = "$before" ] || { diff <(echo "$before") <(all_limits) && echo "$bad" && return 1; }
        [ "$(cat "$ROOT/$id/config.json")" = "$config" ]
    done
    has_status "$id" running
}

@test "the next command knows the new limits" {
    start_script 'sleep 1000'
    local before
    before=$(jq -cS 'del(.linux.resources)' "$ROOT/$id/config.json")
    mrun update --memory 64m --pids-limit 20 "$id"
    jq -e '.linux.resources | .memory.limit == 67108864 and .pids.limit == 20 and (.devices | length > 0)' "$ROOT/$id/config.json"
    # Nothing else of the config has changed.
    [ "$(jq -cS 'del(.linux.resources)' "$ROOT/$id/config.json")" = "$before" ]
    jq -e '.pids.limit == 20 and .memory.usage.limit == 67108864' < <(mrun stats "$id")
    [ "$(mrun exec "$id" echo hello)" = hello ]
    # Swap is counted from the limit that is in force.
    refused /linux/resources/memory/swap mrun update --memory-swap 32m "$id"
    mrun update --memory-swap 65m "$id"
    memory_is $((64 * MIB)) $((65 * MIB))
}

@test "a created and a paused container can be changed, a stopped one and none cannot" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle"
    mrun update --pids-limit 11 "$id"
    is pids pids.max 11
    mrun start "$id"
    mrun pause "$id"
    mrun update --pids-limit 12 "$id"
    is pids pids.max 12
    has_status "$id" paused
    mrun resume "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'container not running' mrun update --pids-limit 13 "$id"
    is pids pids.max 12
    refused 'does not exist' mrun update --pids-limit 13 "$TAG-none"
}

@test "values that make no sense are refused, and change nothing" {
    start_script 'sleep 1000' '.linux.resources.pids.limit = 42'
    local before option
    before=$(all_limits)
    for option in --cpu-period=x --cpu-quota=1.5 --cpu-share=-1 --memory=1x --memory=m --memory=-2 --memory=99999999999g --memory-swap= \
        --pids-limit=many --cpu-idle=2 --blkio-weight=5 --cpuset-cpus=a --memory-reservation=1..5; do
        refused '' mrun update "$option" "$id"
        [ "$(all_limits)" = "$before" ]
    done
    refused 'invalid value for cpu-period: "x"' mrun update --cpu-period x "$id"
    refused 'invalid value for memory: "1x"' mrun update --memory 1x "$id"
    refused 'resctrl' mrun update --l3-cache-schema 'L3:0=f' "$id"
    refused 'resctrl' mrun update --mem-bw-schema 'MB:0=20' "$id"
    refused 'standard input' mrun update -r - "$id"
    document '{"memory":'
    refused "$document" mrun update -r "$document" "$id"
    document '{"memory":{"limit":"much"}}'
    refused '/linux/resources/memory/limit' mrun update -r "$document" "$id"
    refused 'no such file' mrun update -r "$BATS_TEST_TMPDIR/none.json" "$id"
    [ "$(all_limits)" = "$before" ]
    # Old callers' options do nothing, and say so.
    run mrun update --kernel-memory 1g --pids-limit 43 "$id"
    [ "$status" -eq 0 ]
    [[ $output == *'Kernel memory settings are ignored'* ]]
    is pids pids.max 43
}

@test "a limit below what is in use is refused by the kernel, or before it is asked" {
    # A file in a tmpfs is memory that the kernel cannot take back.
    start_script 'dd if=/dev/zero of=/dev/shm/file bs=1M count=8 2>/dev/null; echo filled; sleep 1000'
    wait_until 10 output_has "$bundle" filled
    mrun update --memory 64m --memory-swap 64m "$id"
    refused /linux/resources/memory/limit mrun update --memory 4m --memory-swap 4m "$id"
    memory_is $((64 * MIB)) $((64 * MIB))
    document '{"memory":{"limit":4194304,"swap":4194304,"checkBeforeUpdate":true}}'
    refused 'bytes are in use, more than' mrun update -r "$document" "$id"
    memory_is $((64 * MIB)) $((64 * MIB))
    has_status "$id" running
}
