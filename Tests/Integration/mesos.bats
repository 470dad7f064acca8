#!/usr/bin/env bats
# Mesos tasks from translate to the exit record: the figures of the seed first.

load helpers

setup_file() { make_rootfs; }

setup() {
    begin
    [ "$(cgroup_version)" -eq 1 ] || skip "looks at v1 hierarchies; cgroup2 is tested in a virtual machine"
}

teardown() { finish; }

ISOLATION=cgroups/cpu,cgroups/mem,namespaces/pid
FIXTURES=$REPO/Tests/MesosTests/Fixtures

# start_task TASK.json [OPTION...]: translates, creates and starts it; sets `id`, `bundle` and `sandbox`.
start_task() {
    local task=$1
    shift
    new_id
    translate_task "$id" "$task" "$@"
    create_container "$id" "$bundle"
    mrun start "$id"
}

# start_command COMMAND FILTER [OPTION...]: the same for a task of that shell command.
start_command() {
    make_task "$1" "$2"
    shift 2
    start_task "$task" "$@"
}

@test "the seed's first task has the memory, the CPU shares and the cgroups that the seed measured" {
    start_task "$REPO/bundles/seed-task/task-1.json" --isolation "$ISOLATION"
    [ "$(cgroup_value memory "$id" memory.limit_in_bytes)" = 138412032 ]
    [ "$(cgroup_value memory "$id" memory.soft_limit_in_bytes)" = 138412032 ]
    [ "$(cgroup_value cpu "$id" cpu.shares)" = 614 ]
    [ "$(cgroup_value cpu "$id" cpu.cfs_quota_us)" = -1 ]
    local pid controller
    pid=$(pid_of "$id")
    for controller in freezer cpu cpuacct memory; do
        grep -qE ":([a-z]+,)*$controller(,[a-z]+)*:/mesos/$id\$" "/proc/$pid/cgroup"
    done
    # And no others of its own.
    [ "$(grep -c "$id" "/proc/$pid/cgroup")" -le 4 ]
    [ ! -e "/sys/fs/cgroup/pids/mesos/$id" ] && [ ! -e "/sys/fs/cgroup/devices/mesos/$id" ]
    # Pid 1 is the init, and the task is a child of it.
    [ "$(cat "/proc/$pid/comm")" = mrun-init ]
    [ "$(cat "/proc/$(cut -d ' ' -f 1 <"/proc/$pid/task/$pid/children")/comm")" = sh ]
    [ "$(grep NSpid "/proc/$pid/status" | cut -f 3)" = 1 ]
}

@test "the seed's first task prints what the seed shows, and sees its own processes only" {
    start_task "$REPO/bundles/seed-task/task-1.json" --isolation "$ISOLATION"
    wait_until 10 output_has "$bundle" 'command running'
    # First /etc/issue of the host, whose root it shares.
    [ "$(head -n "$(wc -l </etc/issue)" "$bundle/out")" = "$(cat /etc/issue)" ]
    # Then the rows of ps.
    local rows
    rows=$(sed -n '/PID.*COMMAND/,/=/p' "$bundle/out" | grep -v -e COMMAND -e =)
    echo "$rows"
    [ "$(wc -l <<<"$rows")" -ge 2 ]
    [ "$(wc -l <<<"$rows")" -le 4 ]
    [ "$(awk '$2 == 1' <<<"$rows" | grep -c mrun-init)" -eq 1 ]
    [[ $rows == *'sh -c cat /etc/issue'* ]]
    grep -qx "MESOS_SANDBOX=$sandbox" "$bundle/out"
    run ! grep -q MRUN_BATS_TAG "$bundle/out"
}

@test "the seed's second task has twice as much" {
    start_task "$REPO/bundles/seed-task/task-2.json" --isolation "$ISOLATION"
    [ "$(cgroup_value memory "$id" memory.limit_in_bytes)" = 243269632 ]
    [ "$(cgroup_value cpu "$id" cpu.shares)" = 1126 ]
    # Without what the executor takes it is what was asked for.
    start_task "$REPO/bundles/seed-task/task-2.json" --isolation "$ISOLATION" --no-executor-overhead
    [ "$(cgroup_value memory "$id" memory.limit_in_bytes)" = 209715200 ]
    [ "$(cgroup_value cpu "$id" cpu.shares)" = 1024 ]
}

