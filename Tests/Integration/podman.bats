#!/usr/bin/env bats
# podman, with conmon between it and mrun: a smoke test of what an engine makes of a runtime. Each test has a mount
# namespace of its own, with an empty /run and storage in the test's folder, and one container parent in the cgroups.
load helpers

setup_file() { make_rootfs; }

setup() {
    [ -z "${MRUN_BATS_INSIDE:-}" ] || private_places
    begin
    [ -z "${MRUN_BATS_INSIDE:-}" ] || prepare_podman
}

# private_places: what podman writes to, and no option moves. Part of the mounts that the test begins with.
private_places() {
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /run/etc
    echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/run/etc/policy.json
    mount --bind /run/etc /etc/containers
}

prepare_podman() {
    mkdir "$BATS_TEST_TMPDIR/conf"
    export CONTAINERS_CONF=$BATS_TEST_TMPDIR/conf/containers.conf CONTAINERS_STORAGE_CONF=$BATS_TEST_TMPDIR/conf/storage.conf
    export HOME=$BATS_TEST_TMPDIR TMPDIR=$BATS_TEST_TMPDIR
    unset XDG_RUNTIME_DIR NOTIFY_SOCKET LISTEN_FDS
    cat >"$CONTAINERS_CONF" <<EOF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["crun", "runc", "mrun"]
EOF
    printf '[storage]\ndriver = "vfs"\nrunroot = "/run/storage"\ngraphroot = "%s"\n' "$BATS_TEST_TMPDIR/storage" \
        >"$CONTAINERS_STORAGE_CONF"
    mkdir -p "$ROOTFS/tmp"
    tar -C "$ROOTFS" -cf "$BATS_TEST_TMPDIR/image.tar" .
    pod import --quiet "$BATS_TEST_TMPDIR/image.tar" localhost/mrun/busybox:1 >/dev/null
}

teardown() {
    if [ -n "${MRUN_BATS_INSIDE:-}" ]; then
        pod rm --all --force --time 0 >/dev/null 2>&1 || echo "# podman rm failed"
        # The parent and conmon's cgroup are podman's, and stay; conmon itself takes a moment to go.
        wait_until 10 remove_parents || :
    fi
    finish
}

remove_parents() {
    find /sys/fs/cgroup -depth -type d -path "*/$TAG*" -exec rmdir {} + || :
    [ -z "$(own_cgroups)" ]
}

# inside: as in_private_mounts, where podman can be had.
inside() {
    command -v podman >/dev/null || skip "no podman here"
    [ "$(cgroup_version)" -eq 1 ] || skip "written for cgroup v1"
    in_private_mounts
}

pod() {
    timeout --kill-after=5 60 podman --root "$BATS_TEST_TMPDIR/storage" --runroot /run/storage --tmpdir /run/libpod \
        --storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime "$MRUN" "$@" </dev/null 3>&-
}
# pod_run ARGUMENT...: podman run without a network of its own.
pod_run() { pod run --network none --cgroup-parent "/$TAG" "$@"; }
image=localhost/mrun/busybox:1

# pod_cgroup CONTROLLER NAME: the container's cgroup.
pod_cgroup() {
    local pid
    pid=$(pod inspect --format '{{.State.Pid}}' "$2")
    echo "/sys/fs/cgroup/$1$(awk -F : -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$pid/cgroup")"
}

@test "podman run: output, exit code, environment, user, working directory" {
    inside || return 0
    run pod_run --rm -e A=1 -u 7:8 -w /tmp --hostname smoke "$image" sh -c 'echo "$A $(id -u):$(id -g) $(pwd) $(hostname)"; exit 3'
    echo "$output"
    [ "$status" -eq 3 ] && [ "$output" = "1 7:8 /tmp smoke" ]
    [ -z "$(pod ps --all --quiet)" ]
}

@test "podman run: 127 for a missing command, 126 for one that cannot be executed" {
    inside || return 0
    run -127 pod_run --rm "$image" /no/such
    [[ $output == *'no such file or directory'* ]]
    run -127 pod_run --rm "$image" nosuch
    [[ $output == *'executable file not found'* ]]
    run -126 pod_run --rm "$image" /etc/passwd
    [ -z "$(pod ps --all --quiet)" ]
}

