# Containers as scope units of systemd: made over D-Bus, limited, changed, stopped, and forgotten.
#
# Runs with cgroup2 alone, and where VM_CGROUPS says so with v1's controllers.

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

# bundle ID ARGS RESOURCES [CGROUPSPATH [ANNOTATIONS]]: a busybox bundle; ARGS, RESOURCES and ANNOTATIONS are JSON.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev" "$WORK/$1/rootfs/tmp"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat echo sleep mknod head true dd; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
    bundle_path='"cgroupsPath": "'${4-system.slice:box:$1}'",'
    [ "${4-x}" ] || bundle_path=
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
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}
    ],
    "annotations": ${5:-{\}},
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        $bundle_path
        "resources": $3
    }
}
END
}

# create_bundle / start_bundle ID ARGS RESOURCES...: made and created, and started; the output goes to $WORK/ID/out.
create_bundle() {
    bundle "$@"
    created "$1"
}
created() { # ID
    mrun --systemd-cgroup create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
}
start_bundle() { create_bundle "$@" && mrun start "$1"; }
says() { # TEXT COMMAND...: it fails, with that text.
    says_text=$1
    shift
    ! says_output=$("$@" 2>&1) || { echo "it succeeded" && return 1; }
    contains "$says_output" "$says_text"
}

# unit ID PROPERTY: what systemd has for it.
unit() { systemctl show --value -p "$2" "box-$1.scope"; }
unit_is() { equal "$(unit "$1" "$2")" "$3"; } # ID PROPERTY VALUE
# Nothing of the unit is left: neither running nor failed, with systemd or in cgroupfs.
forgotten() { # UNIT
    equal "$(systemctl list-units --all --plain --no-legend "$1")" "" &&
        equal "$(find "$CGROUP" -type d -name "$1")" ""
}
remove() { mrun delete --force "$1"; }

case ${VM_CGROUPS:-unified} in
unified)
    legacy=
    scope() { echo "system.slice/box-$1.scope"; }
    memory=memory.max pids=pids.max
    ;;
*)
    legacy=1
    scope() { echo "memory/system.slice/box-$1.scope"; }
    memory=memory.limit_in_bytes pids=pids.max
    ;;
esac
limit_is() { # ID FILE VALUE
    limit_folder=$(scope "$1")
    case $legacy$2 in 1pids.*) limit_folder=pids/${limit_folder#*/} ;; 1devices.*) limit_folder=devices/${limit_folder#*/} ;; esac
    equal "$(value "$limit_folder/$2")" "$3"
}

LIMITS='{"memory": {"limit": 67108864}, "pids": {"limit": 32}, "cpu": {"quota": 50000, "period": 100000, "shares": 512}}'

# --- a scope, from create to delete ---
check "a container is created as a scope" create_bundle limits '["sleep", "4700"]' "$LIMITS"
check "systemd has it running" unit_is limits ActiveState active
check "it is in its slice" unit_is limits Slice system.slice
check "and delegated" unit_is limits Delegate yes
check "the slice tells its cgroup" unit_is limits ControlGroup /system.slice/box-limits.scope
check "its state is created" status_is limits created
check "mrun-init is in it" eventually 5 runs_in "$(scope limits)" mrun-init limits
check "it starts" mrun start limits
check "and is in the scope still" runs_in "$(scope limits)" sleep 4700
check "the memory limit is in its file" limit_is limits $memory 67108864
check "the pids limit is in its file" limit_is limits $pids 32
check "systemd knows the pids limit" unit_is limits TasksMax 32
check "systemd knows the CPU quota" unit_is limits CPUQuotaPerSecUSec 500ms
if [ -n "$legacy" ]; then
    check "systemd knows the memory limit" unit_is limits MemoryLimit 67108864
    check "systemd knows the shares" unit_is limits CPUShares 512
    check "the container has cgroups of hierarchies that systemd leaves alone, too" \
        runs_in freezer/system.slice/box-limits.scope sleep 4700
else
    check "systemd knows the memory limit" unit_is limits MemoryMax 67108864
    check "systemd knows the weight" unit_is limits CPUWeight 59
fi
mrun exec limits sleep 4701 >/dev/null 2>&1 </dev/null &
check "an exec'ed process is in the scope" eventually 10 runs_in "$(scope limits)" sleep 4701
check "ps lists both" equal "$(mrun ps -f json limits | tr ',' '\n' | grep -c .)" 2
check "stats tell its memory" json_has "$(mrun stats limits)" memory:
check "pause succeeds" mrun pause limits
check "its state is paused" status_is limits paused
check "resume succeeds" mrun resume limits
check "its state is running" status_is limits running
if mrun help update >/dev/null 2>&1; then
    check "update succeeds" sh -c "echo '{\"memory\": {\"limit\": 50331648}, \"pids\": {\"limit\": 20}}' |
        $MRUN --root $STATE update --resources - limits"
    check "the new limit is in its file" limit_is limits $memory 50331648
    check "systemd knows the new limit" unit_is limits TasksMax 20
