#!/usr/bin/env bats
# A container from create to delete, as engines and people lead it.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# A task that ends at once when it is asked to. (Pid 1 of a namespace gets no signal that it does not handle.)
PATIENT='trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'
NO_PID_NAMESPACE='del(.linux.namespaces[] | select(.type == "pid"))'

@test "create, start, kill and delete lead a container through its life, and state tells where it is" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script] | .annotations = {"org.example.key": "value"}' \
        --arg script "$PATIENT"
    create_container "$id" "$bundle"
    has_status "$id" created
    local pid
    pid=$(pid_of "$id")
    [ "$pid" -gt 1 ] && [ -d "/proc/$pid" ]
    [ ! -s "$bundle/out" ] # The task has not run yet.

    mrun start "$id"
    has_status "$id" running
    [ "$(pid_of "$id")" -eq "$pid" ]
    wait_until 5 output_has "$bundle" ready
    [ "$(mrun state "$id" | jq -r .id)" = "$id" ]
    [ "$(mrun state "$id" | jq -r .bundle)" = "$bundle" ]
    [ "$(mrun state "$id" | jq -r .rootfs)" = "$ROOTFS" ]
    [ "$(mrun state "$id" | jq -r '.annotations["org.example.key"]')" = value ]
    [ "$(mrun state "$id" | jq -r .ociVersion)" = 1.3.0 ]
    # `created` is a time that date(1) takes, and is now.
    local created
    created=$(date -d "$(mrun state "$id" | jq -r .created)" +%s)
    [ $(($(date +%s) - created)) -le 60 ]

    mrun kill "$id"
    wait_until 5 has_status "$id" stopped
    [ "$(pid_of "$id")" -eq 0 ]
    mrun delete "$id"
    refused 'does not exist' mrun state "$id"
    [ "$refusal" -eq 1 ]
}

@test "run in the foreground answers with the task's exit status" {
    local code
    for code in 0 7 255; do
        run_script "exit $code"
        [ "$status" -eq "$code" ]
    done
    run_script 'kill -TERM $$' "$NO_PID_NAMESPACE"
    [ "$status" -eq 143 ]
    run_script 'kill -SEGV $$' . --init
    [ "$status" -eq 139 ]
    run_script 'kill -KILL $$' . --init
    [ "$status" -eq 137 ]
    # Real-time signals too.
    run_script 'kill -40 $$' "$NO_PID_NAMESPACE"
    [ "$status" -eq 168 ]
}

@test "run passes the task's output and input through" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "cat; echo to stderr >&2; hostname"]'
    run --separate-stderr mrun run --bundle "$bundle" "$id" <<<"from stdin"
    [ "$status" -eq 0 ]
    [ "$output" = $'from stdin\nmrun' ]
    [ "$stderr" = "to stderr" ]
}

@test "run deletes the container at its end, unless it is told to keep it" {
    run_script 'exit 3'
    [ -z "$(mrun list -q)" ]
    run_script 'exit 3' . --keep
    [ "$status" -eq 3 ]
    [ "$(mrun list -q)" = "$id" ]
    has_status "$id" stopped
    [ -n "$(tagged_cgroups)" ]
    mrun delete "$id"
    [ -z "$(mrun list -q)" ]
}

@test "run --detach returns while the task runs" {
    start_script "$PATIENT"
    has_status "$id" running
    wait_until 5 output_has "$bundle" ready
    mrun delete --force "$id"
}

@test "run --detach fails when the task cannot be executed" {
    new_id
    make_bundle "$id" '.process.args = ["/bin/nosuch"]'
    refused 'no such file or directory' mrun run --detach --bundle "$bundle" "$id"
    [ -z "$(list_state "$ROOT")" ]
}

@test "the pid file holds the pid, without a newline" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle" --pid-file "$bundle/pid"
    [ "$(od -An -c "$bundle/pid" | tr -d ' ')" = "$(pid_of "$id")" ]
    mrun delete "$id"
    detach_container "$id" "$bundle" --pid-file "$bundle/pid"
    [ "$(od -An -c "$bundle/pid" | tr -d ' ')" = "$(pid_of "$id")" ]
}

@test "a pid file that is a link is replaced, not written through" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    echo precious >"$BATS_TEST_TMPDIR/precious"
    ln -s "$BATS_TEST_TMPDIR/precious" "$bundle/pid"
    create_container "$id" "$bundle" --pid-file "$bundle/pid"
    [ "$(cat "$BATS_TEST_TMPDIR/precious")" = precious ]
    [ ! -L "$bundle/pid" ]
    [ "$(cat "$bundle/pid")" = "$(pid_of "$id")" ]
    # No temporary file stays beside it.
    [ "$(find "$bundle" -maxdepth 1 -name '.*' -type f | wc -l)" -eq 0 ]
}