@test "podman: detached, logs, exec, kill, wait, rm" {
    inside || return 0
    pod_run --detach --name life "$image" sh -c 'echo hello; sleep 1000' >/dev/null
    has_logged() { pod logs "$1" | grep -q "$2"; }
    wait_until 10 has_logged life hello
    [ "$(pod inspect --format '{{.State.Status}}' life)" = running ]
    run pod exec -u 9 -e B=2 life sh -c 'echo "$B $(id -u)"; exit 5'
    [ "$status" -eq 5 ] && [ "$output" = "2 9" ]
    run -127 pod exec life nosuch
    pod kill --signal KILL life >/dev/null
    [ "$(pod wait life)" = 137 ]
    [ "$(pod inspect --format '{{.State.Status}}' life)" = exited ]
    pod rm life >/dev/null
    [ -z "$(find /sys/fs/cgroup -type d -path "*/$TAG/libpod-*")" ]
}

@test "podman: a terminal, for the container and for exec" {
    inside || return 0
    run pod_run --rm --tty "$image" sh -c 'tty; test -c /dev/console && echo console'
    echo "$output"
    [ "$status" -eq 0 ] && [[ $output == *'/dev/pts/0'* && $output == *console* ]]
    pod_run --detach --name terminal "$image" sleep 1000 >/dev/null
    run pod exec --tty terminal tty
    [ "$status" -eq 0 ] && [[ $output == *'/dev/pts/'* ]]
}

@test "podman: limits, update, pause" {
    inside || return 0
    pod_run --detach --name limits --memory 64m --cpus 0.5 --pids-limit 20 "$image" sleep 1000 >/dev/null
    [ "$(cat "$(pod_cgroup memory limits)/memory.limit_in_bytes")" = 67108864 ]
    [ "$(cat "$(pod_cgroup cpu limits)/cpu.cfs_quota_us")" = 50000 ]
    [ "$(cat "$(pod_cgroup pids limits)/pids.max")" = 20 ]
    pod update --memory 80m limits >/dev/null
    [ "$(cat "$(pod_cgroup memory limits)/memory.limit_in_bytes")" = 83886080 ]
    pod pause limits >/dev/null
    [ "$(cat "$(pod_cgroup freezer limits)/freezer.state")" = FROZEN ]
    run pod exec limits true
    [ "$status" -ne 0 ]
    pod unpause limits >/dev/null
    pod exec limits true
}

@test "podman: volumes, tmpfs, a read-only root" {
    inside || return 0
    mkdir "$BATS_TEST_TMPDIR/volume" && echo from-host >"$BATS_TEST_TMPDIR/volume/file"
    run pod_run --rm --read-only --tmpfs /scratch -v "$BATS_TEST_TMPDIR/volume:/v" "$image" \
        sh -c 'cat /v/file; touch /scratch/x && echo writable; touch /x 2>/dev/null || echo read-only; echo back >/v/back'
    echo "$output"
    [ "$status" -eq 0 ] && [ "$output" = $'from-host\nwritable\nread-only' ]
    [ "$(cat "$BATS_TEST_TMPDIR/volume/back")" = back ]
}

@test "podman: default seccomp profile, capabilities, no_new_privs" {
    inside || return 0
    run pod_run --rm --security-opt no-new-privileges "$image" sh -c 'grep -e ^CapEff -e ^Seccomp: -e ^NoNewPrivs /proc/self/status'
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q $'^Seccomp:\t2$' <<<"$output" && grep -q $'^NoNewPrivs:\t1$' <<<"$output"
    run ! grep -q $'^CapEff:\t000001ffffffffff$' <<<"$output"
}

@test "podman: a pod shares its namespaces" {
    inside || return 0
    pod_run --detach --name first "$image" sleep 1000 >/dev/null
    run pod_run --rm --pid container:first --ipc container:first --uts container:first "$image" \
        sh -c 'readlink /proc/1/cmdline; tr "\0" " " </proc/1/cmdline; readlink /proc/self/ns/ipc'
    echo "$output"
    [ "$status" -eq 0 ] && [[ $output == *'sleep 1000'* ]]
    [[ $output == *"$(readlink "/proc/$(pod inspect --format '{{.State.Pid}}' first)/ns/ipc")"* ]]
}