@test "by default the task is in a freezer cgroup of its own and in no other" {
    start_task "$REPO/bundles/seed-task/task-2.json"
    local pid
    pid=$(pid_of "$id")
    [ "$(grep "$id" "/proc/$pid/cgroup" | cut -d : -f 2-)" = "freezer:/mesos/$id" ]
    [ "$(find /sys/fs/cgroup -type d -name "$id")" = "/sys/fs/cgroup/freezer/mesos/$id" ]
    # The other hierarchies are the caller's, and so is the pid namespace.
    [ "$(grep :memory: "/proc/$pid/cgroup")" = "$(grep :memory: /proc/self/cgroup)" ]
    [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink /proc/self/ns/pid)" ]
    [ "$(cat "/proc/$pid/comm")" = mrun-init ]
}

@test "--cgroups_root names the parent of the cgroups, and --cgroups_enable_cfs limits the time too" {
    start_task "$REPO/bundles/seed-task/task-1.json" --isolation "$ISOLATION" --cgroups_root "mesos/$TAG" --cgroups_enable_cfs
    [ "$(cat "/sys/fs/cgroup/cpu/mesos/$TAG/$id/cpu.cfs_period_us")" = 100000 ]
    [ "$(cat "/sys/fs/cgroup/cpu/mesos/$TAG/$id/cpu.cfs_quota_us")" = 60000 ]
    mrun delete --force "$id"
    # The parent stays, as Mesos leaves it; here it is ours to remove.
    find /sys/fs/cgroup -depth -type d -name "$TAG" -exec rmdir {} \; 2>/dev/null || :
}

@test "the bundle pause-me stands still under pause and goes on after resume" {
    local before
    counts_on() { [ "$(cat "$sandbox/count")" -gt "$1" ]; }
    start_task "$REPO/bundles/pause-me/task.json"
    wait_until 5 test -s "$sandbox/count"
    mrun pause "$id"
    [ "$(cgroup_value freezer "$id" freezer.state)" = FROZEN ]
    has_status "$id" paused
    before=$(cat "$sandbox/count")
    sleep 0.5
    [ "$(cat "$sandbox/count")" = "$before" ]
    mrun resume "$id"
    wait_until 5 counts_on "$before"
    mrun kill "$id" TERM
    [ "$(mrun wait "$id" | jq .signal)" -eq 15 ]
}

@test "kill TERM reaches the shell of a task and what it runs" {
    local isolation
    for isolation in "$ISOLATION" posix/cpu,posix/mem; do
        start_command 'trap "echo shell heard; exit 7" TERM; echo ready; sleep 1000; echo sleep ended' . --isolation "$isolation"
        wait_until 5 output_has "$bundle" ready
        mrun kill "$id" TERM
        [ "$(mrun wait "$id" | jq .exitCode)" -eq 7 ]
        output_has "$bundle" 'shell heard'
        mrun delete "$id"
    done
}

# ends COMMAND FILTER [OPTION...]: starts a task; `record` is what wait says of it.
ends() {
    start_command "$@"
    record=$(mrun wait "$id")
    jq -e --arg id "$id" '.id == $id and .source == "record" and .startedAt <= .finishedAt' <<<"$record" >/dev/null
}

@test "wait tells how a task ended" {
    local isolation
    for isolation in "$ISOLATION" posix/cpu,posix/mem; do
        ends 'exit 0' . --isolation "$isolation"
        jq -e '.waitStatus == 0 and .exitCode == 0 and .signal == null' <<<"$record"
        ends 'exit 7' . --isolation "$isolation"
        jq -e '.waitStatus == 1792 and .exitCode == 7' <<<"$record"
        ends 'kill -SEGV $$' . --isolation "$isolation"
        jq -e '.waitStatus % 128 == 11 and .signal == 11 and .exitCode == null' <<<"$record"
        ends 'kill -KILL $$' . --isolation "$isolation"
        jq -e '.waitStatus == 9 and .signal == 9' <<<"$record"
    done
    # KILL takes the init with it, which writes nothing then.
    start_command 'sleep 1000' .
    mrun kill "$id" KILL
    jq -e '.waitStatus == 9 and .signal == 9 and .source == "killed"' < <(mrun wait "$id")
}

