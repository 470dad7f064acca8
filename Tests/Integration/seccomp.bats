#!/usr/bin/env bats
# linux.seccomp: actions, operators, architectures, flags, ENOSYS for newer calls, agents, and the cache of filters.

load helpers
setup_file() { make_rootfs; }
setup() { begin; }
teardown() {
    end_agent
    finish
}

PODMAN=/usr/share/containers/seccomp.json
# Numbers of calls on x86-64. `umask` takes every argument, and does no harm.
MKDIR=83 UMASK=95 MEMFD=319

# profile DEFAULT-ACTION [RULES [MORE]]: a jq filter that sets this profile; RULES: the members of `syscalls`.
profile() { echo ".linux.seccomp = {defaultAction: \"$1\", syscalls: [${2:-}]} + (${3:-"{}"})"; }

# with_python: from here on `run_python` works: the host's python3 in the container, in a root of the test's own, for
# there are folders to be made in it.
with_python() {
    command -v python3 >/dev/null || skip "needs python3"
    [ "$(uname -m)" = x86_64 ] || skip "the numbers of calls are those of x86-64"
    new_id
    own_rootfs "$id"
    prelude='import ctypes, os, signal, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(*map(ctypes.c_ulong, (number, *arguments)))
    return -ctypes.get_errno() if result == -1 else result
'
    python='.root.path = $_rootfs | .process.args = ["/usr/bin/python3", "-ISc", $_program] | .mounts += [("/usr", "/lib", "/lib64") |
        {destination: ., source: ., type: "bind", options: ["rbind", "ro"]}]'
}

