#!/usr/bin/env bats
# checkpoint and restore: what mrun asks of criu, and what it makes of the answers. A script takes criu's place; the
# criu of this machine, where there is one, has the last tests.

load helpers
setup_file() { make_rootfs; }
setup() {
    begin
    FAKE=$BATS_TEST_TMPDIR/fake
    mkdir -p "$FAKE"
    # Notes its words, one a line, then does what the test has put into `body`: $log is where its log goes.
    cat >"$FAKE/criu" <<'END'
#!/bin/bash
here=$(dirname "$0")
printf '%s\n' "$@" >"$here/words"
words=("$@")
for ((n = 0; n < ${#words[@]}; n++)); do
    case ${words[n]} in
    --work-dir) work=${words[n + 1]} ;;
    --log-file) log=$work/${words[n + 1]} ;;
    --pidfile) pidfile=${words[n + 1]} ;;
    --tree) tree=${words[n + 1]} ;;
    --root) root=${words[n + 1]} ;;
    esac
done
. "$here/body"
END
    chmod +x "$FAKE/criu"
    echo 'exit 0' >"$FAKE/body"
    image=$BATS_TEST_TMPDIR/image
}
teardown() { finish; }

# with_fake COMMAND...: mrun, with the script as criu.
with_fake() { PATH=$FAKE:$PATH mrun "$@"; }

# asked WORD...: the words stand in this order, side by side, among those of the last call.
asked() {
    local wanted
    wanted=$(printf '%s\x01' "$@")
    [[ $(printf '\x01' && tr '\n' '\1' <"$FAKE/words") == *$'\x01'"$wanted"* ]] || {
        echo "not asked: $*" && cat "$FAKE/words" && return 1
    }
}
not_asked() { ! grep -qxF -e "$1" "$FAKE/words"; }

# --- checkpoint -----------------------------------------------------------------------------------------------------

@test "checkpoint asks criu for the container, and removes it after that" {
    new_id
    own_rootfs "$id"
    make_bundle "$id" '.process.args = ["sleep", "1000"] | .root.path = $own | .linux.maskedPaths = ["/proc/interrupts", "/proc/scsi", "/proc/nosuch"] |
        .mounts += [{destination: "/srv/x", type: "bind", source: "/usr", options: ["rbind", "ro"]},
            {destination: "/srv/y", source: "/etc", options: ["bind"]}]' --arg own "$rootfs"
    detach_container "$id" "$bundle"
    local pid
    pid=$(pid_of "$id")
    # The real one ends the processes as well.
    echo 'kill -KILL "$tree"' >"$FAKE/body"
    with_fake checkpoint --image-path "$image" "$id"
    [ "$(head -n 1 "$FAKE/words")" = dump ]
    asked --tree "$pid"
    asked --images-dir "$image" --root "$rootfs"
    asked --work-dir "$image" --log-file dump.log -v4
    asked --manage-cgroups=soft
    asked --external 'mnt[/srv/x]:/srv/x'
    asked --external 'mnt[/srv/y]:/srv/y'
    asked --external 'mnt[/proc/interrupts]:/dev/null'
    not_asked 'mnt[/proc/nosuch]:/dev/null'
    not_asked 'mnt[/proc]:/proc'
    if [ "$(cgroup_version)" -eq 1 ]; then
        asked --freeze-cgroup "/sys/fs/cgroup/freezer/mrun/$id"
    else
        asked --freeze-cgroup "/sys/fs/cgroup/mrun/$id"
    fi
    for word in --leave-running --tcp-established --skip-in-flight --link-remap --ext-unix-sk --shell-job --lazy-pages --file-locks \
        --auto-dedup --page-server --status-fd --prev-images-dir --track-mem --empty-ns --config; do
        not_asked "$word"
    done
    [ "$(stat -c %a "$image")" = 700 ]
    [ "$(jq -c 'map(type)' "$image/descriptors.json")" = '["string","string","string"]' ]
    # Of the host's files, which no image can have, whoever restores the container gives new ones.
    local number name
    for number in 0 1 2; do
        name=$(jq -r ".[$number]" "$image/descriptors.json")
        [[ $name =~ ^file\[[0-9a-f]+:[0-9a-f]+\]$ ]]
        asked --external "$name"
    done
    [ -z "$(list_state "$ROOT")" ]
    [ -z "$(own_cgroups)" ]
}

