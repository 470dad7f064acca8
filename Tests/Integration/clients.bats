#!/usr/bin/env bats
# What containerd, conmon, podman, moby and buildah rely on: words that they look for, the form of the log, exit statuses.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# logged WORDS COMMAND ARGUMENT...: that call of mrun fails; its log is one JSON object with the same message as the line
# on standard error, which has the words. As the shim does it.
logged() {
    local words=$1 log=$BATS_TEST_TMPDIR/log-$RANDOM.json status=0
    shift
    timeout 60 "$MRUN" --root "$ROOT" --log "$log" --log-format json "$@" \
        >"$BATS_TEST_TMPDIR/logged.out" 2>"$BATS_TEST_TMPDIR/logged.err" </dev/null 3>&- || status=$?
    [ "$status" -ne 0 ]
    [ ! -s "$BATS_TEST_TMPDIR/logged.out" ]
    [ "$(wc -l <"$log")" -eq 1 ]
    message=$(jq -er 'select((keys == ["level", "msg", "time"]) and .level == "error") | .msg' "$log")
    # Go's time.RFC3339.
    [[ $(jq -r .time "$log") =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$ ]]
    [ "$(cat "$BATS_TEST_TMPDIR/logged.err")" = "${MRUN##*/}: $message" ]
    if [[ ${message,,} != *"${words,,}"* ]]; then
        echo "wanted: $words" && echo "found: $message" && return 1
    fi
    refusal=$status
}

