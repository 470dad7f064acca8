#!/usr/bin/env bats
# The cgroups of a container: limits, devices, and that neither they nor what lives in them outlast it.

load helpers

setup_file() { make_rootfs; }

setup() {
    begin
    [ "$(cgroup_version)" -eq 1 ] || skip "looks at v1 hierarchies; cgroup2 is tested in a virtual machine"
}

teardown() { finish; }

SHOW='.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'

# is CONTROLLER FILE VALUE: what the kernel says of the container `id`.
is() {
    local found
    found=$(cgroup_value "$1" "$id" "$2")
    [ "$found" = "$3" ] || { echo "$2 is $found, not $3" && return 1; }
}

@test "a container has one cgroup in each hierarchy, with its processes in it, and none after its end" {
    start_script 'sleep 1000 & sleep 1000; true'
    local pid hierarchy seen=0
    pid=$(pid_of "$id")
    while IFS=: read -r _ hierarchy path; do
        # The unified hierarchy of a hybrid host may be unused.
        [ "$path" = "/mrun/$id" ] || { echo "$hierarchy: $path" && [ -z "$hierarchy" ]; }
        seen=$((seen + 1))
    done <"/proc/$pid/cgroup"
    [ "$seen" -ge 5 ]
    has_processes() { [ "$(cgroup_value memory "$id" cgroup.procs | wc -l)" -eq "$1" ]; }
    wait_until 5 has_processes 3
    mrun delete --force "$id"
    [ -z "$(find /sys/fs/cgroup -path "*$id*")" ]
}

@test "the limits of the config are the kernel's" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"] | .linux.resources += {
        cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0", mems: "0"},
        memory: {limit: 67108864, reservation: 33554432, swappiness: 10}, pids: {limit: 42}}'
    create_container "$id" "$bundle"
    # They are there before the task can run.
    is cpu cpu.shares 512
    is cpu cpu.cfs_quota_us 50000
    is cpu cpu.cfs_period_us 100000
    is cpuset cpuset.cpus 0
    is cpuset cpuset.mems 0
    is memory memory.limit_in_bytes 67108864
    is memory memory.soft_limit_in_bytes 33554432
    is memory memory.swappiness 10
    is pids pids.max 42
}

@test "the task never runs without its limits" {
    local round
    for round in {1..10}; do
        run_script 'cd /sys/fs/cgroup && cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.shares; grep -c : /proc/self/cgroup;
            grep -vc mrun /proc/self/cgroup' \
            "$SHOW"' | .linux.resources += {memory: {limit: 16777216}, pids: {limit: 20}, cpu: {shares: 100}}'
        [ "${lines[0]}" = 16777216 ]
        [ "${lines[1]}" = 20 ]
        [ "${lines[2]}" = 100 ]
        [ "${lines[4]}" -le 1 ]
    done
}

@test "without limits in the config the container has none" {
    start_script 'sleep 1000' 'del(.linux.resources)'
    is pids pids.max max
    is cpu cpu.shares 1024
    is cpu cpu.cfs_quota_us -1
    [ "$(cgroup_value memory "$id" memory.limit_in_bytes)" -gt 1000000000000 ]
}

@test "limits that make no sense are refused, and leave nothing" {
    new_id
    local limits
    for limits in '{memory: {limit: -5}}' '{memory: {limit: 4096, swap: 1024}}' '{memory: {swap: 1048576}}' '{memory: {swappiness: 101}}' \
        '{cpu: {shares: -1}}' '{cpu: {cpus: "999"}}' '{cpu: {cpus: "a"}}' '{pids: {limit: "many"}}' '{unified: {"memory.max": "1"}}' \
        '{cpu: {quota: 1}}' '{blockIO: {weight: 5}}' '{devices: [{allow: true, type: "x"}]}' '{devices: [{allow: true, access: "rwx"}]}' \
        '{devices: [{allow: true, major: -2}]}' '{devices: [{type: "c"}]}'; do
        make_bundle "$id" ".linux.resources = $limits"
        refused '' mrun create --bundle "$bundle" "$id"
        [ -z "$(list_state "$ROOT")" ]
        [ -z "$(own_cgroups)" ]
    done
}

@test "the cgroup decides over devices, not the right to make them" {
    local script='mknod /dev/kmsg-node c 1 11 && head -c 1 /dev/kmsg-node >/dev/null 2>&1 && echo kmsg
        mknod /dev/disk-node b 7 0 && dd if=/dev/disk-node of=/dev/null count=0 2>/dev/null && echo disk
        mknod /dev/null-node c 1 3 && echo x >/dev/null-node && echo null
        mknod /dev/zero-node c 1 5 && head -c 1 /dev/zero-node >/dev/null && echo zero; echo end'
    local mknod='.process.capabilities |= map_values(. + ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYSLOG"])'
    run_script "$script" "$mknod"
    echo "$output"
    [ "$(grep -v -e mknod -e head -e dd <<<"$output")" = $'null\nzero\nend' ]
    run_script "$script" "$mknod"' | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 11, access: "r"}]'
    [[ $output == *kmsg* ]]
    [[ $output != *disk* ]]
    # The order of the rules counts.
    run_script "$script" "$mknod"' | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 11, access: "rwm"},
        {allow: false, type: "c", major: 1, minor: 11, access: "r"}]'
    [[ $output != *kmsg* ]]
}