@test "every option of checkpoint becomes one of criu's" {
    start_script 'sleep 1000' '.annotations["org.criu.config"] = "/etc/criu/of-this.conf"'
    mkdir -p "$BATS_TEST_TMPDIR/earlier"
    with_fake checkpoint --image-path "$image" --work-path "$BATS_TEST_TMPDIR/work" --parent-path ../earlier --leave-running --tcp-established \
        --tcp-skip-in-flight --link-remap --ext-unix-sk --shell-job --page-server '[::1]:4711' --file-locks \
        --manage-cgroups-mode strict --empty-ns network --auto-dedup "$id"
    local word
    for word in --leave-running --tcp-established --skip-in-flight --link-remap --ext-unix-sk --shell-job --file-locks --auto-dedup \
        --manage-cgroups=strict --page-server; do
        asked "$word"
    done
    asked --prev-images-dir ../earlier --track-mem
    asked --work-dir "$BATS_TEST_TMPDIR/work" --log-file dump.log
    asked --address ::1 --port 4711
    asked --empty-ns net
    asked --config /etc/criu/of-this.conf
    has_status "$id" running
    # Without a path the image goes to ./checkpoint.
    (cd "$BATS_TEST_TMPDIR" && with_fake checkpoint --leave-running "$id")
    asked --images-dir "$BATS_TEST_TMPDIR/checkpoint"
    [ -d "$BATS_TEST_TMPDIR/checkpoint" ]
}

@test "a pre-dump takes memory alone, and the container runs on" {
    start_script 'sleep 1000'
    with_fake checkpoint --image-path "$image" --pre-dump "$id"
    [ "$(head -n 1 "$FAKE/words")" = pre-dump ]
    not_asked --external
    [ ! -e "$image/descriptors.json" ]
    has_status "$id" running
}

@test "lazy pages are told on the caller's descriptor" {
    start_script 'sleep 1000'
    # shellcheck disable=SC2016 # for the script
    echo 'for ((n = 0; n < ${#words[@]}; n++)); do [ "${words[n]}" != --status-fd ] || printf x >&"${words[n + 1]}"; done' >"$FAKE/body"
    with_fake checkpoint --image-path "$image" --lazy-pages --page-server 127.0.0.1:4711 --status-fd 7 --leave-running "$id" 7>"$BATS_TEST_TMPDIR/ready"
    asked --lazy-pages
    asked --address 127.0.0.1 --port 4711
    not_asked --page-server
    asked --status-fd 7
    [ "$(cat "$BATS_TEST_TMPDIR/ready")" = x ]
    refused 'invalid --status-fd argument 9' with_fake checkpoint --image-path "$image" --lazy-pages --status-fd 9 "$id"
    refused 'not writable' eval 'with_fake checkpoint --image-path "$image" --lazy-pages --status-fd 7 "$id" 7</dev/null'
    refused 'invalid --status-fd argument x' with_fake checkpoint --image-path "$image" --status-fd x "$id"
}

@test "what criu cannot do, or no checkpoint can be, is refused" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle"
    refused 'Container cannot be checkpointed in created state' with_fake checkpoint --image-path "$image" "$id"
    mrun start "$id"
    mrun pause "$id"
    refused 'Container cannot be checkpointed in paused state' with_fake checkpoint --image-path "$image" "$id"
    mrun resume "$id"
    refused '--parent-path must be relative' with_fake checkpoint --image-path "$image" --parent-path /tmp "$id"
    refused 'no such directory' with_fake checkpoint --image-path "$image" --parent-path nosuch "$id"
    refused 'it must be ADDRESS:PORT' with_fake checkpoint --image-path "$image" --page-server localhost "$id"
    refused 'it must be ADDRESS:PORT' with_fake checkpoint --image-path "$image" --page-server localhost:0 "$id"
    refused 'soft, full, strict or ignore' with_fake checkpoint --image-path "$image" --manage-cgroups-mode other "$id"
    refused '--empty-ns pid' with_fake checkpoint --image-path "$image" --empty-ns pid "$id"
    refused 'does not exist' with_fake checkpoint --image-path "$image" nosuch
    touch "$BATS_TEST_TMPDIR/file"
    refused 'not a directory' with_fake checkpoint --image-path "$BATS_TEST_TMPDIR/file" "$id"
    [ ! -e "$FAKE/words" ]
    has_status "$id" running
    local first=$id
    start_script 'sleep 1000' . --init
    refused 'mrun-init stays' with_fake checkpoint --image-path "$image" "$id"
    has_status "$id" running
    id=$first
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'Container cannot be checkpointed in stopped state' with_fake checkpoint --image-path "$image" "$id"
}