@test "a pid file that cannot be written fails create, and leaves nothing" {
    new_id
    make_bundle "$id"
    refused 'no such file or directory' mrun create --bundle "$bundle" --pid-file "$bundle/none/pid" "$id"
    [ -z "$(list_state "$ROOT")" ]
    [ -z "$(own_cgroups)" ]
}

@test "bundle, rootfs and pid file are found relative to where they are named" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"] | .root.path = "root"'
    cp -a "$ROOTFS" "$bundle/root"
    cd "$BATS_TEST_TMPDIR"
    create_container "$id" "./${bundle##*/}" --pid-file here.pid
    [ "$(cat "$BATS_TEST_TMPDIR/here.pid")" = "$(pid_of "$id")" ]
    [ "$(mrun state "$id" | jq -r .bundle)" = "$bundle" ]
    # Without --bundle it is the working directory, and the root of the state may be relative, too.
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    cd "$bundle"
    timeout 60 "$MRUN" --root ../state create "$id" >out 2>err </dev/null 3>&-
    has_status "$id" created
}

@test "a container outlives its bundle" {
    start_script "$PATIENT"
    wait_until 5 output_has "$bundle" ready
    rm -rf "$bundle"
    has_status "$id" running
    [ "$(mrun exec "$id" echo still here)" = "still here" ]
    [ "$(mrun ps --format json "$id" | jq length)" -ge 1 ]
    mrun pause "$id"
    mrun resume "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    mrun delete "$id"
}

@test "what create read counts: a config that changes later has no effect" {
    new_id
    make_bundle "$id" '.process.args = ["echo", "as created"]'
    create_container "$id" "$bundle"
    echo '{}' >"$bundle/config.json"
    mrun start "$id"
    wait_until 5 has_status "$id" stopped
    [ "$(cat "$bundle/out")" = "as created" ]
}

@test "start refuses what is not created, in the words that clients know" {
    start_script "$PATIENT"
    refused 'cannot start an already running container' mrun start "$id"
    mrun pause "$id"
    refused 'cannot start a container in the paused state' mrun start "$id"
    mrun resume "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'cannot start a container that has stopped' mrun start "$id"
    # Nothing of this has harmed it.
    mrun delete "$id"
    refused 'does not exist' mrun start "$id"
}

@test "an id that is taken is refused, and its owner is not harmed" {
    start_script "$PATIENT"
    # Also when it is for its own bundle, whose cgroup is in use.
    refused 'container with given ID already exists' mrun create --bundle "$bundle" "$id"
    refused 'container with given ID already exists' mrun run --bundle "$bundle" "$id"
    has_status "$id" running
}

@test "delete refuses a running and a paused container, and takes a created one" {
    start_script "$PATIENT"
    refused "cannot delete container $id that is not stopped: running" mrun delete "$id"
    mrun pause "$id"
    refused "cannot delete container $id that is not stopped: paused" mrun delete "$id"
    mrun resume "$id"
    has_status "$id" running
    local first=$id
    new_id
    make_bundle "$id"
    create_container "$id" "$bundle"
    mrun delete "$id"
    [ "$(mrun list -q)" = "$first" ]
}

@test "delete --force ends what runs, and is content with what is not there" {
    start_script 'trap "" TERM HUP INT; while :; do sleep 1; done'
    mrun delete --force "$id"
    [ -z "$(list_state "$ROOT")" ]
    run mrun delete --force "$id"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    refused 'does not exist' mrun delete "$id"
    [ "$refusal" -eq 1 ]
}

@test "every command on an unknown id says that it does not exist" {
    local command
    for command in start state kill delete pause resume wait ps stats events; do
        refused 'does not exist' mrun "$command" nobody
        [ "$refusal" -eq 1 ]
    done
    refused 'does not exist' mrun exec nobody true
    [ "$refusal" -eq 255 ]
}

@test "kill refuses what has stopped, in the words that containerd looks for" {
    run_script true . --keep
    refused 'container not running' mrun kill "$id" KILL
    refused 'container not running' mrun pause "$id"
    # With --all it is a success: that is how leftovers are ended.
    mrun kill --all "$id" KILL
}

@test "a created container can be killed, and is stopped then" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "touch /tmp/ran"]'
    create_container "$id" "$bundle"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'cannot start a container that has stopped' mrun start "$id"
    mrun delete "$id"
}

