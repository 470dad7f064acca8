#!/usr/bin/env bats
# What a config says of its process beside privileges: scheduling, priorities, memory policy, personality, labels,
# limits, ids, environment, working directory.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# invalid POINTER FILTER: `create` refuses the oci-minimal bundle changed by the filter, naming that place, and leaves
# nothing.
invalid() {
    new_id
    make_bundle "$id" "$2"
    refused "$1" mrun create --bundle "$bundle" "$id"
    [ ! -e "$ROOT/$id" ]
}

# attributes PID: what the kernel says: scheduler, nice, priority, I/O class and level, memory policy of new memory.
attributes() {
    python3 -ISc '
import ctypes, os, platform, sys
pid = int(sys.argv[1])
numbers = {"x86_64": (252, 135), "aarch64": (31, 92)}[platform.machine()]
print(os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid), os.sched_getparam(pid).sched_priority,
      ctypes.CDLL(None).syscall(numbers[0], 1, pid))' "$1"
}

@test "the scheduler is that of the config" {
    start_script 'sleep 1000' '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
    [ "$(attributes "$(pid_of "$id")")" = '3 7 0 0' ]
    start_script 'sleep 1000' '.process.scheduler = {policy: "SCHED_OTHER", nice: -3}'
    [ "$(attributes "$(pid_of "$id")")" = '0 -3 0 0' ]
    start_script 'sleep 1000' '.process.scheduler = {policy: "SCHED_IDLE", flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 1)" = $((0x40000005)) ]
    # Without one it is mrun's own, and exec does as create.
    start_script 'sleep 1000'
    [ "$(attributes "$(pid_of "$id")")" = "$(attributes $$)" ]
    start_script 'sleep 1000' '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
    mrun exec --detach --pid-file "$bundle/pid" "$id" sleep 1003 >/dev/null 2>&1 </dev/null 3>&-
    [ "$(attributes "$(cat "$bundle/pid")")" = '3 7 0 0' ]
}

@test "real-time policies are set, or refused in the words of the policy" {
    # In a new cgroup of the controller cpu there is no time for them.
    local filter='.annotations["org.mrun.cgroup.controllers"] = "freezer" | del(.linux.resources) | .process.scheduler = '
    start_script 'sleep 1000' "$filter"'{policy: "SCHED_RR", priority: 11}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 1-3)" = '2 0 11' ]
    start_script 'sleep 1000' "$filter"'{policy: "SCHED_FIFO", priority: 99}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 1-3)" = '1 0 99' ]
    start_script 'sleep 1000' "$filter"'{policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 20000000, period: 20000000}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 1)" = 6 ]
    # The kernel gives that policy only to who may run on all processors.
    new_id
    make_bundle "$id" "$filter"'{policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 20000000}'
    if [ "$(nproc)" -gt 1 ]; then
        refused "process scheduler can't be used together with AllowedCPUs" taskset -c 0 timeout 60 "$MRUN" --root "$ROOT" run \
            --bundle "$bundle" "$id"
    fi
    make_bundle "$id" '.process.scheduler = {policy: "SCHED_OTHER", nice: -1}'
    refused 'set the scheduler policy SCHED_OTHER' setpriv --bounding-set -sys_nice timeout 60 "$MRUN" --root "$ROOT" run \
        --bundle "$bundle" "$id"
}