@test "an id that is not there does not exist, for every command" {
    local command
    for command in start state kill pause resume ps delete wait stats events; do
        logged 'does not exist' "$command" no-such-id
        [ "$refusal" -eq 1 ]
    done
    logged 'does not exist' kill no-such-id KILL
    logged 'does not exist' exec no-such-id true
    [ "$refusal" -eq 255 ]
    run mrun delete --force no-such-id
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "an id that is taken is told as that, and the container is not touched" {
    start_script 'sleep 1000'
    logged 'container with given ID already exists' create --bundle "$bundle" "$id"
    logged 'container with given ID already exists' run --bundle "$bundle" "$id"
    has_status "$id" running
    logged 'invalid container ID format' create --bundle "$bundle" 'a/b'
    logged 'container id cannot be empty' create --bundle "$bundle" ''
}

@test "create tells a missing executable in the words for 127, and one that may not run in those for 126" {
    new_id
    local name
    for name in nosuchcommand /no/such /bin/nosuch/x ./nosuch; do
        make_bundle "$id" '.process.args = [$name]' --arg name "$name"
        logged "exec: \"$name\"" create --bundle "$bundle" "$id"
        [ "$refusal" -eq 127 ]
        # What moby and podman look for, and what they must not find.
        [[ $message =~ 'executable file not found in $PATH'|'no such file or directory'|'not a directory' ]]
        [[ ! ${message,,} =~ permission\ denied|operation\ not\ permitted ]]
        [ ! -e "$ROOT/$id" ]
    done
    make_bundle "$id" '.process.args = ["nosuchcommand"]'
    logged 'exec: "nosuchcommand": executable file not found in $PATH' create --bundle "$bundle" "$id"
    for name in /etc/passwd /etc; do
        make_bundle "$id" '.process.args = [$name]' --arg name "$name"
        logged "exec: \"$name\": permission denied" create --bundle "$bundle" "$id"
        [ "$refusal" -eq 126 ]
        [[ ! ${message,,} =~ executable\ file\ not\ found|no\ such\ file ]]
    done
}

@test "a file that the kernel does not execute is told when it is tried" {
    new_id
    own_rootfs "$id"
    printf 'no program' >"$rootfs/bin/text"
    printf '#!/no/interpreter\n' >"$rootfs/bin/script"
    chmod 755 "$rootfs/bin/text" "$rootfs/bin/script"
    make_bundle "$id" '.root.path = $rootfs | .process.args = ["text"]' --arg rootfs "$rootfs"
    logged 'exec format error' run --bundle "$bundle" "$id"
    [ "$refusal" -eq 126 ]
    make_bundle "$id" '.root.path = $rootfs | .process.args = ["script"]' --arg rootfs "$rootfs"
    logged 'no such file or directory' run --bundle "$bundle" "$id"
    [ "$refusal" -eq 127 ]
}

@test "exec tells the same as create, and 255 for what is mrun's own" {
    start_script 'sleep 1000'
    logged 'exec failed: exec: "nosuch": executable file not found in $PATH' exec "$id" nosuch
    [ "$refusal" -eq 127 ]
    logged 'exec failed: exec: "/no/such": no such file or directory' exec "$id" /no/such
    [ "$refusal" -eq 127 ]
    logged 'exec failed: exec: "/etc/passwd": permission denied' exec "$id" /etc/passwd
    [ "$refusal" -eq 126 ]
    logged 'exec failed: chdir to cwd ("/nosuch")' exec --cwd /nosuch "$id" true
    [ "$refusal" -eq 255 ]
    logged 'exec args cannot be empty' exec "$id"
    [ "$refusal" -eq 255 ]
    logged 'exec failed: invalid user' exec --user 1: "$id" true
    [ "$refusal" -eq 255 ]
}

@test "commands that do not fit the state say so" {
    start_script 'sleep 1000'
    logged 'cannot start an already running container' start "$id"
    logged "cannot delete container $id that is not stopped: running" delete "$id"
    logged 'container not paused' resume "$id"
    mrun pause "$id"
    logged 'container not running' pause "$id"
    logged 'cannot exec in a paused container' exec "$id" true
    [ "$refusal" -eq 255 ]
    logged 'cannot start a container in the paused state' start "$id"
    logged "cannot delete container $id that is not stopped: paused" delete "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    logged 'container not running' kill "$id" KILL
    logged 'container not running' kill "$id"
    logged 'container not running' pause "$id"
    logged 'container not paused' resume "$id"
    logged 'cannot exec in a stopped container' exec "$id" true
    [ "$refusal" -eq 255 ]
    logged 'cannot start a container that has stopped' start "$id"
    # The shim ends what may be left with --all.
    mrun kill --all "$id" 9
}

@test "a signal that is none is unknown" {
    start_script 'sleep 1000'
    local name
    for name in FOO SIGFOO 65 ''; do
        logged "unknown signal \"$name\"" kill "$id" "$name"
    done
    has_status "$id" running
    # By number, as podman and the shim do it, and by name, as buildah does.
    mrun kill "$id" 0
    mrun kill "$id" SIGKILL
    wait_until 5 has_status "$id" stopped
}

@test "a bundle that is not right is told before anything is made" {
    new_id
    make_bundle "$id"
    logged 'no such directory' create --bundle "$BATS_TEST_TMPDIR/nosuch" "$id"
    mkdir "$BATS_TEST_TMPDIR/empty"
    logged 'JSON specification file config.json not found' create --bundle "$BATS_TEST_TMPDIR/empty" "$id"
    make_bundle "$id" '.process.cwd = "tmp"'
    logged 'Cwd must be an absolute path' create --bundle "$bundle" "$id"
    make_bundle "$id" '.process.args = []'
    logged 'args must not be empty' create --bundle "$bundle" "$id"
    make_bundle "$id" '.root.path = "nosuch"'
    logged 'invalid rootfs' create --bundle "$bundle" "$id"
    [ -z "$(list_state "$ROOT")" ]
}

@test "a file that is to lie on a folder is told with not a directory" {
    new_id
    make_bundle "$id" '.mounts += [{destination: "/etc", type: "bind", source: "/etc/passwd", options: ["bind"]}]'
    logged 'not a directory' create --bundle "$bundle" "$id"
}

@test "a container whose memory does not even hold its init is told as out of memory" {
    [ "$(cgroup_version)" -eq 1 ] || skip 'the test of v2 is in Tests/VM'
    new_id
    make_bundle "$id" '.linux.resources.memory = {limit: 4096, swap: 4096}'
    logged 'container init was OOM-killed (memory limit too low?)' create --bundle "$bundle" "$id"
    [ "$refusal" -eq 1 ]
    [ ! -e "$ROOT/$id" ]
    logged 'container init was OOM-killed (memory limit too low?)' run --bundle "$bundle" "$id"
    [ ! -e "$ROOT/$id" ]
}

@test "an exec that the kernel kills for want of memory is told as that" {
    [ "$(cgroup_version)" -eq 1 ] || skip 'the test of v2 is in Tests/VM'
    start_script 'sleep 1000' '.linux.resources.memory = {limit: 8388608, swap: 8388608}'
    local directory
    directory=$(cgroup_directory memory "$id")
    mkdir "$directory/sub"
    echo 4096 >"$directory/sub/memory.limit_in_bytes"
    logged '(possibly OOM-killed)' exec --cgroup memory:sub "$id" true
    [ "$refusal" -eq 255 ]
    has_status "$id" running
}

@test "without --log the message is one line of text on standard error" {
    refused 'does not exist' mrun state no-such-id
    [ "$refusal" -eq 1 ]
    run --separate-stderr mrun --log-format json state no-such-id
    [ "$status" -eq 1 ]
    [ -z "$output" ]
    jq -e '.level == "error" and (.msg | contains("does not exist"))' <<<"$stderr" >/dev/null
    refused 'invalid log-format: xml' mrun --log-format xml list
}

@test "success prints nothing, and logs nothing" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    local log=$BATS_TEST_TMPDIR/log.json command
    quiet() {
        timeout 60 "$MRUN" --root "$ROOT" --log "$log" --log-format json "$@" >"$bundle/out" 2>&1 </dev/null 3>&-
        [ ! -s "$bundle/out" ]
        [ ! -s "$log" ]
    }
    quiet create --bundle "$bundle" --pid-file "$bundle/pid" "$id"
    [ "$(cat "$bundle/pid")" = "$(pid_of "$id")" ]
    for command in start pause resume; do quiet "$command" "$id"; done
    quiet exec "$id" true
    quiet kill "$id" 9
    wait_until 5 has_status "$id" stopped
    quiet delete "$id"
    quiet delete --force "$id"
}

@test "an empty XDG_RUNTIME_DIR and an environment without PATH change nothing" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle"
    env -i XDG_RUNTIME_DIR= "$MRUN" --root "$ROOT" start "$id"
    [ "$(env -i XDG_RUNTIME_DIR= "$MRUN" --root "$ROOT" state "$id" | jq -r .status)" = running ]
    env -i "$MRUN" --root "$ROOT" kill "$id" 9
    wait_until 5 has_status "$id" stopped
    env -i "$MRUN" --root "$ROOT" delete "$id"
}