@test "list tells of all containers, as a table, as JSON, and in brief" {
    [ "$(mrun list)" = "ID          PID         STATUS      BUNDLE      CREATED     OWNER" ]
    [ "$(mrun list --format json)" = null ]
    [ -z "$(mrun list --quiet)" ]
    start_script "$PATIENT"
    local first=$id
    run_script true . --keep
    local second=$id
    [ "$(mrun list -q)" = "$first"$'\n'"$second" ]
    run mrun list
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
    [[ ${lines[1]} =~ ^$first\ +$(pid_of "$first")\ +running\ +/.*\ +20[0-9T:.-]+Z\ +root$ ]]
    [[ ${lines[2]} =~ ^$second\ +0\ +stopped\ +/.*\ root$ ]]
    run mrun list -f json
    [ "${#lines[@]}" -eq 1 ]
    jq -e --arg first "$first" --arg second "$second" \
        '[.[] | [.id, .status, .owner]] == [[$first, "running", "root"], [$second, "stopped", "root"]]' <<<"$output"
    refused 'invalid format option' mrun list --format yaml
    refused 'no such file or directory' "$MRUN" --root "$ROOT/none" list
    mrun delete --force "$first"
    mrun delete "$second"
}

@test "ps lists the container's processes by their pids on the host" {
    start_script 'sleep 1001 & sleep 1002 & wait'
    has_processes() { [ "$(mrun ps --format json "$id" | jq length)" -eq 3 ]; }
    wait_until 5 has_processes
    [ "$(mrun ps -f json "$id" | jq -r '.[]' | sort)" = "$(cgroup_value freezer "$id" cgroup.procs | sort)" ]
    run mrun ps "$id"
    [ "$status" -eq 0 ]
    [[ ${lines[0]} =~ ^UID\ +PID\ +PPID ]]
    [ "${#lines[@]}" -eq 4 ]
    run mrun ps "$id" -o pid,args
    [[ ${lines[0]} =~ ^\ +PID\ COMMAND$ ]]
    [[ $output == *"sleep 1001"*"sleep 1002"* ]]
    refused "couldn't find PID field in ps output" mrun ps "$id" -o args
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    [ "$(mrun ps --format json "$id")" = '[]' ]
    [ "$(mrun ps "$id" | wc -l)" -eq 1 ]
}

@test "spec writes a config that runs, and does not overwrite one" {
    new_id
    mkdir "$BATS_TEST_TMPDIR/spec"
    mrun spec --bundle "$BATS_TEST_TMPDIR/spec"
    refused 'File config.json exists. Remove it first' mrun spec --bundle "$BATS_TEST_TMPDIR/spec"
    cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/spec/rootfs"
    # As it is, with a terminal; the words are echoed there.
    run mrun run --bundle "$BATS_TEST_TMPDIR/spec" "$id" <<<'hostname; id -u; exit 5'
    [ "$status" -eq 5 ]
    [[ $output == *$'mrun\r'* ]]
    jq '.process.terminal = false' "$BATS_TEST_TMPDIR/spec/config.json" >"$BATS_TEST_TMPDIR/spec/plain"
    mv "$BATS_TEST_TMPDIR/spec/plain" "$BATS_TEST_TMPDIR/spec/config.json"
    run mrun run --bundle "$BATS_TEST_TMPDIR/spec" "$id" <<<'hostname; id -u; exit 5'
    [ "$status" -eq 5 ]
    [ "$output" = $'mrun\n0' ]
}

@test "the bundle oci-minimal runs as its README says" {
    local bundle=$BATS_TEST_TMPDIR/oci-minimal
    cp -r "$REPO/bundles/oci-minimal" "$bundle"
    rm -rf "$bundle/rootfs"
    "$bundle/make-rootfs"
    # Its cgroup has a fixed name: another one here, so that two runs of these tests do not meet.
    new_id
    jq --arg path "/mrun/$id" '.linux.cgroupsPath = $path' "$bundle/config.json" >"$bundle/changed"
    mv "$bundle/changed" "$bundle/config.json"
    cd "$bundle"
    run mrun run --bundle . "$id"
    [ "$status" -eq 0 ]
    [ "$output" = "hello from mrun" ]
}

# --- how a task ended -----------------------------------------------------------------------------------------------

# wait_in_background ID: `wait` into the file `waited`, as soon as it listens.
wait_in_background() {
    waited=$BATS_TEST_TMPDIR/waited-$1
    mrun wait "$1" >"$waited" 2>&1 </dev/null 3>&- &
    waiter=$!
    sleep 0.3
}

