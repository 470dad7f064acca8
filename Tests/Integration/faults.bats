#!/usr/bin/env bats
# What goes wrong around mrun, or in the middle of it, must leave nothing that delete --force does not remove.
#
# Where chance plays a part, SEED is printed on failure, and can be given to have the same numbers again.

load helpers

setup_file() { make_rootfs; }

setup() {
    begin
    SEED=${SEED:-$RANDOM}
    RANDOM=$SEED
}

teardown() {
    [ "${BATS_TEST_COMPLETED:-}" = 1 ] || echo "SEED=$SEED"
    finish
}

# traces ID: what is left of a container: its state, and its cgroups.
traces() {
    local left=() path
    for path in "$ROOT/$1" /sys/fs/cgroup/*/mrun/"$1" /sys/fs/cgroup/mrun/"$1"; do
        [ ! -e "$path" ] || left+=("$path")
    done
    echo "${left[*]}"
}

# gone ID: fails, and says what, when there is anything left.
gone() {
    local left
    left=$(traces "$1")
    [ -z "$left" ] || { echo "left of $1: $left" && return 1; }
}

# --- at once --------------------------------------------------------------------------------------------------------

@test "of twenty creates of one id exactly one wins, and the others leave nothing and say why" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "echo works; sleep 1000"]'
    local number pids=() won=0
    for number in {1..20}; do
        mrun create --bundle "$bundle" "$id" >"$bundle/out-$number" 2>"$bundle/err-$number" </dev/null 3>&- &
        pids+=($!)
    done
    for number in {1..20}; do
        if wait "${pids[number - 1]}"; then
            won=$((won + 1))
            mv "$bundle/out-$number" "$bundle/out"
        else
            # Some come so early that the winner has its cgroups, but not yet its id.
            grep -q -e 'container with given ID already exists' -e 'in use' -e 'belongs to another' "$bundle/err-$number" ||
                { cat "$bundle/err-$number" && return 1; }
        fi
    done
    [ "$won" -eq 1 ]
    has_status "$id" created
    mrun start "$id"
    wait_until 5 output_has "$bundle" works
    [ "$(cgroup_value freezer "$id" cgroup.procs)" = "$(pid_of "$id")" ]
}

@test "commands on one container at once neither hang nor crash, and it can be deleted" {
    local round command pids status number
    for ((round = 0; round < ${MRUN_ROUNDS:-15}; round++)); do
        new_id
        make_bundle "$id" '.process.args = ["sleep", "1000"]'
        create_container "$id" "$bundle"
        pids=()
        local commands=("start $id" "kill $id KILL" "delete --force $id" "state $id" "exec $id true" "list" "pause $id" "resume $id" "ps $id")
        # In another order every time.
        while read -r command; do
            # shellcheck disable=SC2086 # a command and its arguments
            MRUN_TIMEOUT=20 mrun $command >/dev/null 2>"$bundle/error-${command%% *}" </dev/null 3>&- &
            pids+=($!)
            [ $((RANDOM % 3)) -ne 0 ] || sleep "0.00$((RANDOM % 10))"
        done < <(printf '%s\n' "${commands[@]}" | shuf --random-source=<(yes "$RANDOM"))
        for number in "${!pids[@]}"; do
            status=0
            wait "${pids[number]}" || status=$?
            # A time-out, or the death by a signal.
            [ "$status" -lt 124 ] || [ "$status" -ge 255 ] || { echo "round $round: $status" && cat "$bundle"/error-* && return 1; }
        done
        mrun delete --force "$id"
        gone "$id"
    done
}

# killed_at_random ROUNDS COMMAND...: runs the command so many times and ends it by SIGKILL after up to a few
# milliseconds; `delete --force` must find all that it has made.
killed_at_random() {
    local rounds=$1 round pid finished=0 found=0 delay limit=1000
    shift
    for ((round = 0; round < rounds; round++)); do
        setsid "$MRUN" --root "$ROOT" "$@" >/dev/null 2>&1 </dev/null 3>&- &
        pid=$!
        # Counts instead of sleeping, which is not precise enough; how far, depends on how fast the machine is just now.
        delay=$((RANDOM % limit))
        while [ "$delay" -gt 0 ]; do delay=$((delay - 1)); done
        # By itself, or all of it.
        if [ $((RANDOM % 2)) -eq 0 ]; then kill -KILL "$pid"; else kill -KILL -- "-$pid"; fi 2>/dev/null || :
        if wait "$pid"; then
            finished=$((finished + 1))
            limit=$((limit * 9 / 10 + 10))
        else
            limit=$((limit * 21 / 20 + 10))
        fi
        [ -z "$(traces "$id")" ] || found=$((found + 1))
        timeout 20 "$MRUN" --root "$ROOT" delete --force "$id"
        gone "$id" || { echo "round $round" && return 1; }
    done
    echo "of $rounds rounds $finished finished before they were killed, and $found left something to be removed"
    # Neither always too early nor always too late.
    [ "$found" -gt 0 ]
    [ "$finished" -lt "$rounds" ]
}

@test "a create that is killed at any time leaves nothing that delete --force does not remove, and the id is free" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    killed_at_random "${MRUN_ROUNDS:-100}" create --bundle "$bundle" "$id"
    detach_container "$id" "$bundle"
    has_status "$id" running
    mrun delete --force "$id"
    assert_clean
}

@test "so does a run --detach, also with a staying init" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    killed_at_random "$((${MRUN_ROUNDS:-100} / 2))" run --detach --bundle "$bundle" "$id"
    killed_at_random "$((${MRUN_ROUNDS:-100} / 2))" run --detach --init --bundle "$bundle" "$id"
    assert_clean
}

@test "a start, a pause and a delete that are killed at any time can be followed by a delete" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    local command round pid
    for command in start 'delete --force' pause; do
        for ((round = 0; round < 15; round++)); do
            create_container "$id" "$bundle"
            # shellcheck disable=SC2086 # a command and its option
            "$MRUN" --root "$ROOT" $command "$id" >/dev/null 2>&1 </dev/null 3>&- &
            pid=$!
            [ $((RANDOM % 2)) -eq 0 ] || sleep "0.00$((RANDOM % 6))"
            kill -KILL "$pid" 2>/dev/null || :
            wait "$pid" || :
            mrun list >/dev/null
            mrun delete --force "$id"
            gone "$id"
        done
    done
}

# --- damaged state --------------------------------------------------------------------------------------------------

# damage KIND: makes the record of the container `id` unreadable.
damage() {
    local record=$ROOT/$id/state.json
    case $1 in
    missing) rm "$record" ;;
    empty) : >"$record" ;;
    torn) head -c 100 "$record" >"$record.torn" && mv "$record.torn" "$record" ;;
    garbage) head -c 4096 /dev/urandom >"$record" ;;
    zeros) head -c 4096 /dev/zero >"$record" ;;
    other) echo '{"version": 99}' >"$record" ;;
    array) echo '[]' >"$record" ;;
    folder) rm "$record" && mkdir "$record" ;;
    esac
}

@test "a damaged record neither hides other containers nor keeps its own alive" {
    start_script 'sleep 1000'
    local good=$id kind pid
    for kind in missing empty torn garbage zeros other array; do
        start_script 'trap "" TERM; sleep 1000 & sleep 1000'
        pid=$(pid_of "$id")
        damage "$kind"
        run --separate-stderr mrun list --format json
        [ "$status" -eq 0 ]
        [ "$(jq -r '.[].id' <<<"$output")" = "$good" ]
        [[ $stderr == *"$id"* ]]
        mrun list -q | grep -qx "$id"
        refused "$id" mrun state "$id"
        refused '' mrun kill "$id" KILL
        mrun delete --force "$id"
        gone "$id"
        [ ! -e "/proc/$pid" ] || [ "$(cut -d ' ' -f 3 <"/proc/$pid/stat")" = Z ] || { echo "$kind: $pid is alive" && return 1; }
    done
    has_status "$good" running
}

@test "a damaged record does not lead to anything but the container" {
    mkdir "$BATS_TEST_TMPDIR/precious"
    # Paths outside of cgroupfs, or with steps that leave it, are not followed.
    local path
    for path in "$BATS_TEST_TMPDIR/precious" "/sys/fs/cgroup/../../..$BATS_TEST_TMPDIR/precious" /sys/fs/cgroup; do
        start_script 'sleep 1000'
        jq --arg path "$path" '.cgroups.directories = {freezer: $path}' "$ROOT/$id/state.json" >"$BATS_TEST_TMPDIR/new"
        cp "$BATS_TEST_TMPDIR/new" "$ROOT/$id/state.json"
        MRUN_TIMEOUT=20 mrun delete --force "$id" || :
        mrun delete --force "$id"
        [ -d "$BATS_TEST_TMPDIR/precious" ]
        gone "$id"
    done
}

@test "a link in the state root is not followed" {
    mkdir "$BATS_TEST_TMPDIR/precious"
    echo '{}' >"$BATS_TEST_TMPDIR/precious/state.json"
    ln -s "$BATS_TEST_TMPDIR/precious" "$ROOT/planted"
    new_id
    make_bundle "$id"
    local command
    for command in 'state planted' 'start planted' 'kill planted KILL' 'delete planted' 'delete --force planted' 'exec planted true' \
        "create --bundle $bundle planted" "run --bundle $bundle planted"; do
        # shellcheck disable=SC2086 # a command and its arguments
        refused 'planted' mrun $command
    done
    [ "$(ls "$BATS_TEST_TMPDIR/precious")" = state.json ]
    [ "$(cat "$BATS_TEST_TMPDIR/precious/state.json")" = '{}' ]
    # Nor are links in the folder of a container.
    start_script 'sleep 1000'
    mv "$ROOT/$id/state.json" "$BATS_TEST_TMPDIR/record"
    ln -s "$BATS_TEST_TMPDIR/record" "$ROOT/$id/state.json"
    refused '' mrun state "$id"
    mrun delete --force "$id"
    [ -s "$BATS_TEST_TMPDIR/record" ]
    rm "$ROOT/planted"
    mkfifo "$ROOT/pipe"
    MRUN_TIMEOUT=10 refused 'pipe' mrun state pipe
    rm "$ROOT/pipe"
}

@test "a pid that means another process by now is left alone" {
    start_script 'sleep 1000'
    # Start times are told in ticks of 10 ms: no pid comes round within one, but this test must not be that quick either.
    sleep 0.05
    env -i sleep 1007 3>&- &
    local innocent=$!
    jq --argjson pid "$innocent" '.pid = $pid' "$ROOT/$id/state.json" >"$BATS_TEST_TMPDIR/new"
    cp "$BATS_TEST_TMPDIR/new" "$ROOT/$id/state.json"
    has_status "$id" stopped
    [ "$(pid_of "$id")" -eq 0 ]
    refused 'container not running' mrun kill "$id" KILL
    refused 'container not running' mrun pause "$id"
    refused 'cannot exec in a stopped container' mrun exec "$id" true
    mrun delete --force "$id"
    kill -0 "$innocent"
    kill -KILL "$innocent"
    # What really was the container is gone: assert_clean sees to that.
}

@test "after a reboot the record is of a stopped container, whatever has its pid" {
    start_script 'sleep 1000'
    jq '.bootID = "00000000-0000-0000-0000-000000000000"' "$ROOT/$id/state.json" >"$BATS_TEST_TMPDIR/new"
    cp "$BATS_TEST_TMPDIR/new" "$ROOT/$id/state.json"
    has_status "$id" stopped
    refused 'container not running' mrun kill "$id" KILL
    mrun delete --force "$id"
    gone "$id"
}

# --- a state root that cannot be written ----------------------------------------------------------------------------

@test "a full state root fails create, and neither hides nor harms the containers that are there" {
    in_private_mounts || return 0
    mount -t tmpfs -o size=64k,nr_inodes=30 tmpfs "$ROOT"
    start_script 'sleep 1000'
    local old=$id what
    for what in space inodes; do
        if [ "$what" = space ]; then
            dd if=/dev/zero of="$ROOT/.fill" bs=1k 2>/dev/null || :
        else
            local number=0
            while touch "$ROOT/.inode-$number" 2>/dev/null; do number=$((number + 1)); done
        fi
        new_id
        make_bundle "$id"
        refused 'No space left' mrun create --bundle "$bundle" "$id"
        gone "$id"
        refused 'No space left' mrun run --bundle "$bundle" "$id"
        gone "$id"
        has_status "$old" running
        [ "$(mrun list -q)" = "$old" ]
        mrun pause "$old"
        mrun resume "$old"
        [ "$(mrun exec "$old" echo works)" = works ]
        rm -f "$ROOT"/.fill "$ROOT"/.inode-*
    done
    dd if=/dev/zero of="$ROOT/.fill" bs=1k 2>/dev/null || :
    mrun kill "$old" KILL
    wait_until 5 has_status "$old" stopped
    mrun delete "$old"
    gone "$old"
    umount "$ROOT"
}

@test "a read-only state root fails create, and shows the containers that are there" {
    in_private_mounts || return 0
    mount -t tmpfs tmpfs "$ROOT"
    start_script 'sleep 1000'
    local old=$id
    mount -o remount,ro "$ROOT"
    new_id
    make_bundle "$id"
    refused 'Read-only file system' mrun create --bundle "$bundle" "$id"
    gone "$id"
    has_status "$old" running
    mrun kill "$old" KILL
    wait_until 5 has_status "$old" stopped
    refused 'Read-only file system' mrun delete "$old"
    mount -o remount,rw "$ROOT"
    mrun delete "$old"
    umount "$ROOT"
}

@test "a state root that is no folder is refused" {
    touch "$BATS_TEST_TMPDIR/file"
    new_id
    make_bundle "$id"
    refused 'Not a directory' "$MRUN" --root "$BATS_TEST_TMPDIR/file" create --bundle "$bundle" "$id"
    refused 'Not a directory' "$MRUN" --root "$BATS_TEST_TMPDIR/file/below" create --bundle "$bundle" "$id"
    refused '/' "$MRUN" --root / list
    [ -z "$(own_cgroups)" ]
}

# --- output that nobody takes ---------------------------------------------------------------------------------------

@test "nobody reads the container's output: it can still be ended, and run returns" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    # Somebody has it open, and does not read.
    exec 8<>"$BATS_TEST_TMPDIR/pipe"
    local option runner status
    for option in '' --init; do
        new_id
        make_bundle "$id" '.process.args = ["yes"]'
        # shellcheck disable=SC2086 # none or one word
        mrun run $option --bundle "$bundle" "$id" >"$BATS_TEST_TMPDIR/pipe" 2>&1 </dev/null 3>&- 8>&- &
        runner=$!
        wait_until 5 has_status "$id" running
        sleep 0.2
        mrun kill "$id" KILL
        status=0
        wait "$runner" || status=$?
        [ "$status" -eq 137 ]
        gone "$id"
    done
    exec 8>&-
}

@test "output of mrun that cannot be written is an error" {
    start_script 'sleep 1000'
    local command status
    for command in "state $id" list 'list -q' "ps $id" "ps -f json $id" --version --help 'help run' 'completion bash'; do
        status=0
        # shellcheck disable=SC2086 # a command and its arguments
        mrun $command >/dev/full 2>"$BATS_TEST_TMPDIR/error" || status=$?
        [ "$status" -eq 1 ]
        grep -q 'No space left' "$BATS_TEST_TMPDIR/error"
        # A reader that has gone is no crash either.
        # shellcheck disable=SC2086 # a command and its arguments
        { mrun $command || echo $? >"$BATS_TEST_TMPDIR/status"; } 2>/dev/null | true
    done
}

# --- over and over --------------------------------------------------------------------------------------------------

@test "two hundred containers, one after the other, leave nothing" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    local cycle before after
    before=$(find /sys/fs/cgroup -type d -path '*/mrun*' | wc -l)
    SECONDS=0
    for ((cycle = 0; cycle < ${MRUN_CYCLES:-200}; cycle++)); do
        "$MRUN" --root "$ROOT" create --bundle "$bundle" "$id" >/dev/null 2>&1 </dev/null 3>&-
        "$MRUN" --root "$ROOT" start "$id"
        "$MRUN" --root "$ROOT" exec "$id" true </dev/null
        "$MRUN" --root "$ROOT" kill "$id" KILL
        "$MRUN" --root "$ROOT" delete --force "$id"
    done
    echo "$SECONDS s"
    after=$(find /sys/fs/cgroup -type d -path '*/mrun*' | wc -l)
    # The parent that all containers share may be new.
    [ "$after" -le $((before + 12)) ]
    [ -z "$(list_state "$ROOT")" ]
    run ! grep -q "$BATS_RUN_TMPDIR" /proc/self/mountinfo
    assert_clean
}

@test "thirty containers at once all live and all go" {
    local number all=()
    for number in {1..30}; do
        new_id
        make_bundle "$id" '.process.args = ["sleep", "1000"]'
        detach_container "$id" "$bundle"
        all+=("$id")
    done
    [ "$(mrun list --format json | jq '[.[] | select(.status == "running")] | length')" -eq 30 ]
    for id in "${all[@]}"; do mrun delete --force "$id" & done
    wait
    [ -z "$(list_state "$ROOT")" ]
}
