#!/usr/bin/env bats
# The options of exec that clients use: a process from a file, groups, capabilities, cgroups, paused containers.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# process_file JQ-FILTER: a file with the process object of the bundle, changed; sets `file`.
process_file() {
    file=$BATS_TEST_TMPDIR/process-$RANDOM.json
    jq ".process | $1" "$bundle/config.json" >"$file"
}

# exec_detached ARGUMENT...: exec --detach; sets `pid`.
exec_detached() {
    mrun exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$@" >"$BATS_TEST_TMPDIR/exec-out" 2>&1 </dev/null 3>&- ||
        { cat "$BATS_TEST_TMPDIR/exec-out" && return 1; }
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
}

@test "exec --process takes the whole process from a file, and nothing from the config" {
    start_script 'sleep 1000' '.process.env += ["FROM=config"] | .process.user.additionalGids = [7] |
        .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 100}]'
    process_file '{args: ["env"], cwd: "/usr", env: ["PATH=/bin:/usr/bin", "B=2", "A=1", "B=3"]}'
    local option
    for option in --process -p; do
        run mrun exec "$option" "$file" "$id"
        [ "$status" -eq 0 ]
        [ "$output" = $'PATH=/bin:/usr/bin\nB=3\nA=1\nHOME=/root' ]
    done
    local show='pwd; ulimit -n; id -u; id -G; grep -E "^(CapPrm|CapBnd|NoNewPrivs)" /proc/self/status | tr -s "\t\n" "  "'
    file=$BATS_TEST_TMPDIR/other.json
    jq -n --arg show "$show" '{args: ["sh", "-c", $show], cwd: "/usr", env: ["PATH=/bin:/usr/bin"], user: {uid: 5, gid: 6},
        rlimits: [{type: "RLIMIT_NOFILE", soft: 50, hard: 60}],
        capabilities: {bounding: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"], effective: ["CAP_CHOWN"], inheritable: ["CAP_CHOWN"],
        ambient: ["CAP_CHOWN"]}}' >"$file"
    [ "$(mrun exec --process "$file" "$id")" = $'/usr\n50\n5\n6\nCapPrm: 0000000000000001 CapBnd: 0000000000000001 NoNewPrivs: 0 ' ]
    # Without sets there are no capabilities, as at create.
    process_file '{args: ["grep", "^CapBnd", "/proc/self/status"], cwd: "/", env: .env}'
    [ "$(mrun exec --process "$file" "$id")" = $'CapBnd:\t0000000000000000' ]
}

@test "exec --process as conmon and the shim call it, and its exit status" {
    start_script 'sleep 1000'
    process_file '.args = ["sh", "-c", "echo out; exit 7"]'
    run mrun exec --pid-file "$bundle/pid" --process "$file" "$id" </dev/null
    [ "$status" -eq 7 ]
    [ "$output" = out ]
    process_file '.args = ["sleep", "1003"]'
    exec_detached --process "$file" "$id"
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = 'sleep 1003 ' ]
    process_file '.args = ["nosuch"]'
    refused 'executable file not found in $PATH' mrun exec --process "$file" --detach "$id"
    [ "$refusal" -eq 127 ]
}

@test "exec --process: what keeps the container in check is the container's" {
    start_script 'sleep 1000' '.process.oomScoreAdj = 321 |
        .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
    process_file '{args: ["sh", "-c", "cat /proc/self/oom_score_adj; mkdir /dev/shm/x || echo refused"], cwd: "/", env: .env}'
    run --separate-stderr mrun exec --process "$file" "$id"
    [ "$output" = $'321\nrefused' ]
    process_file '{args: ["cat", "/proc/self/oom_score_adj"], cwd: "/", env: .env, oomScoreAdj: 99}'
    [ "$(mrun exec --process "$file" "$id")" = 99 ]
}

@test "exec --process refuses a file that describes no process, with the place in it" {
    start_script 'sleep 1000'
    file=$BATS_TEST_TMPDIR/bad.json
    bad() { # WORDS JSON
        printf '%s' "$2" >"$file"
        refused "$1" mrun exec --process "$file" "$id"
        [ "$refusal" -eq 255 ]
        [[ $message == *"process file \"$file\""* ]]
    }
    bad '' ''
    bad 'expected an object' '[]'
    bad '"cwd" is missing' '{"args": ["true"]}'
    bad '/cwd: Cwd must be an absolute path' '{"args": ["true"], "cwd": "tmp"}'
    bad '/args: args must not be empty' '{"cwd": "/"}'
    bad '/args/0' '{"cwd": "/", "args": [""]}'
    bad '/env/1' '{"cwd": "/", "args": ["true"], "env": ["A=1", "B"]}'
    bad '/user/uid' '{"cwd": "/", "args": ["true"], "user": {"uid": -1}}'
    bad '/capabilities/bounding/0' '{"cwd": "/", "args": ["true"], "capabilities": {"bounding": ["CAP_NOSUCH"]}}'
    bad '/rlimits/1' '{"cwd": "/", "args": ["true"], "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]}'
    bad '`/proc/self/attr/apparmor/exec`' '{"cwd": "/", "args": ["true"], "apparmorProfile": "web"}'
    refused 'no such file' mrun exec --process "$BATS_TEST_TMPDIR/nosuch" "$id"
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    refused 'not a regular file' mrun exec --process "$BATS_TEST_TMPDIR/fifo" "$id"
    # What would be ignored is refused.
    process_file .
    refused 'COMMAND' mrun exec --process "$file" "$id" true
    local option
    for option in --env=A=1 --cwd=/ --user=1 --no-new-privs --additional-gids=1 --cap=CAP_KILL --apparmor=x --process-label=x; do
        refused "${option%%=*}" mrun exec --process "$file" "$option" "$id"
        [ "$refusal" -eq 255 ]
    done
}