@test "where criu is missing, the package is named" {
    start_script 'sleep 1000'
    mkdir "$BATS_TEST_TMPDIR/empty"
    refused 'apt-get install criu' env PATH="$BATS_TEST_TMPDIR/empty" "$MRUN" --root "$ROOT" checkpoint --image-path "$image" "$id"
    has_status "$id" running
    new_id
    make_bundle "$id"
    mkdir -p "$image"
    refused 'apt-get install criu' env PATH="$BATS_TEST_TMPDIR/empty" "$MRUN" --root "$ROOT" restore --bundle "$bundle" --image-path "$image" "$id"
    [ ! -e "$ROOT/$id" ]
}

@test "where criu fails, its last error and its log are told, and the container stays as it is" {
    start_script 'sleep 1000'
    # shellcheck disable=SC2016,SC2028 # for the script
    echo 'printf "%s\n" "(00.1) Error (a.c:1): the first" "(00.2) Error (b.c:2): the last" "(00.3) and some more" "(00.4) Error (c.c:3): Dumping FAILED." >"$log"; exit 1' >"$FAKE/body"
    refused "criu dump failed: Error (a.c:1): the first; Error (b.c:2): the last (all of its log: $image/dump.log)" with_fake checkpoint --image-path "$image" "$id"
    has_status "$id" running
    # The log of an earlier call is not this one's.
    echo 'exit 3' >"$FAKE/body"
    refused 'criu dump failed: exit status 3, and no word in its log' with_fake checkpoint --image-path "$image" "$id"
    # shellcheck disable=SC2016 # for the script
    echo 'kill -SEGV $$' >"$FAKE/body"
    refused 'criu dump failed: exit status 139' with_fake checkpoint --image-path "$image" "$id"
    chmod -x "$FAKE/criu"
    refused criu with_fake checkpoint --image-path "$image" "$id"
    has_status "$id" running
}

# --- restore --------------------------------------------------------------------------------------------------------

# restoring BODY: criu's part in a restore: a process in the right cgroups, not one of criu's own children.
restoring() {
    cat >"$FAKE/body" <<END
cp /proc/self/cgroup "$FAKE/cgroup"
grep -c " \$root " /proc/self/mountinfo >"$FAKE/mounted"
$1
END
}

@test "restore asks criu for the container, in its cgroups, with its root mounted" {
    new_id
    own_rootfs "$id"
    make_bundle "$id" '.root.path = $own | .mounts += [{destination: "/srv/new", type: "bind", source: "/usr", options: ["rbind"]},
        {destination: "/srv/file", type: "bind", source: "/etc/passwd", options: ["bind"]}] | .annotations["org.criu.config"] = "/x"' --arg own "$rootfs"
    mkdir "$image"
    echo '["","pipe:[4711]","file[1f:a0]"]' >"$image/descriptors.json"
    # shellcheck disable=SC2016 # for the script
    restoring 'setsid sleep 1000 </dev/null >/dev/null 2>&1 3>&- & echo -n $! >"$pidfile"'
    with_fake restore --bundle "$bundle" --image-path "$image" --work-path "$BATS_TEST_TMPDIR/work" --detach --pid-file "$bundle/pid" \
        --tcp-established --ext-unix-sk --shell-job --file-locks --lazy-pages --auto-dedup --manage-cgroups-mode full --empty-ns network \
        --lsm-profile apparmor:x --lsm-mount-context system_u --no-pivot --no-subreaper "$id" >/dev/null 2>&1 </dev/null 3>&-
    [ "$(head -n 1 "$FAKE/words")" = restore ]
    asked --images-dir "$image" --root "$rootfs" --pidfile "$ROOT/$id/criu.pid" --restore-detached --restore-sibling
    asked --work-dir "$BATS_TEST_TMPDIR/work" --log-file restore.log -v4
    local word
    for word in --tcp-established --ext-unix-sk --shell-job --file-locks --lazy-pages --auto-dedup --manage-cgroups=full; do asked "$word"; done
    asked --empty-ns net
    asked --lsm-profile apparmor:x
    asked --lsm-mount-context system_u
    asked --config /x
    asked --external 'mnt[/srv/new]:/usr'
    asked --external 'mnt[/srv/file]:/etc/passwd'
    asked --external 'mnt[/dev/null]:/dev/null'
    asked --inherit-fd 'fd[1]:pipe:[4711]'
    asked --inherit-fd 'fd[2]:file[1f:a0]'
    [ "$(grep -cx -e --inherit-fd "$FAKE/words")" -eq 2 ]
    if [ "$(cgroup_version)" -eq 1 ]; then
        asked --cgroup-root "memory:/mrun/$id"
        grep -q ":memory:.*/mrun/$id\$" "$FAKE/cgroup"
    else
        asked --cgroup-root "/mrun/$id"
        grep -q "/mrun/$id\$" "$FAKE/cgroup"
    fi
    [ "$(cat "$FAKE/mounted")" -eq 1 ]
    [ "$(grep -c " $rootfs " /proc/self/mountinfo)" -eq 0 ]
    [ -d "$rootfs/srv/new" ] && [ -f "$rootfs/srv/file" ]
    has_status "$id" running
    [ "$(pid_of "$id")" = "$(cat "$bundle/pid")" ]
    [ ! -e "$ROOT/$id/criu.pid" ]
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    mrun delete "$id"
}