@test "wait tells that a task ran out of memory" {
    ends 'x=x; while :; do x=$x$x$x$x; done' '.resources[1].scalar.value = 8' --isolation "$ISOLATION" --no-executor-overhead ||
        jq -e '.signal == 9' <<<"$record"
    jq -e '.waitStatus == 9 and .oomKilled == true' <<<"$record"
    ends 'exit 0' . --isolation "$ISOLATION"
    jq -e '.oomKilled == false' <<<"$record"
}

@test "the processes that a task leaves behind are ended" {
    start_command 'for i in 1 2 3 4 5; do setsid sleep 1000 & done; exit 0' .
    jq -e '.exitCode == 0' < <(mrun wait "$id")
    mrun delete "$id"
    [ -z "$(own_cgroups)" ]
}

@test "a task without a shell is executed with its arguments, in its own root" {
    make_task ignored '.command = {shell: false, value: "/bin/echo", arguments: ["echo", "one", "two words", "$HOME"]}'
    start_task "$task" --rootfs "$ROOTFS"
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 0 ]
    [ "$(cat "$bundle/out")" = 'one two words $HOME' ]
    make_task 'cat /etc/issue; pwd; echo from the task >"$MESOS_SANDBOX/file"' .
    start_task "$task" --rootfs "$ROOTFS" --isolation "$ISOLATION"
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 0 ]
    [ "$(cat "$bundle/out")" = $'busybox\n/mnt/mesos/sandbox' ]
    [ "$(cat "$sandbox/file")" = 'from the task' ]
}

@test "--sandbox_directory says where the sandbox is in an image" {
    make_task 'echo "$MESOS_SANDBOX"; pwd; touch here' .
    start_task "$task" --rootfs "$ROOTFS" --sandbox_directory /tmp
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 0 ]
    [ "$(cat "$bundle/out")" = $'/tmp\n/tmp' ]
    [ -e "$sandbox/here" ]
}

@test "a task runs as the user that it names" {
    new_id
    make_task 'id -un; id -u; touch "$MESOS_SANDBOX/mine"' '.command.user = "nobody"'
    translate_task "$id" "$task"
    # The agent gives the sandbox to the user.
    chown nobody "$sandbox"
    chmod 711 "$BATS_RUN_TMPDIR" 2>/dev/null || :
    create_container "$id" "$bundle"
    mrun start "$id"
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 0 ]
    [ "$(cat "$bundle/out")" = $'nobody\n'"$(id -u nobody)" ]
    [ "$(stat -c %U "$sandbox/mine")" = nobody ]
    make_task true '.command.user = "no-such-user-here"'
    new_id
    refused '/command/user' translate_task "$id" "$task"
}

@test "a task has the environment that it names, and nothing of the caller's" {
    export SECRET_OF_THE_CALLER=1
    start_command env '.command.environment = {variables: [{name: "A", value: "1"}, {name: "B", value: "two words"}, {name: "PATH", value: "/usr/bin:/bin"}]}'
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 0 ]
    grep -qx 'A=1' "$bundle/out"
    grep -qx 'B=two words' "$bundle/out"
    grep -qx 'PATH=/usr/bin:/bin' "$bundle/out"
    grep -qx "MESOS_SANDBOX=$sandbox" "$bundle/out"
    run ! grep -q SECRET "$bundle/out"
}

@test "without an image the task shares the host's root, and still changes none of its mounts" {
    start_command 'ls -d /; mount -t tmpfs tmpfs /mnt && echo mounted; echo ready; sleep 1000' . --isolation "$ISOLATION"
    wait_until 5 output_has "$bundle" ready
    [ "$(stat -Lc %d:%i "/proc/$(pid_of "$id")/root")" = "$(stat -c %d:%i /)" ]
    run ! grep -q ' /mnt ' /proc/self/mountinfo
}