@test "a scheduler that makes no sense is refused with its place" {
    invalid '/process/scheduler: "policy" is missing' '.process.scheduler = {nice: 1}'
    invalid '/process/scheduler/policy' '.process.scheduler = {policy: "SCHED_ISO"}'
    invalid '/process/scheduler/policy' '.process.scheduler = {policy: "batch"}'
    invalid '/process/scheduler/nice' '.process.scheduler = {policy: "SCHED_FIFO", priority: 1, nice: 1}'
    invalid '/process/scheduler/nice' '.process.scheduler = {policy: "SCHED_OTHER", nice: 20}'
    invalid '/process/scheduler/nice' '.process.scheduler = {policy: "SCHED_BATCH", nice: -21}'
    invalid '/process/scheduler/priority' '.process.scheduler = {policy: "SCHED_BATCH", priority: 1}'
    invalid '/process/scheduler/priority' '.process.scheduler = {policy: "SCHED_RR", priority: 100}'
    invalid '/process/scheduler/priority' '.process.scheduler = {policy: "SCHED_RR"}'
    invalid '/process/scheduler/runtime' '.process.scheduler = {policy: "SCHED_RR", priority: 1, runtime: 1}'
    invalid '/process/scheduler/deadline' '.process.scheduler = {policy: "SCHED_OTHER", deadline: 1}'
    invalid '/process/scheduler/period' '.process.scheduler = {policy: "SCHED_IDLE", period: 1}'
    invalid '/process/scheduler/runtime' '.process.scheduler = {policy: "SCHED_DEADLINE", deadline: 1}'
    invalid '/process/scheduler/deadline' '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 2000, deadline: 1000}'
    invalid '/process/scheduler/flags/1' '.process.scheduler = {policy: "SCHED_OTHER", flags: ["SCHED_FLAG_RECLAIM", "X"]}'
}

@test "the I/O priority is that of the config" {
    start_script 'sleep 1000' '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 4)" = $((2 << 13 | 6)) ]
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 4)" != "$(attributes $$ | cut -d ' ' -f 4)" ]
    start_script 'sleep 1000' '.process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 0}'
    [ "$(attributes "$(pid_of "$id")" | cut -d ' ' -f 4)" = $((1 << 13)) ]
    start_script 'sleep 1000' '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 7} | .process.user.uid = 7' --init
    [ "$(attributes "$(pgrep -P "$(pid_of "$id")")" | cut -d ' ' -f 4)" = $((3 << 13 | 7)) ]
    invalid '/process/ioPriority/priority' '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}'
    invalid '/process/ioPriority/priority' '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: -1}'
    invalid '/process/ioPriority/class' '.process.ioPriority = {class: "IOPRIO_CLASS_NONE", priority: 1}'
    invalid '/process/ioPriority: "class" is missing' '.process.ioPriority = {priority: 1}'
}

@test "the memory policy is that of the config" {
    # Each mapping of the task is shown with the policy it was made under.
    run_script 'sed -n "1s/^[^ ]* \([^ ]*\).*/\1/p" /proc/self/numa_maps' '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
    [ "$output" = bind:0 ]
    run_script 'sed -n "1s/^[^ ]* \([^ ]*\).*/\1/p" /proc/self/numa_maps' \
        '.linux.memoryPolicy = {mode: "MPOL_INTERLEAVE", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}'
    [ "$output" = interleave=static:0 ]
    run_script 'sed -n "1s/^[^ ]* \([^ ]*\).*/\1/p" /proc/self/numa_maps' '.linux.memoryPolicy = {mode: "MPOL_LOCAL"}'
    [ "$output" = local ]
    start_script 'sleep 1000' '.linux.memoryPolicy = {mode: "MPOL_PREFERRED", nodes: "0"}'
    [ "$(mrun exec "$id" sed -n '1s/^[^ ]* \([^ ]*\).*/\1/p' /proc/self/numa_maps)" = prefer:0 ]
    # A node that is not there.
    new_id
    make_bundle "$id" '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "1023"}'
    refused 'set the memory policy' mrun run --bundle "$bundle" "$id"
    invalid '/linux/memoryPolicy: "mode" is missing' '.linux.memoryPolicy = {nodes: "0"}'
    invalid '/linux/memoryPolicy/mode' '.linux.memoryPolicy = {mode: "BIND", nodes: "0"}'
    invalid '/linux/memoryPolicy/nodes' '.linux.memoryPolicy = {mode: "MPOL_BIND"}'
    invalid '/linux/memoryPolicy/nodes' '.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0"}'
    invalid '/linux/memoryPolicy/flags/0' '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["STATIC"]}'
    local text
    for text in 0- -1 1-0 0,,1 ',' 'a' '0 1' 1024 0-1-2 0x1 99999999999; do
        invalid '/linux/memoryPolicy/nodes' '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "'"$text"'"}'
    done
}