@test "the list of devices is the config's and what every container may use" {
    start_script 'sleep 1000' '.linux.resources.devices += [{allow: true, type: "b", major: 7, minor: 3, access: "rw"}]'
    local list
    list=$(cgroup_value devices "$id" devices.list | LC_ALL=C sort)
    echo "$list"
    [[ $list == *'b 7:3 rw'* ]]
    [[ $list == *'c 1:3 rwm'* ]]
    [[ $list == *'c 136:* rwm'* ]]
    [[ $list == *'c *:* m'* ]]
    [[ $list != *'a *:* rwm'* ]]
}

@test "the cgroup directory of a foreign process is refused, and the process lives" {
    new_id
    make_bundle "$id"
    local directory=/sys/fs/cgroup/memory/mrun/$id
    mkdir -p "$directory"
    env -i sleep 1004 3>&- &
    echo $! >"$directory/cgroup.procs"
    refused "is in use: process $! is in it" mrun create --bundle "$bundle" "$id"
    refused 'is in use' mrun run --bundle "$bundle" "$id"
    kill -0 $!
    [ "$(cat "$directory/cgroup.procs")" = $! ]
    # Neither does a delete of what was never made touch it.
    mrun delete --force "$id"
    kill -0 $!
    kill -KILL $!
    wait_until 5 rmdir "$directory"
}

@test "two containers do not share a cgroup" {
    start_script 'sleep 1000'
    local first=$id path
    path=$(jq -r .linux.cgroupsPath "$bundle/config.json")
    new_id
    make_bundle "$id" '.linux.cgroupsPath = $path' --arg path "$path"
    refused 'cgroup' mrun create --bundle "$bundle" "$id"
    # Nor when the first one has stopped: what is in there is its own to remove.
    mrun kill "$first" KILL
    wait_until 5 has_status "$first" stopped
    refused 'belongs to another container' mrun create --bundle "$bundle" "$id"
    mrun delete --force "$id"
    [ -d "/sys/fs/cgroup/freezer$path" ]
    has_status "$first" stopped
    mrun delete "$first"
    create_container "$id" "$bundle"
}

@test "a cgroupsPath stays in its hierarchy" {
    new_id
    local path
    for path in .. / // . /.. "/../$id" "/mrun/../../$id" "/mrun/./$id" "../$id" "mrun/../../$id" '' "/mrun/../../../../../../tmp/$id"; do
        make_bundle "$id" '.linux.cgroupsPath = $path' --arg path "$path"
        refused '/linux/cgroupsPath' mrun create --bundle "$bundle" "$id"
    done
    make_bundle "$id" '.linux.cgroupsPath = "/mrun/a\nb"'
    refused '/linux/cgroupsPath' mrun create --bundle "$bundle" "$id"
    [ -z "$(find /sys/fs/cgroup /tmp -maxdepth 3 -name "$id")" ]
}

@test "a relative or missing cgroupsPath lies below the caller's own cgroup" {
    local filter
    for filter in 'del(.linux.cgroupsPath)' '.linux.cgroupsPath = "'"$TAG-relative"'"'; do
        start_script 'sleep 1000' "$filter"
        local own theirs
        own=$(grep :freezer: /proc/self/cgroup | cut -d : -f 3)
        theirs=$(grep :freezer: "/proc/$(pid_of "$id")/cgroup" | cut -d : -f 3)
        [[ $theirs == "${own%/}/$TAG-"* ]]
        mrun delete --force "$id"
    done
}

@test "an annotation limits the hierarchies that a container is in" {
    start_script 'sleep 1000' 'del(.linux.resources) | .annotations = {"org.mrun.cgroup.controllers": "freezer,memory"}'
    [ "$(grep "$id" "/proc/$(pid_of "$id")/cgroup" | cut -d : -f 2 | sort)" = $'freezer\nmemory' ]
    new_id
    make_bundle "$id" '.annotations = {"org.mrun.cgroup.controllers": "freezer"} | .linux.resources.memory.limit = 1048576'
    refused '/linux/resources/' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.annotations = {"org.mrun.cgroup.controllers": "nosuch"}'
    refused 'nosuch' mrun create --bundle "$bundle" "$id"
}

