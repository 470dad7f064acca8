#!/usr/bin/env bats
# `events` and `stats`: what a container uses, in the form that clients of runc read.

load helpers

setup_file() { make_rootfs; }

setup() { begin; }

teardown() { finish; }

# listen ID [OPTION...]: `events` in the background, into $BATS_TEST_TMPDIR/events; sets `listener`.
listen() {
    mrun events "${@:2}" "$1" >"$BATS_TEST_TMPDIR/events" 2>"$BATS_TEST_TMPDIR/events.err" 3>&- &
    listener=$!
    wait_until 5 has_event stats
}

has_event() { grep -q "\"type\":\"$1\"" "$BATS_TEST_TMPDIR/events"; }

@test "statistics have the names that runc gives them" {
    start_script 'sleep 1000' '.linux.resources += {pids: {limit: 42}, memory: {limit: 67108864}, cpu: {quota: 50000, period: 100000}}'
    mrun events --stats "$id" >"$BATS_TEST_TMPDIR/stats"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/stats")" -eq 1 ]
    jq -e --arg id "$id" '.type == "stats" and .id == $id' "$BATS_TEST_TMPDIR/stats"
    jq -e '.data | .pids.current == 1 and .pids.limit == 42 and .memory.usage.limit == 67108864' "$BATS_TEST_TMPDIR/stats"
    jq -e '.data.cpu | .usage.total > 0 and (.usage | has("kernel") and has("user")) and has("throttling")' "$BATS_TEST_TMPDIR/stats"
    jq -e '.data | has("network_interfaces") and .network_interfaces == null and .intel_rdt == {} and has("hugetlb") and has("blkio")' \
        "$BATS_TEST_TMPDIR/stats"
    jq -e '.data.cpuset | (.cpus | length > 0) and (.mems | length > 0) and has("cpu_exclusive") and has("sched_relax_domain_level")' \
        "$BATS_TEST_TMPDIR/stats"
    jq -e '.data.memory | .raw | length > 10' "$BATS_TEST_TMPDIR/stats"
    [ "$(cgroup_version)" -eq 2 ] || jq -e '.data.memory | has("swap") and has("kernel") and has("kernelTCP")' "$BATS_TEST_TMPDIR/stats"
    [ "$(cgroup_version)" -eq 2 ] || jq -e '.data.cpu.usage.percpu | length > 0' "$BATS_TEST_TMPDIR/stats"
    [ "$(jq -cS 'keys' < <(mrun stats "$id"))" = "$(jq -cS '.data | keys' "$BATS_TEST_TMPDIR/stats")" ]
}

@test "the same members as runc's, and no others" {
    command -v runc >/dev/null || skip "runc is not installed"
    [ "$(cgroup_version)" -eq 1 ] || skip "compares on v1"
    start_script 'sleep 1000'
    # What is left out when it is zero comes and goes.
    local shape='[paths | map(select(type == "string")) | join(".")] | unique - ["data.cpu.usage.percpu_user"]
        | map(select(test("^data.(blkio|hugetlb|memory.raw|pids|cpu.throttling)[.]|[.](usage|max|total)$") | not))'
    mrun events --stats "$id" | jq -c "$shape" >"$BATS_TEST_TMPDIR/ours"
    mrun delete --force "$id"
    runc --root "$BATS_TEST_TMPDIR/runc" run --detach --bundle "$bundle" "$id" >/dev/null 2>&1 </dev/null 3>&-
    runc --root "$BATS_TEST_TMPDIR/runc" events --stats "$id" | jq -c "$shape" >"$BATS_TEST_TMPDIR/theirs"
    runc --root "$BATS_TEST_TMPDIR/runc" delete --force "$id"
    diff "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
}

@test "events come at the interval, and end with the container" {
    start_script 'sleep 1000'
    listen "$id" --interval 100ms
    many() { [ "$(grep -c '"type":"stats"' "$BATS_TEST_TMPDIR/events")" -ge 4 ]; }
    wait_until 10 many
    mrun kill "$id" KILL
    wait "$listener"
    jq -e -s 'all(.type == "stats")' "$BATS_TEST_TMPDIR/events"
    [ ! -s "$BATS_TEST_TMPDIR/events.err" ]
    refused 'is not running' mrun events "$id"
    refused 'is not running' mrun events --stats "$id"
    mrun delete "$id"
    refused 'does not exist' mrun events "$id"
}

@test "events end when the container is deleted meanwhile" {
    start_script 'sleep 1000'
    listen "$id" --interval 1h
    mrun delete --force "$id"
    wait "$listener"
    [ ! -s "$BATS_TEST_TMPDIR/events.err" ]
}

@test "intervals are Go's durations, above zero" {
    start_script 'sleep 1000'
    refused 'duration interval must be greater than 0' mrun events --interval 0 "$id"
    refused 'duration interval must be greater than 0' mrun events --interval 0s "$id"
    local bad
    for bad in x 5 -1s 1y ''; do refused 'duration' mrun events --interval "$bad" "$id"; done
}

# Takes more memory than there is.
GREEDY='x=x; while :; do x=$x$x$x$x; done'

@test "want of memory is an event at once, not at the next interval" {
    local limit='.linux.resources.memory = {limit: 8388608, swappiness: 0}'
    # In a process of its own: the container goes on.
    start_script "while [ ! -e /dev/shm/go ]; do sleep 0.05; done; sh -c '$GREEDY'; sleep 1000" "$limit"
    listen "$id" --interval 1h
    mrun exec "$id" touch /dev/shm/go
    wait_until 15 has_event oom
    jq -e -s --arg id "$id" '.[-1] | .type == "oom" and .id == $id' "$BATS_TEST_TMPDIR/events"
    has_status "$id" running
    mrun kill "$id" KILL
    wait "$listener"
    [ "$(grep -c '"type":"oom"' "$BATS_TEST_TMPDIR/events")" -eq 1 ]
}

@test "want of memory that ends the container is an event too" {
    start_script "while [ ! -e /dev/shm/go ]; do sleep 0.05; done; $GREEDY" '.linux.resources.memory = {limit: 8388608, swappiness: 0}'
    listen "$id" --interval 1h
    mrun exec "$id" touch /dev/shm/go
    wait "$listener"
    [ "$(grep -c '"type":"oom"' "$BATS_TEST_TMPDIR/events")" -ge 1 ]
    wait_until 5 has_status "$id" stopped
}