# run_python PROGRAM [JQ-FILTER [OPTION...]]: after with_python. `call(NUMBER, ARGUMENT...)` gives minus the errno.
run_python() {
    local program=$prelude$1 filter=${2:-.}
    shift $(($# < 2 ? $# : 2))
    new_id
    make_bundle "$id" "$python | $filter" --arg _rootfs "$rootfs" --arg _program "$program"
    run_container "$id" "$bundle" "$@"
}

# podman_profile: sets `podman` to a file with the profile that podman gives a container.
podman_profile() {
    [ -r "$PODMAN" ] || skip "needs golang-github-containers-common"
    podman=$BATS_TEST_TMPDIR/podman.json
    jq -f "$BATS_TEST_DIRNAME/podman-seccomp.jq" "$PODMAN" >"$podman"
}

# allowed_without NAME...: all calls that podman allows but for these, as a JSON array; sets `names`.
allowed_without() {
    podman_profile
    names=$(jq -c '[.syscalls[] | select(.action == "SCMP_ACT_ALLOW" and .args == null) | .names[]] - $ARGS.positional' "$podman" --args "$@")
}

# --- actions, operators, architectures, flags -----------------------------------------------------------------------

@test "every action does what it says" {
    with_python
    local action more program want count=0
    while IFS='|' read -r action more program want; do
        run_python "$program" "$(profile SCMP_ACT_ALLOW "{names: [\"mkdir\"], action: \"$action\" $more}")"
        echo "$action $more: status $status, output $output"
        [ "$status $output" = "$want" ]
        count=$((count + 1))
    done <<END
SCMP_ACT_ERRNO||print(call($MKDIR, 0))|0 -1
SCMP_ACT_ERRNO|, errnoRet: 28|print(call($MKDIR, 0))|0 -28
SCMP_ACT_ERRNO|, errnoRet: 0|print(call($MKDIR, 0))|0 0
SCMP_ACT_ALLOW||print(call($MKDIR, 0))|0 -14
SCMP_ACT_LOG||print(call($MKDIR, 0))|0 -14
SCMP_ACT_TRACE||print(call($MKDIR, 0))|0 -38
SCMP_ACT_KILL_PROCESS||call($MKDIR, 0); time.sleep(9)|159 
SCMP_ACT_KILL||call($MKDIR, 0); time.sleep(9)|159 
SCMP_ACT_KILL_THREAD||call($MKDIR, 0); time.sleep(9)|159 
SCMP_ACT_TRAP||call($MKDIR, 0); time.sleep(9)|159 
SCMP_ACT_TRAP||signal.signal(signal.SIGSYS, lambda *_: os._exit(7)); call($MKDIR, 0); time.sleep(9)|7 
SCMP_ACT_KILL_PROCESS||threading.Thread(target=call, args=($MKDIR, 0)).start(); time.sleep(9)|159 
SCMP_ACT_KILL_THREAD||threading.Thread(target=call, args=($MKDIR, 0)).start(); time.sleep(0.3); print("on", flush=True); os._exit(0)|0 on
SCMP_ACT_KILL||threading.Thread(target=call, args=($MKDIR, 0)).start(); time.sleep(0.3); print("on", flush=True); os._exit(0)|0 on
END
    [ "$count" -eq 14 ]
}

@test "every action can be the default one" {
    with_python
    allowed_without mkdir
    local action want count=0
    while IFS='|' read -r action want; do
        run_python "print(call($MKDIR, 0))" "$(profile "$action" "{action: \"SCMP_ACT_ALLOW\", names: $names}")"
        echo "$action: $status $output"
        [ "$status $output" = "$want" ]
        count=$((count + 1))
    done <<'END'
SCMP_ACT_ERRNO|0 -1
SCMP_ACT_KILL_PROCESS|159 
SCMP_ACT_KILL_THREAD|159 
SCMP_ACT_TRAP|159 
SCMP_ACT_TRACE|0 -38
SCMP_ACT_LOG|0 -14
SCMP_ACT_ALLOW|0 -14
END
    [ "$count" -eq 7 ]
}

@test "every operator compares all 64 bits of an argument" {
    with_python
    local operator value second matching others got count=0
    while read -r operator value second matching others; do
        run_python "for n in sys.argv[1:]: print(n, call($UMASK, int(n, 0)) == -5)" \
            "$(profile SCMP_ACT_ALLOW "{names: [\"umask\"], action: \"SCMP_ACT_ERRNO\", errnoRet: 5,
                args: [{index: 0, value: $value, valueTwo: $second, op: \"SCMP_CMP_$operator\"}]}") |
            .process.args += [\"${matching//,/'", "'}\", \"${others//,/'", "'}\"]"
        echo "$operator: $output"
        [ "$status" -eq 0 ]
        got=$(sed -n 's/ True$//p' <<<"$output" | paste -sd ,)
        [ "$got" = "$matching" ]
        got=$(sed -n 's/ False$//p' <<<"$output" | paste -sd ,)
        [ "$got" = "$others" ]
        count=$((count + 1))
    done <<'END'
NE 5 0 4,6,0x100000005 5
LT 5 0 0,4 5,6,0x100000000
LE 5 0 4,5 6,0x100000005
EQ 4294967301 0 0x100000005 5,4
GE 5 0 5,6,0x100000000 4,0
GT 5 0 6,0xffffffffffffffff 5,0
MASKED_EQ 255 18 0x12,0x3412 0x13,0
END
    [ "$count" -eq 7 ]
}

@test "the calls of other architectures have their own numbers, and are killed where the profile does not list them" {
    with_python
    # The 32-bit gate from a 64-bit program: mkdir is 39 there, and getpid 20.
    local gate='
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\x53\x89\xf8\x31\xdb\xcd\x80\x5b\xc3")  # push rbx; mov eax, edi; xor ebx, ebx; int 0x80; pop rbx; ret
old = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
'
    local rule='{names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 5}'
    run_python "$gate"'print(old(20))'
    [ "$output" = 1 ] || skip "the kernel has no 32-bit calls"
    run_python "$gate
print(old(39), old(20), call($MKDIR, 0))" \
        "$(profile SCMP_ACT_ALLOW "$rule" '{architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}')"
    [ "$output" = '-5 1 -5' ]
    run_python "$gate
print(call($MKDIR, 0), flush=True); old(20); time.sleep(9)" "$(profile SCMP_ACT_ALLOW "$rule")"
    [ "$status $output" = '159 -5' ]
}

@test "flags go to the kernel, and those that it does not know are refused" {
    local flag
    for flag in '"SECCOMP_FILTER_FLAG_TSYNC"' '"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"'; do
        run_script 'mkdir /dev/shm/x 2>/dev/null || echo refused' \
            "$(profile SCMP_ACT_ALLOW '{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}' "{flags: [$flag]}")"
        [ "$output" = refused ]
    done
    # Speculation is not mitigated with the last of them, where the kernel does that for filters at all.
    make_bundle "$id" "$(profile SCMP_ACT_ALLOW '' '{flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}')"
    refused '/linux/seccomp/flags/0' mrun create --bundle "$bundle" "$id"
}

# --- newer calls ----------------------------------------------------------------------------------------------------

@test "a call that is newer than all of the profile is missing, one that is older is refused" {
    with_python
    allowed_without mkdir memfd_create
    run_python "print(call($MKDIR, 0), call($MEMFD, 0), call(600), call(0x40000000 + 600))" \
        "$(profile SCMP_ACT_ERRNO "{names: $names, action: \"SCMP_ACT_ALLOW\"}" \
            '{architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}')"
    [ "$output" = '-1 -1 -38 -38' ]
    # Where the newest is getrandom (318), memfd_create (319) is newer. The other action would end the program.
    names='["read", "write", "openat", "close", "fstat", "lseek", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask",
        "ioctl", "pread64", "access", "getdents64", "arch_prctl", "set_tid_address", "execve", "exit", "exit_group", "futex", "getuid",
        "geteuid", "getgid", "getegid", "readlink", "stat", "lstat", "fcntl", "getcwd", "sysinfo", "sigaltstack", "dup", "getpid", "gettid",
        "clock_gettime", "uname", "newfstatat", "mremap", "getrandom"]'
    local action
    for action in SCMP_ACT_ERRNO SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
        run_python "print(call($MEMFD, 0), call(600))" "$(profile $action "{names: $names, action: \"SCMP_ACT_ALLOW\"},
            {names: [\"prlimit64\", \"set_robust_list\", \"mkdir\"], action: \"SCMP_ACT_ERRNO\", errnoRet: 38}")"
        echo "$action: $status $output"
        [ "$output" = '-38 -38' ]
    done
    # A profile that allows what it does not name has no reason to hide anything.
    for action in SCMP_ACT_ALLOW SCMP_ACT_LOG; do
        run_python "print(call($MEMFD, 0, 0))" "$(profile $action '{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}')"
        [ "$output" = -14 ]
    done
}

# --- exec, forks, privileges ----------------------------------------------------------------------------------------

@test "a task, its children and exec have the one filter of the config, with no_new_privs and without" {
    local option more show='grep -E "^(Seccomp|Seccomp_filters|NoNewPrivs):" /proc/self/status | tr "\n" " "; mkdir /dev/shm/$1 2>&1'
    local rules='{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}, {names: ["no_such_call"], action: "SCMP_ACT_KILL_PROCESS"}'
    for more in true false; do
        for option in '' --init; do
            # shellcheck disable=SC2086 # none or one word
            start_script "$show; (sh -c '$show'); echo; sleep 1000" \
                "$(profile SCMP_ACT_ALLOW "$rules") | .process.noNewPrivileges = $more" $option
            wait_until 5 grep -q '^$' "$bundle/out"
            local line=$'NoNewPrivs:\t'$((${#more} == 4))$' Seccomp:\t2 Seccomp_filters:\t1 mkdir: can\'t create directory \'/dev/shm/\': '
            [ "$(grep -cF "${line% *}" "$bundle/out")" -eq 2 ]
            [ "$(grep -c 'No space left on device' "$bundle/out")" -eq 2 ]
            local user
            for user in 0 1:1; do
                run mrun exec --user $user "$id" sh -c "$show; sh -c '$show'"
                [ "$(grep -cF "${line% *}" <<<"$output")" -eq 2 ]
                [ "$(grep -c 'No space left on device' <<<"$output")" -eq 2 ]
            done
        done
    done
}

# --- agents ---------------------------------------------------------------------------------------------------------

# start_agent [ERRNO]: sets `socket`, `agent` (its pid) and `told`, where it writes.
start_agent() {
    command -v python3 >/dev/null || skip "needs python3"
    socket=$BATS_TEST_TMPDIR/agent.sock
    told=$BATS_TEST_TMPDIR/told
    rm -rf "$socket" "$told"
    mkdir "$told"
    "$BATS_TEST_DIRNAME/seccomp-agent" "$socket" "$told" "$@" >"$told/log" 2>&1 </dev/null 3>&- &
    agent=$!
    wait_until 5 test -S "$socket"
}

end_agent() {
    [ -n "${agent:-}" ] || return 0
    kill "$agent"
    wait "$agent" || agent=
    agent=
}

# notifying [MORE]: a filter by which the agent decides mkdir.
notifying() {
    profile SCMP_ACT_ALLOW '{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY"}' \
        "{listenerPath: \"$socket\", listenerMetadata: \"of \\\"this\\\" test\"} + (${1:-"{}"})"
}

# got N JQ-FILTER: of the message on the N-th connection.
got() {
    wait_until 5 test -e "$told/$1.json"
    jq -r .bytes "$told/$1.json" | jq -er "$2"
}

@test "an agent gets the listener of a container that runs at once, and decides" {
    local option flag privileges
    for option in '' --init; do
        for privileges in true false; do
            for flag in '{}' '{flags: ["SECCOMP_FILTER_FLAG_TSYNC"]}' '{flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}'; do
                start_agent 28
                # shellcheck disable=SC2086 # none or one word
                start_script 'mkdir /dev/shm/x 2>&1; echo done; sleep 1000' \
                    "$(notifying "$flag") | .annotations.a = \"b c\" | .process.noNewPrivileges = $privileges" $option
                wait_until 5 output_has "$bundle" "done"
                [[ $(cat "$bundle/out") == *'No space left on device'* ]]
                [ "$(jq -c '[.descriptors, .messages, .kind, .rest]' "$told/1.json")" = '[1,1,["anon_inode:seccomp notify"],""]' ]
                [ "$(got 1 .ociVersion)" = 1.3.0 ]
                [ "$(got 1 '.fds | tojson')" = '["seccompFd"]' ]
                [ "$(got 1 .metadata)" = 'of "this" test' ]
                [ "$(got 1 '.state | [.ociVersion, .id, .status, .bundle, .annotations.a] | tojson')" = \
                    "[\"1.3.0\",\"$id\",\"creating\",\"$bundle\",\"b c\"]" ]
                # The init of the container, and the process that has the filter, both as the host sees them.
                [ "$(got 1 .state.pid)" = "$(pid_of "$id")" ]
                if [ -n "$option" ]; then
                    [ "$(got 1 .pid)" = "$(tr -d ' ' <"/proc/$(pid_of "$id")/task/$(pid_of "$id")/children")" ]
                else
                    [ "$(got 1 .pid)" = "$(pid_of "$id")" ]
                fi
                [ "$(wc -l <"$told/1.calls")" -eq 1 ]
                mrun delete --force "$id"
                end_agent
            done
        done
    done
}

@test "the listener of a created container is handed over at its start, and each exec has one of its own" {
    local option
    for option in '' --init; do
        start_agent
        new_id
        make_bundle "$id" "$(notifying) | .process.args = [\"sh\", \"-c\", \"mkdir /dev/shm/x && echo made; sleep 1000\"]"
        # shellcheck disable=SC2086 # none or one word
        create_container "$id" "$bundle" $option
        [ ! -e "$told/1.json" ]
        mrun start "$id"
        wait_until 5 output_has "$bundle" made
        [ "$(got 1 .state.status)" = created ]
        [ "$(got 1 .state.pid)" = "$(pid_of "$id")" ]
        run mrun exec "$id" sh -c 'mkdir /dev/shm/y && echo also; readlink /proc/self/fd/*'
        [[ $output == also* ]]
        [[ $output != *seccomp* ]]
        [ "$(got 2 .state.status)" = running ]
        [ "$(got 2 .state.pid)" = "$(pid_of "$id")" ]
        [ "$(got 2 .pid)" -ne "$(pid_of "$id")" ]
        [ -s "$told/2.calls" ]
        mrun exec --detach --pid-file "$bundle/pid" "$id" sleep 1003 >/dev/null 2>&1 </dev/null 3>&-
        [ "$(got 3 .pid)" = "$(cat "$bundle/pid")" ]
        mrun delete --force "$id"
        end_agent
    done
}

@test "without an agent nothing starts, and the place in the config is told" {
    socket=$BATS_TEST_TMPDIR/nobody
    new_id
    make_bundle "$id" "$(notifying) | .process.args = [\"touch\", \"/dev/shm/ran\"]"
    local what
    for what in nothing file dead; do
        case $what in
        file) touch "$socket" ;;
        dead) rm "$socket" && python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$socket" ;;
        esac
        refused "/linux/seccomp/listenerPath \"$socket\"" mrun run --bundle "$bundle" "$id"
        [ -z "$(list_state "$ROOT")" ]
        create_container "$id" "$bundle"
        refused "/linux/seccomp/listenerPath \"$socket\"" mrun start "$id"
        wait_until 5 has_status "$id" stopped
        mrun delete "$id"
    done
    start_agent
    start_script 'sleep 1000' "$(notifying)"
    end_agent
    refused listenerPath mrun exec "$id" true
    [ "$refusal" -eq 255 ]
    [ "$(mrun ps --format json "$id" | jq length)" -eq 1 ]
}

@test "an agent that takes no connections does not hold the start for ever" {
    socket=$BATS_TEST_TMPDIR/busy
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
mine = [socket.socket(socket.AF_UNIX) for _ in range(8)]
for m in mine:
    m.setblocking(False)
    try: m.connect(sys.argv[1])
    except BlockingIOError: break
time.sleep(60)' "$socket" >/dev/null 2>&1 </dev/null 3>&- &
    agent=$!
    wait_until 5 test -S "$socket"
    sleep 0.2
    new_id
    make_bundle "$id" "$(notifying) | .process.args = [\"true\"]"
    SECONDS=0
    refused 'connect to the seccomp agent' mrun run --bundle "$bundle" "$id"
    [ "$SECONDS" -ge 9 ] && [ "$SECONDS" -lt 20 ]
}

@test "what cannot be decided by an agent is refused, with its place" {
    new_id
    local filter place
    while IFS='|' read -r place filter; do
        make_bundle "$id" ".linux.seccomp = $filter"
        refused "$place" mrun create --bundle "$bundle" "$id"
    done <<'END'
/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY cannot be used as default action|{defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/x"}
/linux/seccomp/syscalls/0/names/1: SCMP_ACT_NOTIFY cannot be used for the write syscall|{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x", syscalls: [{names: ["mkdir", "write"], action: "SCMP_ACT_NOTIFY"}]}
/linux/seccomp/syscalls/1/action: SCMP_ACT_NOTIFY needs an agent|{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_LOG"}, {names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}
/linux/seccomp/syscalls/0/action: SCMP_ACT_NOTIFY needs an agent|{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}
/linux/seccomp/listenerPath: "x" is relative|{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "x", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}
/linux/seccomp/listenerMetadata|{defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "x"}
/linux/seccomp/syscalls/0/errnoRet|{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOTIFY", errnoRet: 1}]}
END
    # A path without anything to be decided is no more than that.
    run_script 'echo runs' "$(profile SCMP_ACT_ALLOW '{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}' '{listenerPath: "/nowhere"}')"
    [ "$output" = runs ]
}

# --- the cache ------------------------------------------------------------------------------------------------------

entries() { find "$ROOT/.cache/seccomp" -mindepth 1 -printf '%f\n' 2>/dev/null | sort; }
sums() { (cd "$ROOT/.cache/seccomp" && sha256sum -- * && stat -c '%n %i %Y' -- *); }
REFUSING='{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}'
# says WORD: the container that REFUSING filters, or something else.
filtered() {
    run_script 'mkdir /dev/shm/x 2>/dev/null && echo made || echo refused' "$(profile SCMP_ACT_ALLOW "$REFUSING")"
    [ "$output" = "$1" ]
}

@test "podman's profile is compiled for the first container, and for no further one" {
    command -v strace >/dev/null || skip "needs strace"
    podman_profile
    new_id
    make_bundle "$id" '.linux.seccomp = $profile[0] | .process.args = ["sh", "-c", "grep Seccomp: /proc/self/status"]' \
        --slurpfile profile "$podman"
    local round
    for round in 1 2 3; do
        # libseccomp writes a program to a file of this name when it has compiled one.
        run timeout 60 strace -f -qq -e trace=memfd_create,seccomp -o "$bundle/trace" "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
        [[ $output == *$'Seccomp:\t2'* ]]
        grep -o 'SECCOMP_SET_MODE_FILTER, .*len=[0-9]*' "$bundle/trace" >"$bundle/loaded"
        [ "$round" -eq 1 ] || cmp "$bundle/loaded" "$bundle/loaded-before"
        mv "$bundle/loaded" "$bundle/loaded-before"
        [ "$(grep -c 'memfd_create("seccomp"' "$bundle/trace")" -eq $((round == 1)) ]
        [ "$(entries | wc -l)" -eq 1 ]
        [ "$round" -eq 1 ] || [ "$(sums)" = "$before" ]
        local before
        before=$(sums)
    done
    # A lone container has the filter as well when it is another one's turn: with exec.
    make_bundle "$id" '.linux.seccomp = $profile[0] | .process.args = ["sleep", "1000"]' --slurpfile profile "$podman"
    create_container "$id" "$bundle"
    run timeout 60 strace -f -qq -e trace=memfd_create,seccomp -o "$bundle/trace" "$MRUN" --root "$ROOT" exec "$id" grep Seccomp: /proc/self/status </dev/null
    [ "$output" = $'Seccomp:\t2' ]
    [ "$(grep -c 'memfd_create("seccomp"' "$bundle/trace")" -eq 0 ]
    [ "$(sums)" = "$before" ]
}

@test "the cache is mrun's alone, and no container" {
    filtered refused
    [ "$(stat -c '%a %u' "$ROOT/.cache" "$ROOT/.cache/seccomp" "$ROOT/.cache/seccomp"/* | sort -u | paste -sd ,)" = '600 0,700 0' ]
    [ -z "$(mrun list --quiet)" ]
    [ "$(mrun list --format json)" = null ] || [ "$(mrun list --format json | jq length)" -eq 0 ]
    refused 'no folder of a container' mrun delete --force .cache
    [ "$(entries | wc -l)" -eq 1 ]
}

@test "a cached filter is used as it is: one that says otherwise, with all marks right, filters otherwise" {
    # What the other tests mean by "rebuilt" is worth nothing unless this one finds the entry taken.
    command -v python3 >/dev/null || skip "needs python3"
    filtered refused
    local entry
    entry=$ROOT/.cache/seccomp/$(entries)
    python3 - "$entry" <<'END'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
length = struct.unpack_from("<I", data, 12)[0]
data[16:16 + length] = struct.pack("<HBBI", 6, 0, 0, 0x7fff0000) * (length // 8)
def mixed(n):
    n = n * 0xff51afd7ed558ccd & 2**64 - 1
    return n ^ n >> 32
rest = bytes(data[8:])
total = 0x9e3779b97f4a7c15 ^ len(rest)
whole = len(rest) // 8 * 8
for (word,) in struct.iter_unpack("<Q", rest[:whole]):
    total = mixed(total ^ word)
struct.pack_into("<Q", data, 0, mixed(mixed(total ^ int.from_bytes(rest[whole:], "big"))))
open(sys.argv[1], "wb").write(data)
END
    filtered made
}

@test "a damaged entry of the cache is noticed, and rebuilt" {
    command -v python3 >/dev/null || skip "needs python3"
    filtered refused
    local name entry good size at
    name=$(entries)
    entry=$ROOT/.cache/seccomp/$name
    good=$(sha256sum <"$entry")
    size=$(stat -c %s "$entry")
    cp "$entry" "$BATS_TEST_TMPDIR/good"
    for at in 0 7 8 12 13 16 20 24 60 $((size / 2)) $((size - 1)); do
        cp "$BATS_TEST_TMPDIR/good" "$entry"
        # One bit of one byte.
        python3 -c 'import sys; f = open(sys.argv[1], "r+b"); at = int(sys.argv[2]); f.seek(at); b = f.read(1)[0] ^ 4; f.seek(at); f.write(bytes([b]))' \
            "$entry" "$at"
        [ "$(sha256sum <"$entry")" != "$good" ]
        filtered refused
        [ "$(sha256sum <"$entry")" = "$good" ]
    done
    for at in 0 1 8 16 40 $((size - 1)); do
        truncate -s "$at" "$entry"
        filtered refused
        [ "$(sha256sum <"$entry")" = "$good" ]
    done
    echo more >>"$entry"
    filtered refused
    [ "$(sha256sum <"$entry")" = "$good" ]
    # The entry of another profile under this name, undamaged in itself.
    run_script 'true' "$(profile SCMP_ACT_ALLOW "{names: [\"chmod\"], action: \"SCMP_ACT_ERRNO\"}")"
    cp "$ROOT/.cache/seccomp/$(entries | grep -v "$name")" "$entry"
    filtered refused
    [ "$(sha256sum <"$entry")" = "$good" ]
}

@test "an entry that somebody else could have written is not taken" {
    filtered refused
    local entry inode
    entry=$ROOT/.cache/seccomp/$(entries)
    replaced() { # the entry is another file than it was, and mrun's
        [ "$(stat -c %i "$entry")" != "$inode" ] && [ "$(stat -c '%u %a %F' "$entry")" = '0 600 regular file' ]
    }
    local what
    for what in 'chown 1' 'chmod 620' 'chmod 602'; do
        inode=$(stat -c %i "$entry")
        $what "$entry"
        filtered refused
        replaced
    done
    cp "$entry" "$BATS_TEST_TMPDIR/elsewhere"
    ln -sf "$BATS_TEST_TMPDIR/elsewhere" "$entry"
    inode=$(stat -c %i "$entry")
    filtered refused
    replaced
    [ -f "$BATS_TEST_TMPDIR/elsewhere" ]
    # A FIFO must not hold anybody.
    rm "$entry" && mkfifo "$entry" && inode=$(stat -c %i "$entry")
    filtered refused
    replaced
    # A folder that others may write to, or a link to one, is no place for filters.
    for what in 'chown 1' 'chmod 770'; do
        rm "$entry"
        $what "$ROOT/.cache/seccomp"
        filtered refused
        [ -z "$(entries)" ]
        chown 0 "$ROOT/.cache/seccomp" && chmod 700 "$ROOT/.cache/seccomp"
        filtered refused
        [ -n "$(entries)" ]
    done
    rm -r "$ROOT/.cache/seccomp" && mkdir -m 700 "$BATS_TEST_TMPDIR/mine" && ln -s "$BATS_TEST_TMPDIR/mine" "$ROOT/.cache/seccomp"
    filtered refused
    [ -z "$(ls "$BATS_TEST_TMPDIR/mine")" ]
    # Something else in its place costs the cache, and nothing more.
    rm -r "$ROOT/.cache" && touch "$ROOT/.cache"
    filtered refused
    rm "$ROOT/.cache"
}

@test "a state root without room for filters costs the cache alone" {
    in_private_mounts || return 0
    # The folder is there, and cannot be written to.
    mkdir -p "$ROOT/.cache/seccomp"
    mount -t tmpfs -o size=4k,mode=700 none "$ROOT/.cache/seccomp"
    dd if=/dev/zero of="$ROOT/.cache/seccomp/full" bs=4096 count=2 status=none || :
    filtered refused
    [ "$(entries)" = full ]
    mount -o remount,ro "$ROOT/.cache/seccomp"
    filtered refused
    umount "$ROOT/.cache/seccomp"
    [ -z "$(entries)" ]
    filtered refused
    [ "$(entries | wc -l)" -eq 1 ]
}

@test "the cache keeps at most 64 filters, the newest" {
    mkdir -p "$ROOT/.cache/seccomp" && chmod 700 "$ROOT/.cache/seccomp"
    local n
    for n in {1..80}; do touch -d "2020-01-01 00:00:$((n % 60))" "$ROOT/.cache/seccomp/$n"; done
    touch -d '2021-01-01' "$ROOT/.cache/seccomp/newest"
    touch -d '2001-01-01' "$ROOT/.cache/seccomp/.oldest.1"
    filtered refused
    [ "$(entries | wc -l)" -eq 64 ]
    [ -e "$ROOT/.cache/seccomp/newest" ]
    [ ! -e "$ROOT/.cache/seccomp/.oldest.1" ]
    [ "$(entries | grep -Ec '^[0-9a-f]{16}$')" -eq 1 ]
}

@test "another profile, or the same one in other words, has a filter of its own" {
    filtered refused
    run_script 'mkdir /dev/shm/x 2>&1; true' "$(profile SCMP_ACT_ALLOW '{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}')"
    [[ $output == *'No space left'* ]]
    run_script 'mkdir /dev/shm/x && echo made' "$(profile SCMP_ACT_ALLOW '{names: ["chmod"], action: "SCMP_ACT_ERRNO"}')"
    [ "$output" = made ]
    [ "$(entries | wc -l)" -eq 3 ]
    filtered refused
    [ "$(entries | wc -l)" -eq 3 ]
}