# plain_container SCRIPT: a container without a staying init, whose parent is a foreground `run`: the kernel keeps the
# status for those who wait, from the moment at which the parent takes it, and other parents may take their time.
plain_container() {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script "$1"
    mrun run --keep --bundle "$bundle" "$id" >"$bundle/out" 2>&1 </dev/null 3>&- &
    runner=$!
    wait_until 5 output_has "$bundle" ready
}

@test "wait tells how a plain container ended, as long as it waited for it" {
    plain_container "$PATIENT"
    wait_in_background "$id"
    mrun kill "$id" TERM
    wait "$waiter"
    local status=0
    wait "$runner" || status=$?
    [ "$status" -eq 7 ]
    [ "$(wc -l <"$waited")" -eq 1 ]
    jq -e --arg id "$id" '.id == $id and .waitStatus == 1792 and .exitCode == 7 and .signal == null and
        .source == "kernel"' "$waited"

    plain_container "$PATIENT"
    wait_in_background "$id"
    mrun kill "$id" KILL
    wait "$waiter"
    jq -e '.waitStatus == 9 and .exitCode == null and .signal == 9 and .source == "kernel"' "$waited"
}

@test "wait says unknown of a plain container that ended before" {
    run_script 'exit 7' . --keep
    [ "$(mrun wait "$id" | jq -c '[.waitStatus, .source, .exitCode]')" = '["unknown","unknown",null]' ]
}

# init_record SCRIPT: runs it under a staying init, without a parent in the end; sets `record` to what wait says.
init_record() {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script "$1"
    create_container "$id" "$bundle" --init
    mrun start "$id"
    record=$(mrun wait "$id")
}

@test "with --init the end of the task is recorded, whoever is there to see it" {
    init_record 'exit 0'
    jq -e '.waitStatus == 0 and .exitCode == 0 and .source == "record"' <<<"$record"
    init_record 'exit 7'
    jq -e '.waitStatus == 1792 and .exitCode == 7 and .source == "record"' <<<"$record"
    init_record 'kill -SEGV $$'
    jq -e '(.waitStatus % 128) == 11 and .signal == 11 and .exitCode == null and .source == "record"' <<<"$record"
    # It can be asked again, state tells it too, and the times are in order.
    jq -e --argjson record "$record" '. == $record' < <(mrun wait "$id")
    jq -e --argjson record "$record" '.status == "stopped" and .exit == $record' < <(mrun state "$id")
    local started finished
    started=$(date -d "$(jq -r .startedAt <<<"$record")" +%s%N)
    finished=$(date -d "$(jq -r .finishedAt <<<"$record")" +%s%N)
    [ "$started" -le "$finished" ]
    [ "$finished" -le "$(date +%s%N)" ]
}

@test "with --init a task that was killed from outside is recorded" {
    start_script 'echo ready; exec sleep 1000' . --init
    wait_until 5 output_has "$bundle" ready
    # The task alone.
    pkill_children "$(pid_of "$id")"
    jq -e '.waitStatus == 9 and .signal == 9 and .source == "record"' < <(mrun wait "$id")
    # The init with it: it can write nothing any more.
    start_script 'echo ready; exec sleep 1000' . --init
    mrun kill "$id" KILL
    jq -e '.waitStatus == 9 and .signal == 9 and .source == "killed"' < <(mrun wait "$id")
}

# pkill_children PID: SIGKILL to the children of one process.
pkill_children() {
    local child
    xargs -n 1 kill -KILL <"/proc/$1/task/$1/children"
}

@test "with --init the record outlives the session that made the container" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "echo ready; sleep 0.5; exit 9"]'
    export -f mrun create_container
    setsid bash -c '. "$1"; create_container "$2" "$3" --init && mrun start "$2"' bash \
        <(declare -p MRUN ROOT; declare -f mrun create_container) "$id" "$bundle" </dev/null 3>&-
    wait_until 5 has_status "$id" stopped
    [ "$(mrun state "$id" | jq .exit.exitCode)" -eq 9 ]
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 9 ]
}

@test "with --init pid 1 is mrun-init, and it reaps orphans" {
    start_script '(sleep 0.1 &) ; sleep 0.4; echo "pid $$"; cat /proc/1/comm
        for p in /proc/[0-9]*; do read -r _ _ state _ <$p/stat && echo "state $state"; done; echo end' . --init
    wait_until 5 output_has "$bundle" end
    [ "$(grep -c '^mrun-init$' "$bundle/out")" -eq 1 ]
    [ "$(grep -c 'state Z' "$bundle/out")" -eq 0 ]
    run ! grep -q '^pid 1$' "$bundle/out"
}