# Each process makes others for as long as it may; the first one only looks on.
BOMB='bomb() { while :; do bomb & sleep 0.01; done; }; bomb 2>/dev/null & exec sleep 1000'

@test "a fork bomb stays within its limit, and goes in less than ten seconds" {
    start_script "$BOMB" '.linux.resources.pids.limit = 100'
    sleep 1
    [ "$(cgroup_value pids "$id" pids.current)" -le 100 ]
    [ "$(cgroup_value pids "$id" pids.current)" -ge 20 ]
    SECONDS=0
    mrun delete --force "$id"
    [ "$SECONDS" -le 10 ]
    [ -z "$(own_cgroups)" ]
    # The same without a pid namespace that would end them all at once.
    start_script "$BOMB" '.linux.resources.pids.limit = 100 |
        del(.linux.namespaces[] | select(.type == "pid"))'
    sleep 1
    SECONDS=0
    mrun delete --force "$id"
    [ "$SECONDS" -le 10 ]
}

@test "without a pid namespace the orphans of a dead init are all ended" {
    local orphans='for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        setsid sleep 1000 & done; echo ready; sleep 0.3; exit 0' way
    for way in delete 'delete --force' 'kill --all'; do
        start_script "$orphans" 'del(.linux.namespaces[] | select(.type == "pid"))'
        wait_until 5 has_status "$id" stopped
        [ "$(cgroup_value freezer "$id" cgroup.procs | wc -l)" -ge 30 ]
        # shellcheck disable=SC2086 # a command and its option
        if [ "$way" = 'kill --all' ]; then mrun kill --all "$id" KILL; else mrun $way "$id"; fi
        sleep 0.1
        [ -z "$(cat "/sys/fs/cgroup/freezer/mrun/$id/cgroup.procs" 2>/dev/null)" ]
        mrun delete --force "$id"
    done
    # KILL of the running init takes them with it.
    start_script 'setsid sleep 1000 & setsid sleep 1000 & echo ready; sleep 1000' 'del(.linux.namespaces[] | select(.type == "pid"))'
    wait_until 5 output_has "$bundle" ready
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    [ -z "$(cat "/sys/fs/cgroup/freezer/mrun/$id/cgroup.procs")" ]
}

@test "cgroups that were made inside of the container's are removed with what lives there" {
    local hierarchy
    start_script 'sleep 1000 & sleep 1000 & sleep 1000'
    for hierarchy in freezer memory pids; do
        mkdir -p "/sys/fs/cgroup/$hierarchy/mrun/$id/a/b/c" "/sys/fs/cgroup/$hierarchy/mrun/$id/d"
        cgroup_value "$hierarchy" "$id" cgroup.procs | head -n 1 >"/sys/fs/cgroup/$hierarchy/mrun/$id/a/b/c/cgroup.procs"
        cgroup_value "$hierarchy" "$id" cgroup.procs | tail -n 1 >"/sys/fs/cgroup/$hierarchy/mrun/$id/d/cgroup.procs"
    done
    [ "$(mrun ps --format json "$id" | jq length)" -eq 4 ] || [ "$(mrun ps --format json "$id" | jq length)" -eq 3 ]
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]
    start_script 'exit 0'
    wait_until 5 has_status "$id" stopped
    mkdir -p "/sys/fs/cgroup/memory/mrun/$id/a/b"
    mrun delete "$id"
    [ -z "$(own_cgroups)" ]
}

# Takes more memory than there is.
GREEDY='x=x; while :; do x=$x$x$x$x; done'

@test "a task that takes more memory than its limit is ended, and wait says why" {
    # Swap would only delay it.
    local limit='.linux.resources.memory = {limit: 8388608, swappiness: 0}'
    run_script "$GREEDY" "$limit"
    [ "$status" -eq 137 ]
    start_script "$GREEDY" "$limit" --init
    jq -e '.signal == 9 and .oomKilled == true' < <(mrun wait "$id")
    # One that ends well, or is killed by somebody, was not.
    start_script 'exit 0' "$limit" --init
    jq -e '.exitCode == 0 and .oomKilled == false' < <(mrun wait "$id")
    start_script 'sleep 1000' "$limit" --init
    mrun kill "$id" KILL
    jq -e '.signal == 9 and .oomKilled == false' < <(mrun wait "$id")
}

@test "a memory limit that is too small for any process is an error of create or of the task, and leaves nothing" {
    new_id
    make_bundle "$id" '.process.args = ["true"] | .linux.resources.memory = {limit: 4096, swap: 4096}'
    MRUN_TIMEOUT=20 run_container "$id" "$bundle"
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]
}

@test "what mrun itself needs for a start does not count as the container's" {
    new_id
    make_bundle "$id" '.process.args = ["true"] | .linux.resources.memory = {limit: 1048576}'
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    make_bundle "$id" '.process.args = ["true"] | .linux.resources.pids = {limit: 1}'
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
}
