# All limits on cgroup v2, what `update` makes of them, statistics, events, and cgroups that a container makes itself.

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

# bundle ID ARGS RESOURCES [MOUNTS]: a busybox bundle; the others are JSON. Its cgroup can be written by it.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev" "$WORK/$1/rootfs/tmp" "$WORK/$1/rootfs/sys/fs/cgroup"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat echo sleep mkdir true dd mknod head touch; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
    cat >"$WORK/$1/config.json" <<END
{
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": $2, "env": ["PATH=/bin"], "noNewPrivileges": true,
        "capabilities": {"bounding": ["CAP_MKNOD"], "effective": ["CAP_MKNOD"], "permitted": ["CAP_MKNOD"]}
    },
    "root": {"path": "rootfs"},
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}
    ],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "mount"}, {"type": "cgroup"}],
        "cgroupsPath": "/mrun/$1",
        "resources": $3
    }
}
END
}

start_bundle() { # ID ARGS RESOURCES
    bundle "$@"
    mrun create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
    mrun start "$1"
}
remove() { mrun delete --force "$1"; }
in_container() { mrun exec "$1" sh -c "$2" 2>&1; } # ID SCRIPT

# is FILE VALUE: of the container `all`.
is() { equal "$(value "mrun/all/$1")" "$2"; }

# update_with JSON ID
update_with() { echo "$1" >"$WORK/update.json" && mrun update --resources="$WORK/update.json" "$2"; }

# refused_at POINTER COMMAND...: fails, and names the place, in words that do not stand for a missing program.
refused_at() {
    refused_words=$1
    shift
    refused_text=$("$@" 2>&1) && return 1
    contains "$refused_text" "$refused_words" || return 1
    case $refused_text in *"No such file"*) echo "$refused_text" && return 1 ;; esac
}
create_with() { # RESOURCES
    bundle bad '["true"]' "$1"
    mrun create --bundle "$WORK/bad" bad
}