@test "restore in the foreground gives the task's status, and removes the container" {
    new_id
    make_bundle "$id"
    mkdir "$image"
    # A child of mrun's own, as criu's --restore-sibling makes it: by CLONE_PARENT.
    cat >"$FAKE/sibling" <<'END'
import ctypes, os, platform, signal, sys, time
clone, CLONE_PARENT = {"x86_64": 56, "aarch64": 220}[platform.machine()], 0x8000
pid = ctypes.CDLL(None).syscall(clone, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
if pid == 0:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(43))
    open(sys.argv[2], "w").close()
    time.sleep(60)
open(sys.argv[1], "w").write(str(pid))
END
    # shellcheck disable=SC2016 # for the script
    restoring 'exec python3 "$here/sibling" "$pidfile" "$here/up"'
    with_fake restore --bundle "$bundle" --image-path "$image" "$id" >"$bundle/out" 2>&1 </dev/null 3>&- &
    local restore=$! status=0
    wait_until 10 test -e "$FAKE/up"
    wait_until 10 has_status "$id" running
    mrun kill "$id" TERM
    wait "$restore" || status=$?
    cat "$bundle/out"
    [ "$status" -eq 43 ]
    [ -z "$(list_state "$ROOT")" ]
}

@test "a restore that fails leaves nothing behind" {
    new_id
    make_bundle "$id"
    refused 'no such directory' with_fake restore --bundle "$bundle" --image-path "$image" "$id"
    mkdir "$image"
    # shellcheck disable=SC2016 # for the script
    restoring 'echo "Error (c.c:3): no" >"$log"; exit 1'
    refused "criu restore failed: Error (c.c:3): no (all of its log: $image/restore.log)" \
        with_fake restore --bundle "$bundle" --image-path "$image" "$id"
    [ -z "$(list_state "$ROOT")" ]
    restoring 'exit 0'
    refused criu with_fake restore --bundle "$bundle" --image-path "$image" "$id"
    # shellcheck disable=SC2016 # for the script
    restoring 'setsid sleep 1000 </dev/null >/dev/null 2>&1 3>&- & echo nonsense >"$pidfile"'
    refused 'has not told the pid' with_fake restore --bundle "$bundle" --image-path "$image" "$id"
    [ -z "$(list_state "$ROOT")" ]
    [ -z "$(own_cgroups)" ]
    refused 'hand a terminal on' with_fake restore --bundle "$bundle" --image-path "$image" --console-socket /x "$id"
    start_script 'sleep 1000'
    refused 'already exists' with_fake restore --bundle "$bundle" --image-path "$image" "$id"
    has_status "$id" running
}

# --- the real one ---------------------------------------------------------------------------------------------------

@test "a container that counts goes on counting after checkpoint and restore" {
    command -v criu >/dev/null || skip "needs criu"
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "n=0; while :; do n=$((n + 1)); echo $n >/dev/shm/n; sleep 0.1; done"] |
        .linux.namespaces |= map(select(.type != "network"))'
    detach_container "$id" "$bundle"
    wait_until 5 mrun exec "$id" test -s /dev/shm/n
    if ! criu check >/dev/null 2>&1; then
        # criu does not know this kernel: then at least that must be told well.
        refused 'criu dump failed: Error' mrun checkpoint --image-path "$image" "$id"
        [[ $message == *"$image/dump.log"* ]]
        has_status "$id" running
        skip "criu check fails on this kernel"
    fi
    mrun checkpoint --image-path "$image" "$id"
    [ -z "$(list_state "$ROOT")" ]
    mrun restore --bundle "$bundle" --image-path "$image" --detach "$id" >/dev/null 2>&1 </dev/null 3>&-
    has_status "$id" running
    local before
    before=$(mrun exec "$id" cat /dev/shm/n)
    sleep 0.5
    [ "$(mrun exec "$id" cat /dev/shm/n)" -gt "$before" ]
}
