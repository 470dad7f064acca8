# Plain OCI bundles on cgroup v2: limits, freezer, devices, exec. Any OCI runtime can be put to this file.

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

# bundle ID ARGS RESOURCES: a busybox bundle; ARGS and RESOURCES are JSON.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev" "$WORK/$1/rootfs/tmp"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat echo sleep mknod head true dd; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
    cat >"$WORK/$1/config.json" <<END
{
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": $2, "env": ["PATH=/bin"], "noNewPrivileges": true,
        "capabilities": {
            "bounding": ["CAP_MKNOD", "CAP_KILL"], "effective": ["CAP_MKNOD", "CAP_KILL"],
            "permitted": ["CAP_MKNOD", "CAP_KILL"]
        }
    },
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}
    ],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        "cgroupsPath": "/mrun/$1",
        "resources": $3
    }
}
END
}

# start_bundle ID ARGS RESOURCES: made, created and started; its output goes to $WORK/ID/out.
start_bundle() {
    bundle "$@"
    mrun create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
    mrun start "$1"
}
run_bundle() { mrun run --bundle "$WORK/$1" "$1"; }
remove() { mrun delete --force "$1"; }

exits_with() { # STATUS COMMAND...
    exits_wanted=$1
    shift
    "$@"
    equal "$?" "$exits_wanted"
}

# --- exit status ---
bundle exit0 '["true"]' '{}'
check "run returns 0 when the program exits 0" exits_with 0 run_bundle exit0
bundle exit7 '["sh", "-c", "exit 7"]' '{}'
check "run returns the program's exit status" exits_with 7 run_bundle exit7
check "run leaves no cgroup behind" gone $CGROUP/mrun/exit7

# --- limits ---
quietly start_bundle limits '["sleep", "4700"]' \
    '{"memory": {"limit": 67108864, "reservation": 33554432}, "pids": {"limit": 32}, "cpu": {"quota": 50000, "period": 100000},
      "unified": {"memory.high": "60000000"}}'
check "the memory limit is in memory.max" equal "$(value mrun/limits/memory.max)" 67108864
check "the memory reservation is in memory.low" equal "$(value mrun/limits/memory.low)" 33554432
check "the pids limit is in pids.max" equal "$(value mrun/limits/pids.max)" 32
check "quota and period are in cpu.max" equal "$(value mrun/limits/cpu.max)" "50000 100000"
check "a unified value is written as it stands" equal "$(value mrun/limits/memory.high)" 59998208
check "the program is in the cgroup" runs_in mrun/limits sleep 4700

case $("$MRUN" --version) in
crun*) skip "stats tell its memory and its processes" "crun has no stats" ;;
*) check "stats tell its memory and its processes" json_has "$(mrun stats limits)" memory: pids: ;;
esac

# --- exec ---
mrun exec limits sleep 4701 >/dev/null 2>&1 </dev/null &
check "an exec'ed process is in the container's cgroup" eventually 10 runs_in mrun/limits sleep 4701
check "exec returns the command's exit status" exits_with 3 mrun exec limits sh -c 'exit 3'

# --- pause and resume ---
check "pause succeeds" mrun pause limits
check "pause freezes the cgroup" equal "$(value mrun/limits/cgroup.freeze)" 1
check "the kernel says frozen when pause returns" contains "$(value mrun/limits/cgroup.events)" "frozen 1"
check "the state is paused" status_is limits paused
check "resume succeeds" mrun resume limits
check "resume thaws the cgroup" equal "$(value mrun/limits/cgroup.freeze)" 0
check "the kernel says thawed when resume returns" contains "$(value mrun/limits/cgroup.events)" "frozen 0"
check "the state is running again" status_is limits running

# --- kill and delete ---
quietly mrun pause limits
check "KILL ends a paused container" mrun kill limits KILL
check "its state becomes stopped" eventually 10 status_is limits stopped
check "delete succeeds" mrun delete limits
check "delete removes the cgroup" gone $CGROUP/mrun/limits
refuse "a deleted container has no state" mrun state limits

# --- devices: the eBPF program is all that stands between CAP_MKNOD and a disk ---
NULL_ONLY='{"devices": [
    {"allow": false, "access": "rwm"},
    {"allow": true, "type": "c", "access": "m"}, {"allow": true, "type": "b", "access": "m"},
    {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]}'
AND_KMSG='{"devices": [
    {"allow": false, "access": "rwm"},
    {"allow": true, "type": "c", "access": "m"}, {"allow": true, "type": "b", "access": "m"},
    {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw"}]}'
in_container() { mrun exec "$1" sh -c "$2" 2>&1; } # ID SCRIPT
quietly start_bundle devices '["sleep", "4702"]' "$NULL_ONLY"
check "/dev/null can be written" in_container devices 'echo x >/dev/null'
check "/dev/null can be read" in_container devices 'cat /dev/null'
check "a device node can be made where mknod is allowed" in_container devices 'mknod /tmp/disk b 7 0 && mknod /tmp/kmsg c 1 11'
check "a block device cannot be opened" \
    contains "$(in_container devices 'head -c 1 /tmp/disk')" "Operation not permitted"
check "a character device cannot be read" \
    contains "$(in_container devices 'head -c 1 /tmp/kmsg')" "Operation not permitted"
check "a character device cannot be written" \
    contains "$(in_container devices 'echo x >/tmp/kmsg')" "peration not permitted"
quietly start_bundle kmsg '["sleep", "4703"]' "$AND_KMSG"
quietly in_container kmsg 'mknod /tmp/kmsg c 1 11 && mknod /tmp/disk b 7 0'
check "the same device opens where a rule allows it" in_container kmsg 'echo mrun-test >/tmp/kmsg'
check "and the other one does not" contains "$(in_container kmsg 'head -c 1 /tmp/disk')" "Operation not permitted"
bundle init '["sh", "-c", "mknod /tmp/disk b 7 0; head -c 1 /tmp/disk"]' "$NULL_ONLY"
check "the rules hold for the first process too" contains "$(run_bundle init 2>&1)" "Operation not permitted"
quietly remove devices
quietly remove kmsg

# --- sub-cgroups ---
quietly start_bundle nested '["sleep", "4704"]' '{}'
mkdir $CGROUP/mrun/nested/inner
sleep 4705 &
foreign=$!
echo $foreign >$CGROUP/mrun/nested/inner/cgroup.procs
check "delete --force empties and removes cgroups made below the container's" remove nested
check "none of them is left" gone $CGROUP/mrun/nested
refuse "nothing that ran in them is left" kill -0 $foreign

check "nothing is left of all this" equal "$(find $CGROUP/mrun -mindepth 1 -type d 2>/dev/null)" ""
done_testing
