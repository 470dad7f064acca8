# Checkpoint and restore with the real criu, on cgroup v2. Only where the machine was given criu, tar, gzip, and these
# modules of its kernel, in this order (they are in the package of the kernel):
#
#   EXTRA="/usr/sbin/criu /bin/tar /bin/gzip PATH/crc32c_generic.ko ..." Tests/VM/run criu.sh
MODULES='crc32c_generic.ko nfnetlink.ko libcrc32c.ko nf_tables.ko veth.ko tun.ko unix_diag.ko inet_diag.ko tcp_diag.ko udp_diag.ko raw_diag.ko af_packet_diag.ko netlink_diag.ko'

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

if ! command -v criu >/dev/null; then
    skip "a container goes on after checkpoint and restore" "no criu in this machine"
    done_testing
fi
for module in $MODULES; do insmod "/bin/$module" 2>/dev/null || :; done

COUNT='n=0; while :; do n=$((n + 1)); echo $n >/tmp/new; mv /tmp/new /tmp/n; sleep 0.1; done'

# bundle ID SCRIPT [MORE]: a busybox bundle with what needs care: masked files, a bind mount, a tmpfs, limits. MORE:
# members of the config.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev" "$WORK/$1/rootfs/tmp"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat echo sleep mv; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
    cat >"$WORK/$1/config.json" <<END
{
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["sh", "-c", "$2"], "env": ["PATH=/bin"], "noNewPrivileges": true,
        "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
    },
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        {"destination": "/etc", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]}
    ],
    ${3:-}
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        "maskedPaths": ["/proc/timer_list", "/proc/scsi"], "readonlyPaths": ["/proc/sys"],
        "cgroupsPath": "/mrun/$1", "resources": {"memory": {"limit": 104857600}},
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
    }
}
END
}

# begin ID: runs it, with all that it says going nowhere.
begin() { mrun run --detach --bundle "$WORK/$1" "$1" >/dev/null 2>&1 </dev/null; }
inside() { mrun exec "$@" 2>/dev/null; }
# counts ID: the container writes greater and greater numbers.
counts() {
    lib_first=$(inside "$1" cat /tmp/n) && eventually 10 beyond "$1" "$lib_first"
}
beyond() { [ "$(inside "$1" cat /tmp/n)" -gt "$2" ]; } # ID NUMBER
restore() { # ID IMAGE [OPTION...]
    lib_id=$1 lib_image=$2
    shift 2
    mrun restore --bundle "$WORK/$lib_id" --image-path "$lib_image" "$@" "$lib_id"
}
detached() { restore "$@" --detach >"$WORK/restored" 2>&1 </dev/null || { cat "$WORK/restored" && return 1; }; }

# --- there and back ---
bundle one "exec </dev/null >/dev/null 2>&1; $COUNT"
quietly begin one
check "a container counts" eventually 20 counts one
check "checkpoint writes it down" mrun checkpoint --image-path "$WORK/image" one
check "and removes it, with its cgroup" gone "$CGROUP/mrun/one"
refuse "it has no state any more" mrun state one
check "restore makes it again" detached one "$WORK/image" --pid-file "$WORK/pid"
check "it runs" status_is one running
check "the pid file tells its pid" json_has "$(mrun state one)" "pid:$(cat "$WORK/pid")"
check "it goes on counting" counts one
check "from where it was" beyond one 5
check "it is in its cgroup" contains "$(cat "/proc/$(cat "$WORK/pid")/cgroup")" /mrun/one
check "which has its limit" equal "$(value mrun/one/memory.max)" 104857600
check "it is filtered as before" contains "$(cat "/proc/$(cat "$WORK/pid")/status")" "$(printf 'Seccomp:\t2')"
check "what is masked stays masked" equal "$(inside one cat /proc/timer_list)" ""
check "the bind mount is the host's" contains "$(inside one cat /etc/issue)" "mrun test machine"
check "a second time there" mrun checkpoint --image-path "$WORK/again" one
check "and back" detached one "$WORK/again"
check "it counts still" counts one
check "delete removes it" mrun delete --force one
check "and its cgroup" gone "$CGROUP/mrun/one"

# --- running on, in steps ---
bundle two "exec </dev/null >/dev/null 2>&1; $COUNT"
quietly begin two
eventually 20 counts two
check "a pre-dump lets it run on" mrun checkpoint --image-path "$WORK/pre" --pre-dump two
check "it does" counts two
check "so does --leave-running, on top of that" mrun checkpoint --image-path "$WORK/main" --parent-path ../pre --leave-running two
check "it does again" counts two
mrun delete --force two
check "both images together make it again" detached two "$WORK/main"
check "it goes on" counts two
mrun delete --force two

# --- standard output that is a pipe, and the foreground ---
bundle three "trap 'echo bye; exit 43' TERM; $COUNT"
{ mrun run --detach --bundle "$WORK/three" three 2>/dev/null </dev/null || echo failed; } | cat >"$WORK/three/out" &
eventually 20 counts three
check "a container with pipes is written down" mrun checkpoint --image-path "$WORK/pipes" three
foreground() {
    { restore three "$WORK/pipes" </dev/null 2>&1; echo "status $?"; } | cat >"$WORK/three/again" &
    eventually 20 status_is three running && counts three && mrun kill three TERM
    wait
    cat "$WORK/three/again"
    contains "$(cat "$WORK/three/again")" bye && contains "$(cat "$WORK/three/again")" "status 43"
}
check "restored in the foreground it writes to the new pipe, and its exit code is restore's" foreground
refuse "and it is removed" mrun state three

done_testing