@test "exec works when the bundle is gone" {
    start_script 'sleep 1000' '.process.env += ["FROM=config"]'
    process_file '.args = ["env"]'
    rm -r "$bundle"
    mrun exec "$id" env | grep -qx FROM=config
    mrun exec --process "$file" "$id" | grep -qx FROM=config
    mkdir "$bundle"
}

@test "exec --additional-gids adds groups, in numbers and nothing else" {
    start_script 'sleep 1000' '.process.user = {uid: 5, gid: 6, additionalGids: [7]}'
    [ "$(mrun exec -g 8 --additional-gids 4294967294 "$id" id -G)" = '6 7 8 4294967294' ]
    [ "$(mrun exec -g 0 "$id" id -G)" = '6 0 7' ] || [ "$(mrun exec -g 0 "$id" id -G)" = '6 7 0' ]
    local text
    for text in '' -1 +1 4294967295 4294967296 1,2 01 wheel '1 ' 0x1 1:2; do
        refused 'invalid group "' mrun exec --additional-gids="$text" "$id" true
        [ "$refusal" -eq 255 ]
    done
}

@test "exec --cap adds to the sets, and nothing becomes inheritable" {
    local show='grep ^Cap /proc/self/status | tr -s "\t\n" "  "'
    start_script 'sleep 1000'
    # 0x20000420: what the config has. 0x2000: CAP_NET_RAW.
    [ "$(mrun exec --cap CAP_NET_RAW "$id" sh -c "$show")" = \
        'CapInh: 0000000000000000 CapPrm: 0000000020002420 CapEff: 0000000020002420 CapBnd: 0000000020002420 CapAmb: 0000000000000000 ' ]
    [ "$(mrun exec -c CAP_NET_RAW -c CAP_CHOWN -c CAP_KILL "$id" sh -c "$show")" = \
        'CapInh: 0000000000000000 CapPrm: 0000000020002421 CapEff: 0000000020002421 CapBnd: 0000000020002421 CapAmb: 0000000000000000 ' ]
    # A further process has no more than before.
    [[ $(mrun exec "$id" sh -c "$show") == *'CapBnd: 0000000020000420 '* ]]
    # Ambient only where the config has it inheritable: CVE-2022-29162.
    start_script 'sleep 1000' '.process.capabilities.inheritable = ["CAP_NET_RAW"] |
        .process.capabilities.bounding += ["CAP_NET_RAW"] | .process.user.uid = 5'
    [ "$(mrun exec --cap CAP_NET_RAW --cap CAP_CHOWN "$id" sh -c "$show")" = \
        'CapInh: 0000000000002000 CapPrm: 0000000000002000 CapEff: 0000000000002000 CapBnd: 0000000020002421 CapAmb: 0000000000002000 ' ]
    start_script 'sleep 1000' 'del(.process.capabilities) | .process.noNewPrivileges = false'
    [ "$(mrun exec --cap CAP_NET_RAW "$id" sh -c "$show")" = \
        'CapInh: 0000000000000000 CapPrm: 0000000000002000 CapEff: 0000000000002000 CapBnd: 0000000000002000 CapAmb: 0000000000000000 ' ]
    local name
    for name in CAP_NOSUCH NET_RAW cap_net_raw '' 13 CAP_NET_RAW,CAP_CHOWN all; do
        refused "\"$name\" is no capability" mrun exec --cap "$name" "$id" true
        [ "$refusal" -eq 255 ]
    done
}

