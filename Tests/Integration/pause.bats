#!/usr/bin/env bats
# Pause, resume, and what a paused container must not do.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# Counts into its output, twenty times a second.
COUNTER='trap "exit 7" TERM; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.05; done'

# start_counter [JQ-FILTER [OPTION...]]: a container that counts; sets `id` and `bundle`.
start_counter() {
    start_script "$COUNTER" "$@"
    wait_until 5 output_has "$bundle" 3
}

count() { tail -n 1 "$bundle/out"; }
freezer_state() { cgroup_value freezer "$id" freezer.state; }
counts_on() { [ "$(count)" -gt "$1" ]; }

@test "pause stands the task still, says so in the cgroup and in state, and resume lets it go on" {
    [ "$(cgroup_version)" -eq 1 ] || skip "needs the v1 freezer"
    start_counter
    [ "$(freezer_state)" = THAWED ]
    mrun pause "$id"
    [ "$(freezer_state)" = FROZEN ]
    has_status "$id" paused
    local before
    before=$(count)
    sleep 0.3
    [ "$(count)" = "$before" ]
    mrun resume "$id"
    [ "$(freezer_state)" = THAWED ]
    has_status "$id" running
    wait_until 5 counts_on "$before"
}

@test "all of a container stands still, children and what was executed later too" {
    start_counter
    mrun exec --detach "$id" sh -c 'while :; do echo x >>/dev/shm/other; sleep 0.02; done' >/dev/null 2>&1 </dev/null 3>&-
    sleep 0.1
    mrun pause "$id"
    local pid states=
    for pid in $(cgroup_value freezer "$id" cgroup.procs); do
        states+=$(cut -d ' ' -f 3 <"/proc/$pid/stat")
    done
    # v1's frozen tasks sleep uninterruptibly.
    [[ $states =~ ^D+$ ]]
    [ "${#states}" -ge 3 ]
    mrun resume "$id"
}

@test "pause of a paused and resume of a running container are refused" {
    start_counter
    refused 'container not paused' mrun resume "$id"
    mrun pause "$id"
    refused 'container not running (it is paused already)' mrun pause "$id"
    has_status "$id" paused
    mrun resume "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'container not running' mrun pause "$id"
    refused 'container not paused' mrun resume "$id"
}

@test "exec into a paused container is refused at once" {
    start_counter
    mrun pause "$id"
    SECONDS=0
    refused 'exec failed: cannot exec in a paused container' mrun exec "$id" true
    [ "$refusal" -eq 255 ]
    [ "$SECONDS" -le 2 ]
    # No process was made that would wait for the thaw.
    [ "$(mrun ps --format json "$id" | jq length)" -le 2 ]
    mrun resume "$id"
}

@test "kill TERM of a paused container waits for its resume" {
    start_counter
    mrun pause "$id"
    mrun kill "$id" TERM
    sleep 0.3
    has_status "$id" paused
    mrun resume "$id"
    wait_until 5 has_status "$id" stopped
}

@test "kill KILL ends a paused container without a resume" {
    start_counter
    mrun pause "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    mrun delete "$id"

    # Also by --all, and where no pid namespace ends what is left.
    start_counter
    mrun pause "$id"
    mrun kill --all "$id" KILL
    wait_until 5 has_status "$id" stopped
    start_counter 'del(.linux.namespaces[] | select(.type == "pid"))'
    mrun pause "$id"
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
}

@test "delete --force removes a paused container in less than three seconds" {
    start_counter
    mrun pause "$id"
    SECONDS=0
    mrun delete --force "$id"
    [ "$SECONDS" -le 3 ]
    [ -z "$(list_state "$ROOT")" ]
    start_counter . --init
    mrun pause "$id"
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]
}

@test "a container that is only created can be paused and resumed" {
    new_id
    make_bundle "$id" '.process.args = ["echo", "started"]'
    create_container "$id" "$bundle"
    mrun pause "$id"
    has_status "$id" paused
    refused 'cannot start a container in the paused state' mrun start "$id"
    mrun resume "$id"
    has_status "$id" created
    mrun start "$id"
    wait_until 5 output_has "$bundle" started
}

@test "wait and list do not mind a paused container" {
    start_counter . --init
    mrun pause "$id"
    [ "$(mrun list --format json | jq -r '.[0].status')" = paused ]
    run timeout 0.5 "$MRUN" --root "$ROOT" wait "$id"
    [ "$status" -eq 124 ]
    [ -z "$output" ]
    mrun resume "$id"
    mrun kill "$id" TERM
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 7 ]
}

# freeze_inside: moves the processes of the container into a sub-cgroup and freezes that one, as one of them could do.
freeze_inside() {
    local pid pids directory
    directory=$(cgroup_directory freezer "$id")
    mkdir "$directory/inner"
    mapfile -t pids <"$directory/cgroup.procs"
    for pid in "${pids[@]}"; do echo "$pid" >"$directory/inner/cgroup.procs" || :; done
    echo FROZEN >"$directory/inner/freezer.state"
    wait_until 5 grep -q FROZEN "$directory/inner/freezer.state"
}

@test "what a container froze inside of itself does not keep it from being ended" {
    [ "$(cgroup_version)" -eq 1 ] || skip "needs the v1 freezer"
    start_counter
    freeze_inside
    # That is not a pause of the container, and no resume is needed.
    has_status "$id" running
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]

    start_counter
    freeze_inside
    mrun pause "$id"
    has_status "$id" paused
    mrun resume "$id"
    SECONDS=0
    mrun delete --force "$id"
    [ "$SECONDS" -le 3 ]
}

@test "a container that was frozen by others can be deleted" {
    [ "$(cgroup_version)" -eq 1 ] || skip "needs the v1 freezer"
    start_counter
    echo FROZEN >"$(cgroup_directory freezer "$id")/freezer.state"
    has_status "$id" paused
    mrun delete --force "$id"
    [ -z "$(own_cgroups)" ]
}

@test "a hundred pauses and resumes in a row all work" {
    start_counter
    local round
    for ((round = 0; round < 100; round++)); do
        mrun pause "$id"
        mrun resume "$id"
    done
    local before
    before=$(count)
    wait_until 5 counts_on "$before"
}