else
    skip "update tells systemd of new limits" "this binary has no update"
fi
check "KILL ends it" mrun kill limits KILL
check "its state becomes stopped" eventually 10 status_is limits stopped
check "delete succeeds" mrun delete limits
check "nothing is left of the unit" forgotten box-limits.scope

# --- names ---
check "a slice with dashes is in its slices" start_bundle nested '["sleep", "4702"]' '{}' 'kube-pods-burst.slice:cri:nested'
check "as systemd has it" equal "$(systemctl show --value -p ControlGroup cri-nested.scope)" \
    /kube.slice/kube-pods.slice/kube-pods-burst.slice/cri-nested.scope
quietly remove nested
check "and is forgotten" forgotten cri-nested.scope
bundle default '["true"]' '{}' ''
check "without a path it is called after mrun" sh -c "$MRUN --root $STATE --cgroup-manager systemd create --bundle $WORK/default default </dev/null >/dev/null &&
    systemctl is-active mrun-default.scope"
quietly remove default
bundle odd '["true"]' '{}' /box/odd
check "a path that is none of systemd's is refused" says 'slice:prefix:name' created odd
bundle odd '["true"]' '{}' 'a--b.slice:box:odd'
check "so is a slice that systemd does not know" says 'no name of a slice' created odd
bundle odd '["true"]' '{}' 'a.slice:box:o+d'
check "and a name that needs escapes" says 'no name of a unit' created odd
bundle odd '["true"]' '{}' 'a.slice:box:o\\x2bd'
check "which it may have" created odd
quietly remove odd
check "that is forgotten too" equal "$(systemctl list-units --all --plain --no-legend 'box-o*')" ""

# --- what systemd does of its own accord ---
NULL_ONLY='{"devices": [
    {"allow": false, "access": "rwm"},
    {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rwm"},
    {"allow": true, "type": "c", "major": 10, "access": "r"}], "memory": {"limit": 67108864}UNIFIED}'
if [ -n "$legacy" ]; then
    NULL_ONLY=${NULL_ONLY%UNIFIED\}}\}
else
    NULL_ONLY=${NULL_ONLY%UNIFIED\}}', "unified": {"memory.high": "60000000", "cpu.max.burst": "20000", "cpu.max": "50000 100000"}}'
fi
in_container() { mrun exec "$1" sh -c "$2" 2>&1; } # ID SCRIPT
quietly start_bundle devices '["sleep", "4703"]' "$NULL_ONLY" system.slice:box:devices \
    '{"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.CollectMode": "'\''inactive-or-failed'\''"}'
check "a property by annotation reaches the unit, seconds as microseconds" unit_is devices TimeoutStopUSec 7s
check "and one that is a text" unit_is devices CollectMode inactive-or-failed
check "systemd knows the device rules" unit_is devices DevicePolicy strict
rules_hold() {
    in_container devices 'echo x >/dev/null && mknod /tmp/kmsg c 1 11; mknod /tmp/disk b 7 0; true' &&
        says "not permitted" in_container devices 'head -c 1 /tmp/disk' &&
        says "not permitted" in_container devices 'echo x >/tmp/kmsg'
}
check "the device rules hold" rules_hold
check "systemd reloads" systemctl daemon-reload
check "systemd changes a limit of the unit" systemctl set-property --runtime box-devices.scope CPUWeight=77 TasksMax=55
check "which counts" limit_is devices pids.max 55
check "the device rules hold on" rules_hold
check "systemd starts anew" systemctl daemon-reexec
check "and has the unit" unit_is devices ActiveState active
quietly systemctl set-property --runtime box-devices.scope TasksMax=56
check "the device rules hold on after that" rules_hold
check "the memory limit is as it was" limit_is devices $memory 67108864
if [ -z "$legacy" ]; then
    check "so is what only a raw value said" limit_is devices memory.high 59998208
    check "and what systemd has no word for" limit_is devices cpu.max.burst 20000
fi
quietly remove devices
check "delete --force leaves nothing" forgotten box-devices.scope

# --- units that are left, failed, or another's ---
systemd-run --scope --unit=box-failed.scope -p RuntimeMaxSec=1 sleep 60 >/dev/null 2>&1
check "there is a failed unit" eventually 10 sh -c 'systemctl is-failed box-failed.scope'
check "a container can have its name" start_bundle failed '["sh", "-c", "head -c 100m /dev/zero | sleep 100"]' '{}'
check "KILL ends that" mrun kill failed KILL
check "it is deleted" eventually 10 mrun delete failed
check "and forgotten" forgotten box-failed.scope
systemd-run --scope --unit=box-foreign.scope sleep 4704 >/dev/null 2>&1 &
eventually 10 runs_in "$(scope foreign | sed 's/^memory/systemd/')" /bin/sleep 4704
bundle foreign '["sleep", "4705"]' '{}'
check "a unit that runs is not taken over" says 'already' created foreign
check "nothing is left of the attempt" says 'does not exist' mrun state foreign
check "the other unit runs on" unit_is foreign ActiveState active
systemctl stop box-foreign.scope
wait
bundle oom '["sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1"]' '{"memory": {"limit": 16777216, "swap": 16777216}}'
check "a container that is too large is killed" sh -c "! $MRUN --root $STATE --systemd-cgroup run --bundle $WORK/oom oom </dev/null"
check "and its unit, failed by now, forgotten" forgotten box-oom.scope
bundle quick '["true"]' '{}'
check "run makes and forgets a scope" mrun --systemd-cgroup run --bundle "$WORK/quick" quick
check "of which nothing is left" forgotten box-quick.scope