@test "the personality is that of the config" {
    local machine
    machine=$(uname -m)
    run_script 'uname -m' '.linux.personality = {domain: "LINUX32"}'
    [ "$status" -eq 0 ]
    [ "$output" != "$machine" ]
    run_script 'uname -m' '.linux.personality = {domain: "LINUX"}'
    [ "$output" = "$machine" ]
    # What mrun was started with is not the task's.
    new_id
    make_bundle "$id" '.process.args = ["uname", "-m"]'
    run setarch linux32 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    [ "$output" = "$machine" ]
    start_script 'sleep 1000' '.linux.personality = {domain: "LINUX32"}'
    [ "$(mrun exec "$id" uname -m)" != "$machine" ]
    invalid '/linux/personality/domain' '.linux.personality = {domain: "linux32"}'
    invalid '/linux/personality' '.linux.personality = {}'
    invalid '/linux/personality/flags' '.linux.personality = {domain: "LINUX", flags: ["X"]}'
}

@test "execCPUAffinity is for exec alone" {
    [ "$(nproc)" -gt 1 ] || skip 'needs two processors'
    start_script 'grep Cpus_allowed_list /proc/self/status; sleep 1000' '.process.execCPUAffinity = {initial: "0", final: "1"}'
    wait_until 5 output_has "$bundle" Cpus_allowed_list
    [ "$(cat "$bundle/out")" = "$(grep Cpus_allowed_list /proc/self/status)" ]
    [ "$(mrun exec "$id" grep Cpus_allowed_list /proc/self/status)" = $'Cpus_allowed_list:\t1' ]
    start_script 'sleep 1000' '.process.execCPUAffinity = {final: "0"}'
    [ "$(mrun exec "$id" grep Cpus_allowed_list /proc/self/status)" = $'Cpus_allowed_list:\t0' ]
    start_script 'sleep 1000' '.process.execCPUAffinity = {initial: "1"}'
    # Before the cgroup: what mrun itself runs on meanwhile is not changed for good.
    local trace=$BATS_TEST_TMPDIR/trace
    timeout 60 strace -f -qq -e trace=sched_setaffinity,clone3,write -o "$trace" \
        "$MRUN" --root "$ROOT" exec "$id" true </dev/null
    grep -E 'sched_setaffinity|clone3|"0", 1' "$trace" | sed 's/^[0-9]* *//' | head -n 4 >"$trace.short"
    [ "$(sed -n '1s/(.*//p' "$trace.short")" = sched_setaffinity ]
    [[ $(sed -n 2p "$trace.short") == clone3* ]]
    grep -q 'sched_setaffinity(0, .*\[0 1' "$trace.short"
    invalid '/process/execCPUAffinity/initial' '.process.execCPUAffinity = {initial: "x"}'
    invalid '/process/execCPUAffinity/final' '.process.execCPUAffinity = {final: "8192"}'
    start_script 'sleep 1000' '.process.execCPUAffinity = {final: "8191"}'
    refused 'processors 8191 of execCPUAffinity' mrun exec "$id" true
    [ "$refusal" -eq 255 ]
}

@test "a label that no security module takes is refused before anything is made" {
    [ ! -e /sys/module/apparmor/parameters/enabled ] || ! grep -q Y /sys/module/apparmor/parameters/enabled || skip 'AppArmor is on'
    [ ! -e /sys/fs/selinux/enforce ] || skip 'SELinux is on'
    invalid '`/proc/self/attr/apparmor/exec`' '.process.apparmorProfile = "web"'
    invalid 'AppArmor is not enabled' '.process.apparmorProfile = "web"'
    invalid '`/proc/self/attr/exec`' '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
    invalid 'SELinux is not enabled' '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
    # Clients would take these words for a missing or forbidden executable.
    new_id
    make_bundle "$id" '.process.apparmorProfile = "web"'
    refused 'AppArmor profile "web"' mrun create --bundle "$bundle" "$id"
    [[ ! ${message,,} =~ no\ such\ file|permission\ denied|operation\ not\ permitted|executable ]]
    # These ask for nothing.
    run_script 'echo ran' '.process.apparmorProfile = "unconfined" | .process.selinuxLabel = ""'
    [ "$output" = ran ]
    run_script 'echo ran' '.process.apparmorProfile = ""'
    [ "$output" = ran ]
    start_script 'sleep 1000'
    refused '`/proc/self/attr/apparmor/exec`' mrun exec --apparmor web "$id" true
    [ "$refusal" -eq 255 ]
    refused '`/proc/self/attr/exec`' mrun exec --process-label a:b:c "$id" true
    mrun exec --apparmor unconfined --process-label '' "$id" true
}

