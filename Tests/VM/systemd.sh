# Containers as scope units of systemd: made over D-Bus, limited, changed, stopped, and forgotten.

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

# bundle ID ARGS RESOURCES [CGROUPSPATH [ANNOTATIONS]]: a busybox bundle; ARGS, RESOURCES and ANNOTATIONS are JSON.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev" "$WORK/$1/rootfs/tmp"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat echo sleep mknod head true dd; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
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
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}
    ],
    "annotations": ${5:-{\}},
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        "cgroupsPath": "${4-system.slice:box:$1}",
        "resources": $3
    }
}
END
}
smrun() { mrun --systemd-cgroup "$@"; }
start_bundle() {
    bundle "$@"
    smrun create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
    smrun start "$1"
}
check "create" start_bundle a '["sleep", "1000"]' '{"memory": {"limit": 67108864}, "pids": {"limit": 32}}'
systemctl show box-a.scope | grep -E 'Desc|Memory|Tasks|Cont|Slice'
cat /proc/self/mounts | grep cgroup
systemctl status | cat
check "delete" smrun delete -f a
systemctl list-units --all | cat
done_testing
