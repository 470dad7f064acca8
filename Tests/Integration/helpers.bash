# What the integration tests share. Every file begins with:
#
#   load helpers
#   setup_file() { make_rootfs; }          # only where bundles are used
#   setup() { begin; }
#   teardown() { finish; }
#
# `begin` makes a private state root and remembers what the machine looks like; `finish` removes this test's containers
# and fails the test when anything of it is left: a process, a mount, a cgroup, a state directory. The tests must run as
# root. Names that a test gives to containers come from `new_id`, so that what is left can be told from what others do.

# shellcheck shell=bash
bats_require_minimum_version 1.5.0

REPO=$(cd "${BATS_TEST_DIRNAME:-.}/../.." && pwd)
MRUN=${MRUN:-$REPO/.build/release/mrun}

# begin: in setup().
begin() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    [ -x "$MRUN" ] || { echo "no binary to test at $MRUN" && return 1; }
    TAG=mrun-bats-$$-$BATS_TEST_NUMBER
    ROOT=$BATS_TEST_TMPDIR/state
    ids=0
    mkdir -p "$ROOT"
    # Found in /proc/PID/environ of everything that this test starts, whatever it calls itself.
    export MRUN_BATS_TAG=$TAG
    snapshot "$BATS_TEST_TMPDIR/before"
}

# finish: in teardown(). The exit status of the test itself is not touched by it, only made worse.
finish() {
    [ -n "${TAG:-}" ] || return 0
    local id
    for id in $(list_state "$ROOT"); do
        timeout 30 "$MRUN" --root "$ROOT" delete --force "$id" >/dev/null 2>&1 </dev/null || echo "# cannot delete $id"
    done
    assert_clean
}

# new_id: sets `id` to a container id that tells whose it is. (It sets a variable, for a subshell could not count.)
new_id() {
    ids=$((ids + 1))
    # shellcheck disable=SC2034 # read by the tests
    id=$TAG-$ids
}

# mrun ARGUMENT...: the binary under test with this test's state root. Bounded, so that a hang is a failure.
mrun() { timeout --kill-after=5 "${MRUN_TIMEOUT:-60}" "$MRUN" --root "$ROOT" "$@"; }

# --- bundles --------------------------------------------------------------------------------------------------------

# make_rootfs: one busybox root per run of bats, in $ROOTFS; tests that write to it copy it. For setup_file().
make_rootfs() {
    export ROOTFS=$BATS_RUN_TMPDIR/rootfs
    [ ! -e "$ROOTFS/.complete" ] || return 0
    "$REPO/bundles/oci-minimal/make-rootfs" "$ROOTFS" >/dev/null && touch "$ROOTFS/.complete"
}

# own_rootfs ID: a root that this test may write to; sets `rootfs`. For make_bundle: '.root.path = $rootfs | …' --arg
# rootfs "$rootfs".
own_rootfs() {
    rootfs=$BATS_TEST_TMPDIR/rootfs-$1
    cp -a "$ROOTFS" "$rootfs"
}