@test "every kind of limit is set, and none that the kernel does not give" {
    run_script 'cat /proc/self/limits' '.process.rlimits = [
        {type: "RLIMIT_CPU", soft: 1000, hard: 2000}, {type: "RLIMIT_FSIZE", soft: 1000001, hard: 2000001},
        {type: "RLIMIT_DATA", soft: 1000000002, hard: 2000000002}, {type: "RLIMIT_STACK", soft: 8000003, hard: 9000003},
        {type: "RLIMIT_CORE", soft: 0, hard: 4}, {type: "RLIMIT_RSS", soft: 1000000005, hard: 2000000005},
        {type: "RLIMIT_NPROC", soft: 1006, hard: 2006}, {type: "RLIMIT_NOFILE", soft: 107, hard: 207},
        {type: "RLIMIT_MEMLOCK", soft: 8, hard: 18}, {type: "RLIMIT_AS", soft: 1000000009, hard: 2000000009},
        {type: "RLIMIT_LOCKS", soft: 10, hard: 20}, {type: "RLIMIT_SIGPENDING", soft: 11, hard: 21},
        {type: "RLIMIT_MSGQUEUE", soft: 12, hard: 22}, {type: "RLIMIT_NICE", soft: 0, hard: 0},
        {type: "RLIMIT_RTPRIO", soft: 0, hard: 0}, {type: "RLIMIT_RTTIME", soft: 15, hard: 25}]'
    [ "$status" -eq 0 ]
    # "Max cpu time  1000  2000  seconds" and so on, in the kernel's order.
    [ "$(sed -n 's/^Max \([a-z ]*[a-z]\)  *\([0-9]*\)  *\([0-9]*\).*/\1 \2 \3/p' <<<"$output")" = 'cpu time 1000 2000
file size 1000001 2000001
data size 1000000002 2000000002
stack size 8000003 9000003
core file size 0 4
resident set 1000000005 2000000005
processes 1006 2006
open files 107 207
locked memory 8 18
address space 1000000009 2000000009
file locks 10 20
pending signals 11 21
msgqueue size 12 22
nice priority 0 0
realtime priority 0 0
realtime timeout 15 25' ]
    # Above the hard limit only with CAP_SYS_RESOURCE.
    new_id
    make_bundle "$id" '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1073741816, hard: 1073741816}]'
    refused 'set RLIMIT_NOFILE to 1073741816:1073741816: Operation not permitted' \
        setpriv --bounding-set -sys_resource prlimit --nofile=1024:1024 timeout 60 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
    invalid '/process/rlimits/0/type' '.process.rlimits = [{type: "RLIMIT_FOO", soft: 1, hard: 1}]'
    invalid '/process/rlimits/0/type' '.process.rlimits = [{type: "NOFILE", soft: 1, hard: 1}]'
}

@test "umask, groups and oomScoreAdj are those of the config, for exec as well" {
    start_script 'umask; sleep 1000' '.process.user = {uid: 5, gid: 6, umask: 23, additionalGids: [7, 8]} | .process.oomScoreAdj = 321'
    wait_until 5 output_has "$bundle" 0
    [ "$(cat "$bundle/out")" = 0027 ]
    [ "$(mrun exec "$id" sh -c umask)" = 0027 ]
    [ "$(mrun exec "$id" cat /proc/self/oom_score_adj)" = 321 ]
    [ "$(cat "/proc/$(pid_of "$id")/oom_score_adj")" = 321 ]
    [ "$(mrun exec "$id" id -G)" = '6 7 8' ]
    run_script umask
    [ "$output" = 0022 ]
}

@test "of a variable given twice the last value counts, and an entry that is none is refused" {
    new_id
    make_bundle "$id" '.process.args = ["env"] | .process.env = ["PATH=/bin:/usr/bin", "A=1", "B=2", "A=3", "C=", "HOME=", "D=x=y"]'
    run_container "$id" "$bundle"
    [ "$output" = $'PATH=/bin:/usr/bin\nA=3\nB=2\nC=\nHOME=/root\nD=x=y' ]
    invalid '/process/env/1' '.process.env = ["PATH=/bin", "A"]'
    invalid '/process/env/1' '.process.env = ["PATH=/bin", "=1"]'
    invalid '/process/env/1' '.process.env = ["PATH=/bin", ""]'
}