@test "exec: file capabilities of the image give nothing back" {
    command -v setcap >/dev/null || skip 'needs setcap'
    new_id
    own_rootfs "$id"
    mkdir "$rootfs/raised"
    cp "$rootfs/bin/busybox" "$rootfs/raised/busybox"
    setcap cap_net_raw+ip "$rootfs/raised/busybox" || skip 'this file system has no file capabilities'
    # `+ip`: what the process has inheritable becomes permitted.
    make_bundle "$id" '.root.path = $rootfs | .process.noNewPrivileges = false | .process.user.uid = 5 |
        .process.capabilities.bounding += ["CAP_NET_RAW"] | .process.args = ["sleep", "1000"]' --arg rootfs "$rootfs"
    detach_container "$id" "$bundle"
    local words
    for words in '' '--cap CAP_CHOWN'; do
        # shellcheck disable=SC2086 # two words
        [ "$(mrun exec $words "$id" /raised/busybox grep -E '^Cap(Inh|Amb)' /proc/self/status | tr -s '\t\n' '  ')" = \
            'CapInh: 0000000000000000 CapAmb: 0000000000000000 ' ]
    done
}

@test "exec --ignore-paused enters a paused container, and the process waits for the end of the pause" {
    start_script 'sleep 1000'
    mrun pause "$id"
    refused 'cannot exec in a paused container (use --ignore-paused to override)' mrun exec "$id" true
    [ "$refusal" -eq 255 ]
    mrun exec --ignore-paused "$id" echo resumed >"$bundle/exec-out" 2>&1 </dev/null 3>&- &
    local runner=$!
    sleep 0.3
    [ ! -s "$bundle/exec-out" ]
    has_status "$id" paused
    mrun resume "$id"
    wait "$runner"
    [ "$(cat "$bundle/exec-out")" = resumed ]
}

@test "exec --cgroup runs in a cgroup below the container's" {
    [ "$(cgroup_version)" -eq 1 ] || skip 'the test of v2 is in Tests/VM'
    start_script 'sleep 1000'
    mkdir "$(cgroup_directory memory "$id")/sub" "$(cgroup_directory freezer "$id")/sub"
    exec_detached --cgroup memory:sub "$id" sleep 1003
    grep -q ":memory:/mrun/$id/sub$" "/proc/$pid/cgroup"
    grep -q ":pids:/mrun/$id$" "/proc/$pid/cgroup"
    exec_detached --cgroup memory,freezer:/sub/ --cgroup pids:. "$id" sleep 1004
    grep -q ":memory:/mrun/$id/sub$" "/proc/$pid/cgroup"
    grep -q ":freezer:/mrun/$id/sub$" "/proc/$pid/cgroup"
    grep -q ":pids:/mrun/$id$" "/proc/$pid/cgroup"
    # One path is for all hierarchies, and is not there in all of them.
    refused 'no such file or directory' mrun exec --cgroup sub "$id" true
    [ "$refusal" -eq 255 ]
    exec_detached --cgroup / "$id" sleep 1005
    [ "$(cat "/proc/$pid/cgroup")" = "$(cat "/proc/$(pid_of "$id")/cgroup")" ]
    # They end with the container.
    mrun delete --force "$id"
    [ ! -d "/sys/fs/cgroup/memory/mrun/$id" ]
}

@test "exec --cgroup never leaves the container's cgroup" {
    start_script 'sleep 1000'
    bad() { # WORDS ARGUMENT...
        refused "exec failed: $1" mrun exec "${@:2}" "$id" true
        [ "$refusal" -eq 255 ]
    }
    local path
    for path in .. ../ /.. a/../.. a/.. ../"$id"; do
        bad "bad sub cgroup path: $path" --cgroup "$path"
        [ "$(cgroup_version)" -ne 1 ] || bad "bad sub cgroup path: $path" --cgroup "memory:$path"
    done
    # A mark after the slash does not hide the two dots from the kernel, nor from mrun.
    bad 'bad sub cgroup path: ' --cgroup $'x/\xcc\x81/../..'
    bad 'unknown controller nosuch in SubCgroupPaths' --cgroup nosuch:/
    bad 'unknown controller mem in SubCgroupPaths' --cgroup mem:/
    bad 'invalid --cgroup argument: b (missing <controller>: prefix)' --cgroup memory:a --cgroup b
    [ "$(cgroup_version)" -eq 1 ] || return 0
    bad 'invalid --cgroup argument: ,memory:a (empty <controller> prefix)' --cgroup ,memory:a
    bad 'invalid --cgroup argument(s): controller memory specified multiple times' --cgroup memory:a --cgroup memory:b
}

@test "twenty execs from files at once, in a container that is being paused and resumed" {
    start_script 'sleep 1000'
    process_file '.args = ["sh", "-c", "exit 3"]'
    local number pids=() status
    for number in {1..20}; do
        mrun exec --ignore-paused --process "$file" "$id" >/dev/null 2>&1 </dev/null 3>&- &
        pids+=($!)
    done
    for number in {1..5}; do
        mrun pause "$id"
        mrun resume "$id"
    done
    for number in {1..20}; do
        status=0
        wait "${pids[number - 1]}" || status=$?
        [ "$status" -eq 3 ]
    done
}