@test "translate writes to a file, to standard output, or into the bundle, and reads standard input" {
    make_task true .
    mrun translate --container-id a --sandbox /tmp --output - "$task" | jq -e '.process.args == ["sh", "-c", "true"]'
    mrun translate --container-id a --sandbox /tmp --output "$BATS_TEST_TMPDIR/out.json" - <"$task"
    jq -e '.linux.cgroupsPath == "/mesos/a"' "$BATS_TEST_TMPDIR/out.json"
    # Without an id each translation gets another one.
    [ "$(mrun translate --sandbox /tmp --output - "$task" | jq -r .linux.cgroupsPath)" != \
        "$(mrun translate --sandbox /tmp --output - "$task" | jq -r .linux.cgroupsPath)" ]
    # The same input gives the same output.
    [ "$(mrun translate --container-id a --sandbox /tmp --output - "$task")" = "$(mrun translate --container-id a --sandbox /tmp --output - "$task")" ]
}

@test "the spellings of Mesos v0, v1 and lowerCamelCase mean the same" {
    local first
    first=$(mrun translate --container-id a --sandbox /tmp --output - "$FIXTURES/plain/01-seed-demo.json" 2>/dev/null)
    [ "$first" = "$(mrun translate --container-id a --sandbox /tmp --output - "$FIXTURES/camel/01-seed-demo.json" 2>/dev/null)" ]
    jq -e --argjson first "$first" '.process == $first.process and .linux == $first.linux' \
        < <(mrun translate --container-id a --sandbox /tmp --output - "$FIXTURES/v0/01-seed-demo-v0.json" 2>/dev/null)
}

@test "every document that Mesos refuses is refused, in one line" {
    local file
    for file in "$FIXTURES"/invalid/*.json; do
        case ${file##*/} in
        # Mesos takes an unknown field, and mrun both spellings.
        i56-* | i57-*) continue ;;
        esac
        refused '' mrun translate --container-id a --sandbox /tmp --output "$BATS_TEST_TMPDIR/out.json" \
            --isolation "$ISOLATION,namespaces/ipc" "$file"
        [ "$refusal" -eq 1 ]
        # With the place, but where the document is none at all.
        [[ ${file##*/} == ix* ]] || [[ $message == *': /'* ]] || { echo "$message" && return 1; }
        [ ! -e "$BATS_TEST_TMPDIR/out.json" ]
    done
}

@test "an unknown field is a warning, and no more" {
    run --separate-stderr mrun translate --container-id a --sandbox /tmp --output - "$FIXTURES/invalid/i57-unknown-field.json"
    [ "$status" -eq 0 ]
    jq -e .process <<<"$output" >/dev/null
    [[ $stderr == *'level=warning'*'/frobnicate'* ]]
}

@test "every document that Mesos takes is translated to a config that create takes, or refused with its place" {
    local file problems=0
    mkdir "$BATS_TEST_TMPDIR/sandbox"
    for file in "$FIXTURES"/plain/*.json; do
        new_id
        bundle=$BATS_TEST_TMPDIR/bundle-$id
        mkdir "$bundle"
        if mrun translate --container-id "$id" --sandbox "$BATS_TEST_TMPDIR/sandbox" --bundle "$bundle" "$file" 2>"$bundle/err"; then
            # What the config holds is understood: it fails by something of this machine only, if at all.
            if mrun create --bundle "$bundle" "$id" >"$bundle/out" 2>"$bundle/err" </dev/null 3>&-; then
                mrun delete --force "$id"
            else
                run ! grep -q 'config.json' "$bundle/err"
            fi
        else
            grep -q ': /' "$bundle/err" || { echo "${file##*/}: $(cat "$bundle/err")" && problems=1; }
        fi
    done
    [ "$problems" -eq 0 ]
}

@test "the configs in the bundles are what translate makes of their tasks" {
    local made=$BATS_TEST_TMPDIR/made.json bundles=$REPO/bundles
    mrun translate --isolation "$ISOLATION" --cgroup-version 1 --container-id seed-task --output "$made" "$bundles/seed-task/task-1.json"
    diff "$bundles/seed-task/config.json" "$made"
    mrun translate --isolation "$ISOLATION" --cgroup-version 1 --container-id seed-task-2 --output "$made" "$bundles/seed-task/task-2.json"
    diff "$bundles/seed-task/config-2.json" "$made"
    mrun translate --isolation posix/cpu,posix/mem,namespaces/pid --cgroup-version 1 --container-id pause-me --sandbox /tmp/pause-me \
        --output "$made" "$bundles/pause-me/task.json"
    diff "$bundles/pause-me/config.json" "$made"
}