@test "a working directory that is not there is made, inside the root" {
    new_id
    own_rootfs "$id"
    make_bundle "$id" '.root.path = $rootfs | .process.cwd = "/new/one" | .process.user = {uid: 5, gid: 5} | .process.args = ["sh", "-c", "pwd; stat -c %a-%u-%g ."]' \
        --arg rootfs "$rootfs"
    run_container "$id" "$bundle"
    [ "$output" = $'/new/one\n755-0-0' ]
    [ -d "$rootfs/new/one" ]
    # On a root that the task sees read-only, and in a mount.
    jq '.root.readonly = true | .process.cwd = "/new/two"' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
    run_container "$id" "$bundle"
    [ "${lines[0]}" = /new/two ]
    jq '.process.cwd = "/dev/shm/three"' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
    run_container "$id" "$bundle"
    [ "${lines[0]}" = /dev/shm/three ]
    # A link of the image leads somewhere inside, whatever it says.
    mkdir "$BATS_TEST_TMPDIR/host"
    ln -s "$BATS_TEST_TMPDIR/host" "$rootfs/link"
    ln -s ../../../../.. "$rootfs/up"
    jq '.root.readonly = false | .process.cwd = "/link/four"' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    [ -d "$rootfs$BATS_TEST_TMPDIR/host/four" ]
    [ -z "$(ls "$BATS_TEST_TMPDIR/host")" ]
    jq '.process.cwd = "/up/tmp/mrun-five"' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
    run_container "$id" "$bundle"
    [ -d "$rootfs/tmp/mrun-five" ]
    [ ! -e /tmp/mrun-five ]
    # No folder, and no place for one.
    touch "$rootfs/file"
    for cwd in /file /file/below /proc/nothing; do
        jq --arg cwd "$cwd" '.process.cwd = $cwd' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
        refused "chdir to cwd (\"$cwd\") set in config.json" mrun create --bundle "$bundle" "$id"
    done
    # exec makes none.
    jq '.process.cwd = "/" | .process.args = ["sleep", "1000"]' "$bundle/config.json" >"$bundle/next" && mv "$bundle/next" "$bundle/config.json"
    detach_container "$id" "$bundle"
    refused 'no such file or directory' mrun exec --cwd /new/six "$id" true
}

@test "capabilities that a client does not mean are left out, and told under --debug only" {
    # As buildah writes it.
    local show='grep -E "^Cap(Amb|Prm)" /proc/self/status | tr -s "\t\n" "  "'
    run_script "$show" '.process.capabilities.ambient = ["CAP_KILL", "CAP_NET_RAW"]'
    [ "$status" -eq 0 ]
    [ "$output" = 'CapPrm: 0000000020000420 CapAmb: 0000000000000000 ' ]
    run_script "$show" '.process.capabilities |= . + {inheritable: ["CAP_KILL"], ambient: ["CAP_KILL", "CAP_NET_BIND_SERVICE"]} | .process.user.uid = 5'
    [ "$output" = 'CapPrm: 0000000000000020 CapAmb: 0000000000000020 ' ]
    new_id
    make_bundle "$id" '.process.args = ["true"] | .process.capabilities.ambient = ["CAP_KILL"]'
    run mrun --log "$bundle/log" --log-format json run --bundle "$bundle" "$id" </dev/null
    [ -z "$output" ]
    [ ! -s "$bundle/log" ]
    run mrun --debug --log "$bundle/log" --log-format json run --bundle "$bundle" "$id" </dev/null
    [ -z "$output" ]
    jq -es 'any(.[]; .msg | contains("can'"'"'t raise ambient capability \"CAP_KILL\""))' "$bundle/log" >/dev/null
    # A name that no kernel knows is still a mistake.
    invalid '/process/capabilities/ambient/0' '.process.capabilities.ambient = ["CAP_NOSUCH"]'
}

@test "Intel RDT is refused by name" {
    invalid '/linux/intelRdt' '.linux.intelRdt = {closID: "web", l3CacheSchema: "L3:0=f"}'
}