# --- KILL at any moment ---
killed() {
    for killed_delay in 0.02 0.05 0.08 0.11 0.14 0.17 0.2 0.25 0.3 0.4 0.5; do
        "$MRUN" --root "$STATE" --systemd-cgroup create --bundle "$WORK/quick" quick >/dev/null 2>&1 </dev/null &
        killed_pid=$!
        sleep "$killed_delay"
        kill -KILL "$killed_pid"
        wait "$killed_pid"
        mrun delete --force quick || return 1
        # What systemd had been told in the last moment, it may just be doing.
        eventually 5 forgotten box-quick.scope || return 1
        gone "$STATE/quick" || return 1
    done
}
check "whenever create is killed, delete --force leaves nothing" killed

# --- ways to systemd ---
hidden() { # SOCKET... -- COMMAND...: runs it where nothing answers there
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'while [ "$1" != -- ]; do : >"/tmp/hidden"; mount --bind /tmp/hidden "$1"; shift; done; shift; exec "$@"' sh "$@"
}
quietly systemctl start dbus.service
bundle bus '["sleep", "4706"]' '{}'
check "the system's bus is as good as the private socket" \
    hidden /run/systemd/private -- "$MRUN" --root "$STATE" --systemd-cgroup create --bundle "$WORK/bus" bus
check "there is a scope" unit_is bus ActiveState active
check "it is removed that way" hidden /run/systemd/private -- "$MRUN" --root "$STATE" delete --force bus
check "and forgotten" forgotten box-bus.scope
check "without systemd create says what is missing" says 'nobody answers at "/run/systemd/private"' \
    hidden /run/systemd/private /run/dbus/system_bus_socket -- \
    "$MRUN" --root "$STATE" --systemd-cgroup create --bundle "$WORK/bus" bus
check "and leaves nothing" gone "$STATE/bus"
quietly created bus
check "without systemd delete says what is missing" says 'cannot talk to systemd' \
    hidden /run/systemd/private /run/dbus/system_bus_socket -- "$MRUN" --root "$STATE" delete --force bus
check "the container has ended all the same" equal "$(processes_in "$(scope bus)")" ""
check "and can be deleted when systemd is back" mrun delete --force bus
check "to be forgotten" forgotten box-bus.scope

# --- no cgroups at all ---
bundle none '["sleep", "4707"]' '{}'
check "a container can be without cgroups" sh -c "$MRUN --root $STATE --cgroup-manager disabled run -d --bundle $WORK/none none </dev/null >/dev/null"
check "it is where its maker is" contains "$(cat "/proc/$(mrun ps -f json none | tr -d '[]')/cgroup")" mrun-tests.service
check "no unit is there for it" forgotten box-none.scope
quietly remove none

# --- a Mesos task ---
mkdir -p "$WORK/seed/sandbox"
check "the seed's task is translated for systemd" mrun --systemd-cgroup translate --isolation cgroups/cpu,cgroups/mem,namespaces/pid \
    --container-id seed --sandbox "$WORK/seed/sandbox" --bundle "$WORK/seed" "$VM_DIR/bundles/seed-task/task-1.json"
check "and created" created seed
check "in the slice of Mesos' executors" equal "$(systemctl show --value -p ControlGroup mesos-seed.scope)" \
    /mesos_executors.slice/mesos-seed.scope
if [ -z "$legacy" ]; then
    check "systemd knows that cpus 0.5 become a weight of 60" equal "$(systemctl show --value -p CPUWeight mesos-seed.scope)" 60
    check "and mem 100 becomes 132 MiB" equal "$(systemctl show --value -p MemoryMax mesos-seed.scope)" 138412032
fi
check "it starts" mrun start seed
check "it prints what its command says" eventually 10 grep -q "command running" "$WORK/seed/out"
check "TERM ends it" mrun kill seed TERM
check "the record tells the signal" json_has "$(mrun wait seed)" signal:15
check "it is deleted" mrun delete seed
check "and its unit forgotten" forgotten mesos-seed.scope

check "no state is left of all this" equal "$(ls -A "$STATE")" ""
check "no unit has failed" equal "$(systemctl list-units --failed --plain --no-legend)" ""
done_testing