# --- a disk to limit: a loop device, or none ---
disk=
for file in /sys/block/*/dev; do
    [ ! -e "$file" ] || { disk=$(cat "$file") && break; }
done

# --- limits ---
quietly start_bundle all '["sleep", "4800"]' '{
    "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "burst": 1000, "cpus": "0", "mems": "0"},
    "memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432, "kernel": 1048576, "useHierarchy": true},
    "pids": {"limit": -1}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}], "network": {}, "rdma": {}}'
check "quota, period and burst are there" equal "$(value mrun/all/cpu.max) $(value mrun/all/cpu.max.burst)" "50000 100000 1000"
check "the CPUs are there" is cpuset.cpus 0
check "the memory nodes are there" is cpuset.mems 0
check "memory is there" is memory.max 67108864
check "swap is what is left of memory with swap" is memory.swap.max 33554432
check "an unlimited number of tasks is max" is pids.max max
if [ -e $CGROUP/mrun/all/hugetlb.2MB.max ]; then
    check "huge pages are limited" is hugetlb.2MB.max 4194304
    check "and those set aside" is hugetlb.2MB.rsvd.max 4194304
    check "and told of" json_has "$(mrun stats all)" 'hugetlb:{"'
else
    skip "huge pages are limited" "this kernel does not"
fi

# --- update ---
check "update changes quota alone" mrun update --cpu-quota 20000 all
check "and keeps the period" is cpu.max "20000 100000"
check "update changes the period alone" mrun update --cpu-period 50000 all
check "and keeps the quota" is cpu.max "20000 50000"
check "update changes the weight" mrun update --cpu-share 2048 all
check "which is converted" is cpu.weight 174
check "update makes it idle" mrun update --cpu-idle 1 all
check "which the kernel knows" is cpu.idle 1
check "update takes that back" mrun update --cpu-idle 0 --cpu-share 1024 all
check "with the weight" is cpu.weight 100
check "update changes the CPUs" mrun update --cpuset-cpus 0-1 all
check "and they are there" is cpuset.cpus 0-1
check "update raises memory and swap together" mrun update --memory 128m --memory-swap 256m all
check "memory is raised" is memory.max 134217728
check "swap too" is memory.swap.max 134217728
check "update changes memory alone" mrun update --memory 192m all
check "memory with swap stays: there is less swap now" is memory.swap.max 67108864
check "update takes the limit of memory away" mrun update --memory -1 all
check "memory is unlimited" is memory.max max
check "and so is swap" is memory.swap.max max
check "update limits the tasks" mrun update --pids-limit 30 all
check "to that" is pids.max 30
check "a document changes what it gives" update_with '{"memory": {"limit": 83886080, "swap": 83886080}, "unified": {"memory.high": "81920000"}}' all
check "memory by it" is memory.max 83886080
check "no swap by it" is memory.swap.max 0
check "a raw file by it" is memory.high 81920000
check "and leaves the rest" is pids.max 30
quietly update_with '{"unified": {"pids.max": "40"}}' all
check "a raw file wins over what was converted before" is pids.max 40
quietly mrun update --pids-limit 50 all
check "and a later update over that" is pids.max 50
quietly mrun update --cpu-share 1024 all
check "also after others" is pids.max 50

if [ -n "$disk" ]; then
    numbers="\"major\": ${disk%:*}, \"minor\": ${disk#*:}"
    check "rates of a disk are written" update_with "{\"blockIO\": {\"throttleReadBpsDevice\": [{$numbers, \"rate\": 1048576}],
        \"throttleWriteIOPSDevice\": [{$numbers, \"rate\": 100}]}}" all
    check "and are there" is io.max "$disk rbps=1048576 wbps=max riops=max wiops=100"
    check "0 takes a rate away" update_with "{\"blockIO\": {\"throttleReadBpsDevice\": [{$numbers, \"rate\": 0}]}}" all
    check "and leaves the other" is io.max "$disk rbps=max wbps=max riops=max wiops=100"
    check "a rate that is refused" refused_at /linux/resources/ update_with "{\"blockIO\": {\"throttleWriteIOPSDevice\": [{$numbers, \"rate\": 7}]},
        \"unified\": {\"memory.max\": \"much\"}}" all
    check "is put back" is io.max "$disk rbps=max wbps=max riops=max wiops=100"
else
    skip "rates of a disk are written" "there is no disk"
fi
if [ -e $CGROUP/mrun/all/io.weight ]; then
    check "a weight for disks is written" mrun update --blkio-weight 500 all
    check "and converted" is io.weight "default 4950"
elif [ -e $CGROUP/mrun/all/io.bfq.weight ]; then
    check "a weight for disks is written" mrun update --blkio-weight 500 all
    check "as it is" contains "$(value mrun/all/io.bfq.weight)" 500
else
    check "a weight that no scheduler has is refused by its place" refused_at /linux/resources/blockIO/weight mrun update --blkio-weight 500 all
fi

limits() { for name in cpu.max cpu.weight cpu.idle cpuset.cpus memory.max memory.swap.max memory.low pids.max; do value "mrun/all/$name"; done; }
limits >"$WORK/before"
check "what cannot be changed is refused by its place" refused_at /linux/resources/unified/pids.max update_with '{"cpu": {"shares": 2, "quota": 9999,
    "cpus": "1"}, "memory": {"limit": 90000000, "swap": 95000000, "reservation": 4096}, "unified": {"pids.max": "many"}}' all
limits >"$WORK/after"
check "and leaves all as it was" cmp "$WORK/before" "$WORK/after"
check "the container runs on" status_is all running
quietly mrun pause all
check "a paused one can be changed" mrun update --pids-limit 60 all
check "and stays paused" status_is all paused
quietly mrun resume all
check "the next exec runs under all this" in_container all 'echo x'

# --- what v2 does not have ---
check "swappiness is refused" refused_at /linux/resources/memory/swappiness create_with '{"memory": {"swappiness": 3}}'
check "no OOM killer is refused" refused_at /linux/resources/memory/disableOOMKiller create_with '{"memory": {"disableOOMKiller": true}}'
check "no hierarchy is refused" refused_at /linux/resources/memory/useHierarchy create_with '{"memory": {"useHierarchy": false}}'
check "a leaf weight is refused" refused_at /linux/resources/blockIO/leafWeight create_with '{"blockIO": {"leafWeight": 30}}'
check "network classes are refused" refused_at /linux/resources/network/classID create_with '{"network": {"classID": 1}}'
check "real time is refused" refused_at /linux/resources/cpu create_with '{"cpu": {"realtimeRuntime": 1}}'
check "a size of pages that there is not is refused" refused_at /linux/resources/hugepageLimits create_with '{"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}'
check "a raw file that there is not is refused" refused_at /linux/resources/unified/memory.nosuch create_with '{"unified": {"memory.nosuch": "0"}}'
check "a raw file of no controller is refused" refused_at /linux/resources/unified/nosuch.max create_with '{"unified": {"nosuch.max": "0"}}'
check "a disk that there is not is refused" refused_at /linux/resources/blockIO \
    create_with '{"blockIO": {"throttleReadBpsDevice": [{"major": 4000, "minor": 0, "rate": 1}]}}'
check "nothing is left of them" gone $CGROUP/mrun/bad

# --- statistics and events ---
check "statistics are in runc's form" json_has "$(mrun events --stats all)" 'type:"stats"' 'id:"all"' network_interfaces:null 'intel_rdt:{}' \
    'cpuset:{"cpus":[0,1]' cpu: memory: pids: hugetlb:
if [ -e $CGROUP/mrun/all/cpu.pressure ]; then
    check "with the pressure" json_has "$(mrun stats all)" 'psi:{"some":{"avg10":'
fi
quietly remove all

quietly start_bundle oom '["sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 4801"]' \
    '{"memory": {"limit": 33554432, "swap": 33554432}}'
mrun events --interval 1h oom >"$WORK/events" 2>&1 </dev/null &
listener=$!
check "events begin with statistics" eventually 10 grep -q '"type":"stats"' "$WORK/events"
quietly mrun exec oom touch /tmp/go
check "want of memory is told at once" eventually 20 grep -q '"type":"oom"' "$WORK/events"
quietly mrun kill oom KILL
# A process that nobody has waited for yet has no arguments any more.
ended() { [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline")" ]; }
check "events end with the container" eventually 10 ended $listener
quietly remove oom

# --- devices ---
RULES='{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "w"}]}'
quietly start_bundle devices '["sleep", "4802"]' '{"devices": [{"allow": false, "access": "rwm"}]}'
quietly in_container devices 'mknod /tmp/kmsg c 1 11'
check "a deny-all without a type denies" contains "$(in_container devices 'echo mrun-test >/tmp/kmsg')" "peration not permitted"
check "update replaces the rules" update_with "$RULES" devices
check "and the new ones hold" in_container devices 'echo mrun-test >/tmp/kmsg'
check "the same again is no change" update_with "$RULES" devices
check "update of something else leaves them" mrun update --pids-limit 20 devices
check "really" in_container devices 'echo mrun-test >/tmp/kmsg'
check "and back" update_with '{"devices": [{"allow": false, "access": "rwm"}]}' devices
check "which denies again" contains "$(in_container devices 'echo mrun-test >/tmp/kmsg')" "peration not permitted"
quietly remove devices

# --- a container that is the master of its own cgroup ---
own='cd /sys/fs/cgroup && mkdir init work && echo 1 >init/cgroup.procs && echo +pids +memory >cgroup.subtree_control'
quietly start_bundle master "[\"sh\", \"-c\", \"$own && echo 10 >work/pids.max; sleep 4803\"]" '{"pids": {"limit": 50}}'
check "a container can pass controllers on to cgroups of its own" eventually 10 test -e $CGROUP/mrun/master/work/pids.max
check "exec still works there" contains "$(in_container master 'cat /proc/self/cgroup')" 0::/init
check "ps sees the processes there" contains "$(mrun ps -f json master)" "["
check "pause reaches them" mrun pause master
check "they are frozen" contains "$(value mrun/master/init/cgroup.events)" "frozen 1"
check "resume too" mrun resume master
check "its limits can be changed" mrun update --pids-limit 40 master
check "and are" equal "$(value mrun/master/pids.max)" 40
echo 1 >$CGROUP/mrun/master/init/cgroup.freeze
check "delete thaws and removes all of it" remove master
check "nothing is left" gone $CGROUP/mrun/master
refuse "nor any process" pgrep -f 'sleep 4803'

check "nothing is left of all this" equal "$(find $CGROUP/mrun -mindepth 1 -type d 2>/dev/null)" ""
done_testing