# make_bundle ID [JQ-FILTER [JQ-ARGUMENT...]]: the oci-minimal bundle, changed by the filter; sets `bundle`.
#
#   make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script 'exit 7'
make_bundle() {
    local id=$1 filter=${2:-.}
    shift $(($# < 2 ? $# : 2))
    bundle=$BATS_TEST_TMPDIR/bundle-$id
    mkdir -p "$bundle"
    jq --arg _root "$ROOTFS" --arg _cgroup "/mrun/$id" "$@" \
        '.root.path = $_root | .linux.cgroupsPath = $_cgroup | '"$filter" \
        "$REPO/bundles/oci-minimal/config.json" >"$bundle/config.json"
}

# make_task COMMAND [JQ-FILTER]: a TaskInfo with that shell command, cpus 0.1 and mem 32; sets `task`.
make_task() {
    task=$BATS_TEST_TMPDIR/task-$ids-$RANDOM.json
    jq -n --arg command "$1" '{
        name: "task", task_id: {value: "task"}, agent_id: {value: "agent"},
        resources: [{name: "cpus", type: "SCALAR", scalar: {value: 0.1}}, {name: "mem", type: "SCALAR", scalar: {value: 32}}],
        command: {value: $command}, container: {type: "MESOS", mesos: {}}
    } | '"${2:-.}" >"$task"
}

# translate_task ID TASK.json [OPTION...]: makes a bundle and a sandbox; sets `bundle` and `sandbox`.
translate_task() {
    local id=$1 task=$2
    shift 2
    bundle=$BATS_TEST_TMPDIR/bundle-$id
    sandbox=$BATS_TEST_TMPDIR/sandbox-$id
    mkdir -p "$bundle" "$sandbox"
    mrun translate --container-id "$id" --sandbox "$sandbox" --bundle "$bundle" "$@" "$task"
}

# create_container ID BUNDLE [OPTION...]: `create` with the container's output in BUNDLE/out and BUNDLE/err.
#
# The container inherits the descriptors of `create`, so they must not be those that bats waits on.
create_container() {
    local id=$1 bundle=$2
    shift 2
    mrun create --bundle "$bundle" "$@" "$id" >"$bundle/out" 2>"$bundle/err" </dev/null 3>&- ||
        { local status=$? && cat "$bundle/err" && return "$status"; }
}

# detach_container ID BUNDLE [OPTION...]: `run --detach` in the same way.
detach_container() {
    local id=$1 bundle=$2
    shift 2
    mrun run --detach --bundle "$bundle" "$@" "$id" >"$bundle/out" 2>"$bundle/err" </dev/null 3>&- ||
        { local status=$? && cat "$bundle/err" && return "$status"; }
}

# run_container ID BUNDLE [OPTION...]: `run` in the foreground under bats' own `run`, which sets `status` and `output`.
run_container() {
    local id=$1 bundle=$2
    shift 2
    run mrun run --bundle "$bundle" "$@" "$id" </dev/null
}

# run_script SCRIPT [JQ-FILTER [OPTION...]]: the same for a new container whose task is `sh -c SCRIPT`; sets `id`.
run_script() {
    local script=$1 filter=${2:-.}
    shift $(($# < 2 ? $# : 2))
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $_script] | '"$filter" --arg _script "$script"
    run_container "$id" "$bundle" "$@"
}

# start_script SCRIPT [JQ-FILTER [OPTION...]]: the same in the background.
start_script() {
    local script=$1 filter=${2:-.}
    shift $(($# < 2 ? $# : 2))
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $_script] | '"$filter" --arg _script "$script"
    detach_container "$id" "$bundle" "$@"
}

# refused WORDS COMMAND...: the command must fail and say why in one line on standard error, with these words in it,
# in upper or lower case (clients look for them in either). Sets `message`. Through files, so that a container that should not exist holds nothing that bats waits for.
refused() {
    local words=$1 status=0
    shift
    "$@" >"$BATS_TEST_TMPDIR/refused.out" 2>"$BATS_TEST_TMPDIR/refused.err" </dev/null 3>&- || status=$?
    message=$(cat "$BATS_TEST_TMPDIR/refused.err")
    # 124 and 137 are those of timeout(1), others above 127 those of a crash; 255 is what exec says of itself.
    if [ "$status" -eq 0 ] || [ "$status" -eq 124 ] || { [ "$status" -gt 127 ] && [ "$status" -ne 255 ]; }; then
        echo "exit status $status of: $*" && echo "$message" && return 1
    fi
    if [ "$(wc -l <"$BATS_TEST_TMPDIR/refused.err")" -ne 1 ] || [ -s "$BATS_TEST_TMPDIR/refused.out" ] ||
        [[ ${message,,} != *"${words,,}"* ]]; then
        echo "wanted one line on standard error with: $words" && echo "of: $*"
        sed 's/^/stdout: /' "$BATS_TEST_TMPDIR/refused.out" && sed 's/^/stderr: /' "$BATS_TEST_TMPDIR/refused.err"
        return 1
    fi
    refusal=$status
}

# --- looking and waiting --------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: succeeds as soon as COMMAND does.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "waited in vain for: $*"
            return 1
        fi
        sleep 0.05
    done
}

status_of() { mrun state "$1" | jq -r .status; } # ID
has_status() { [ "$(status_of "$1")" = "$2" ]; }  # ID STATUS
pid_of() { mrun state "$1" | jq -r .pid; }        # ID

# output_has BUNDLE TEXT: whether the container that runs in the background has written this.
output_has() { grep -qF -e "$2" "$1/out"; }

# cgroup_version: 1 (also for the hybrid layout) or 2.
cgroup_version() { if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo 2; else echo 1; fi; }

# cgroup_directory CONTROLLER ID: where the container's cgroup of that controller is, translated or plain OCI.
cgroup_directory() {
    local hierarchy=/sys/fs/cgroup/$1 parent
    [ "$(cgroup_version)" -eq 1 ] || hierarchy=/sys/fs/cgroup
    for parent in mesos mrun; do
        if [ -d "$hierarchy/$parent/$2" ]; then
            echo "$hierarchy/$parent/$2"
            return
        fi
    done
    echo "no cgroup of $1 for $2" >&2
    return 1
}

# cgroup_value CONTROLLER ID FILE: what the kernel says.
cgroup_value() {
    local directory
    directory=$(cgroup_directory "$1" "$2") && cat "$directory/$3"
}

# in_private_mounts: the rest of this test runs in a mount namespace of its own. First line of a test, before anything
# else has been made:
#
#   in_private_mounts || return 0
#
# Bats runs a test as a function, which cannot enter another namespace; so the test file is run once more for this one
# test, inside. Its result is this test's result.
in_private_mounts() {
    [ -z "${MRUN_BATS_INSIDE:-}" ] || return 0
    local pattern
    # shellcheck disable=SC2016 # the dollar and the backslash are for sed
    pattern=^$(sed 's/[][\.*^$+?(){}|/]/\\&/g' <<<"$BATS_TEST_DESCRIPTION")\$
    local output status=0
    output=$(MRUN_BATS_INSIDE=1 nested_bats --filter "$pattern" "$BATS_TEST_FILENAME" 2>&1) || status=$?
    if [ "$status" -ne 0 ] || ! grep -q '^ok 1 ' <<<"$output"; then
        echo "in a mount namespace of its own: exit status $status"
        echo "$output"
        exit 1
    fi
    # A test that was skipped in there is skipped out here.
    if grep -q '^ok 1 .*# skip' <<<"$output"; then skip "$(sed -n 's/^ok 1 .*# skip *//p' <<<"$output")"; fi
    return 1
}

# nested_bats ARGUMENT...: bats in a mount namespace of its own, with none of the outer one's variables (its own folder
# in PATH is one), descriptors and temporary folders.
nested_bats() {
    env -i PATH="${PATH//"$BATS_LIBEXEC:"/}" HOME="${HOME:-/root}" MRUN="$MRUN" MRUN_BATS_INSIDE="${MRUN_BATS_INSIDE:-}" \
        CLEAN_TRIES="${CLEAN_TRIES:-20}" \
        unshare --mount --propagation private -- bats --tap "$@" </dev/null 3>&-
}

# --- nothing may be left --------------------------------------------------------------------------------------------

# tagged_processes: processes that this test started: by the mark in their environment, the tag in their arguments or
# cgroup, or a mount namespace that holds this test's files. This shell and its ancestors do not count.
tagged_processes() {
    local pid=$BASHPID line ours=' '
    while [ "$pid" -gt 0 ] && read -r line 2>/dev/null <"/proc/$pid/stat"; do
        ours+="$pid "
        line=${line##*) }
        line=${line#* }
        pid=${line%% *}
    done
    # Processes that end meanwhile make grep fail, and so does finding nothing; neither is a failure.
    {
        grep -lzxF "MRUN_BATS_TAG=$TAG" /proc/[0-9]*/environ || :
        grep -lF -e "$TAG" /proc/[0-9]*/cmdline /proc/[0-9]*/cgroup || :
        grep -lF "$BATS_TEST_TMPDIR${ROOTFS:+$'\n'$ROOTFS}" /proc/[0-9]*/mountinfo | foreign_mounts || :
    } 2>/dev/null | cut -d / -f 3 | LC_ALL=C sort -u | while read -r pid; do
        case $ours in *" $pid "*) continue ;; esac
        # Neither zombies nor what has ended since.
        line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
        [ -z "$line" ] || echo "$pid $line"
    done
}

# foreign_mounts: passes on those /proc/PID/mountinfo that are not of this shell's own mount namespace.
foreign_mounts() {
    local file own
    own=$(readlink /proc/self/ns/mnt)
    while read -r file; do
        [ "$(readlink "${file%/mountinfo}/ns/mnt" || :)" = "$own" ] || echo "$file"
    done
}

# tagged_cgroups: cgroups in every hierarchy that carry this test's tag, or stand where containers' cgroups do and carry
# no tag of another run of these tests.
tagged_cgroups() {
    find /sys/fs/cgroup -mindepth 1 -type d \
        \( -path "*$TAG*" -o \( ! -path '*/mrun-bats-*' \( -path '/sys/fs/cgroup/*/mesos/*' -o -path '/sys/fs/cgroup/*/mrun/*' \
        -o -path '/sys/fs/cgroup/mesos/*' -o -path '/sys/fs/cgroup/mrun/*' \) \) \) 2>/dev/null | LC_ALL=C sort || :
}

# own_cgroups: those of them that are this test's own.
own_cgroups() { tagged_cgroups | grep -F -e "$TAG" || :; }

# list_state ROOT: the ids there, by the directories, for `list` is under test itself. Compiled seccomp filters stay.
list_state() { find "$1" -mindepth 1 -maxdepth 1 ! -name .cache -printf '%f\n' 2>/dev/null | LC_ALL=C sort || :; }

# snapshot DIRECTORY: writes down what assert_clean compares.
snapshot() {
    mkdir -p "$1"
    # The mount ids differ from one mount to the next, the rest of a line tells which mount it is. The kernel itself
    # mounts below /sys/kernel, as soon as somebody looks there.
    sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | grep -v ' /sys/kernel/' | LC_ALL=C sort >"$1/mounts"
    tagged_cgroups >"$1/cgroups"
    tagged_processes >"$1/processes"
    list_state "$ROOT" >"$1/state"
}

# assert_clean: fails, and says what, when there is more than at the snapshot. Things on their way out get two seconds.
assert_clean() {
    local try what tries=${CLEAN_TRIES:-20}
    for ((try = 1; try <= tries; try++)); do
        snapshot "$BATS_TEST_TMPDIR/after"
        what=$(for kind in mounts cgroups processes state; do
            LC_ALL=C comm -13 "$BATS_TEST_TMPDIR/before/$kind" "$BATS_TEST_TMPDIR/after/$kind" | sed "s/^/left behind ($kind): /"
        done)
        [ -n "$what" ] || return 0
        [ "$try" -eq "$tries" ] || sleep 0.1
    done
    echo "$what"
    clean_up_after_failure
    return 1
}

# clean_up_after_failure: what one test left must not fail the next one. Only what carries the tag is touched.
clean_up_after_failure() {
    local directory pid rest
    while read -r directory; do
        case $directory in *"$TAG"*) ;; *) continue ;; esac
        [ ! -e "$directory/freezer.state" ] || echo THAWED >"$directory/freezer.state" || :
        [ ! -e "$directory/cgroup.freeze" ] || echo 0 >"$directory/cgroup.freeze" || :
        while read -r pid; do kill -KILL "$pid" || :; done <"$directory/cgroup.procs"
    done < <(tagged_cgroups) 2>/dev/null
    while read -r pid rest; do kill -KILL "$pid" 2>/dev/null || :; done < <(tagged_processes)
    for _ in {1..20}; do
        find /sys/fs/cgroup -depth -type d -path "*$TAG*" -exec rmdir {} \; 2>/dev/null || :
        [ -n "$(find /sys/fs/cgroup -type d -path "*$TAG*" 2>/dev/null)" ] || break
        sleep 0.1
    done
}
