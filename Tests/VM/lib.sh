# shellcheck shell=sh
# A small TAP library for POSIX sh (busybox ash in the virtual machine). Source it; it needs nothing else.
#
#   check "a sentence that is true" COMMAND...    one test: ok when COMMAND succeeds
#   refuse "a sentence" COMMAND...                one test: ok when COMMAND fails
#   skip "a sentence" "why"                       one test that cannot run here
#   eventually SECONDS COMMAND...                 succeeds as soon as COMMAND does, fails after SECONDS
#
# The second half is about containers: mrun with a state root of its own, bundles, and what the kernel shows of them.
#
# Numbers go on from $TAP_FIRST (default 0), so that several files make one stream; the last number is left in
# the file $TAP_LAST. The plan is printed by whoever runs the files. A file ends with `done_testing`.

tap_number=${TAP_FIRST:-0}
tap_failed=0
tap_output=${TMPDIR:-/tmp}/tap-output.$$

tap_result() { # ok|"not ok" SENTENCE
    tap_number=$((tap_number + 1))
    [ -z "${TAP_LAST:-}" ] || echo "$tap_number" >"$TAP_LAST"
    echo "$1 $tap_number - $2"
}

tap_fail() { # SENTENCE STATUS COMMAND...
    tap_failed=$((tap_failed + 1))
    tap_result "not ok" "$1"
    shift
    echo "#   exit status $1 of: $(shift; echo "$*")"
    tail -n 20 "$tap_output" | sed 's/^/#   | /'
}

check() {
    tap_sentence=$1
    shift
    if ("$@") >"$tap_output" 2>&1 </dev/null; then
        tap_result ok "$tap_sentence"
    else
        tap_fail "$tap_sentence" "$?" "$@"
    fi
}

refuse() {
    tap_sentence=$1
    shift
    if ("$@") >"$tap_output" 2>&1 </dev/null; then
        tap_fail "$tap_sentence" 0 "$@"
    else
        tap_result ok "$tap_sentence"
    fi
}

skip() { tap_result ok "$1 # SKIP $2"; }

eventually() { # SECONDS COMMAND...
    tap_tries=$(($1 * 10))
    shift
    while ! "$@"; do
        tap_tries=$((tap_tries - 1))
        [ "$tap_tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# equal GOT WANT, contains TEXT PART: comparisons that say what they saw.
equal() {
    [ "$1" = "$2" ] || {
        echo "got: $1"
        echo "wanted: $2"
        return 1
    }
}

contains() {
    case $1 in
    *"$2"*) ;;
    *)
        echo "got: $1"
        echo "wanted it to contain: $2"
        return 1
        ;;
    esac
}

# json_has TEXT 'KEY:VALUE'...: flat containment that does not care for white space (there is no jq in here).
json_has() {
    tap_flat=$(printf '%s' "$1" | tr -d ' \t\n')
    shift
    for tap_pair in "$@"; do
        contains "$tap_flat" "\"${tap_pair%%:*}\":${tap_pair#*:}" || return 1
    done
}

done_testing() {
    rm -f "$tap_output"
    [ "$tap_failed" -eq 0 ]
    exit
}

# --- containers ---------------------------------------------------------------------------------------------------

MRUN=${MRUN:-mrun}
VM_DIR=${VM_DIR:-$(dirname "$0")}
CGROUP=/sys/fs/cgroup
WORK=/tmp/work.$$
STATE=/run/mrun-$$
mkdir -p "$WORK"

# No call may hang: a runtime that does is killed, and the test fails with 137.
mrun() { timeout -s KILL 60 "$MRUN" --root "$STATE" "$@"; }

# quietly COMMAND...: for set-up; what it says is only shown when it fails.
quietly() { "$@" >"$WORK/quiet" 2>&1 </dev/null || { sed "s/^/# set-up: $1: /" "$WORK/quiet"; return 1; }; }

status_is() { json_has "$(mrun state "$1")" "status:\"$2\""; } # ID STATUS

gone() { [ ! -e "$1" ]; } # PATH

value() { cat "$CGROUP/$1"; } # PATH below the cgroup mount

# Every process in a cgroup and below, by pid.
processes_in() { find "$CGROUP/$1" -name cgroup.procs -exec cat {} + 2>/dev/null; }

# runs_in CGROUP WORD...: some process of the cgroup has exactly these arguments.
runs_in() {
    lib_group=$1
    shift
    for lib_pid in $(processes_in "$lib_group"); do
        [ "$(tr '\0' ' ' 2>/dev/null <"/proc/$lib_pid/cmdline")" != "$* " ] || return 0
    done
    return 1
}

# advances FILE / stands_still FILE: the counter in it does, within a second.
advances() {
    [ -s "$1" ] && lib_before=$(cat "$1") && eventually 5 differs "$1" "$lib_before"
}
# A counter that is being written may be empty for a moment.
differs() { [ -s "$1" ] && [ "$(cat "$1")" != "$2" ]; } # FILE TEXT
stands_still() {
    lib_before=$(cat "$1") || return 1
    sleep 1
    equal "$(cat "$1")" "$lib_before"
}

# What containers could leave behind: cgroups, mounts, state, processes of containers.
leftovers() {
    find "$CGROUP/mesos" "$CGROUP/mrun" -mindepth 1 -type d 2>/dev/null
    cut -d ' ' -f 5 /proc/self/mountinfo
    ls -A "$STATE" 2>/dev/null
    # Kernel threads come and go by themselves; they have no arguments.
    for lib_pid in /proc/[0-9]*; do
        lib_words=$(tr '\0' ' ' 2>/dev/null <"$lib_pid/cmdline")
        case $lib_words in *mrun-init* | *"sleep 47"*) echo "$lib_words" ;; esac
    done
}
