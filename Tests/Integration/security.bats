#!/usr/bin/env bats
# The privileges that a task has, exactly as its config says, and no others.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# --- capabilities and ids -------------------------------------------------------------------------------------------

CAPABILITIES='grep "^Cap" /proc/self/status | tr -s "\t\n" "  "'

# capabilities FILTER: sets `output` to the five sets that a task has, in the kernel's order.
capabilities() {
    run_script "$CAPABILITIES" "$1" "${@:2}"
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

@test "the capability sets are exactly those of the config" {
    # 5 is CAP_KILL, 10 CAP_NET_BIND_SERVICE, 29 CAP_AUDIT_WRITE.
    capabilities .
    [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000020000420 CapEff: 0000000020000420 CapBnd: 0000000020000420 CapAmb: 0000000000000000 " ]
    # With no_new_privs execve adds nothing, without it root gets all of the bounding set.
    capabilities '.process.capabilities = {bounding: ["CAP_CHOWN"], effective: [], permitted: [], inheritable: []}'
    [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000001 CapAmb: 0000000000000000 " ]
    capabilities '.process.capabilities = {bounding: ["CAP_CHOWN"]} | .process.noNewPrivileges = false'
    [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000000000001 CapEff: 0000000000000001 CapBnd: 0000000000000001 CapAmb: 0000000000000000 " ]
    local filter
    for filter in 'del(.process.capabilities)' '.process.capabilities = {}' '.process.capabilities = {bounding: []}'; do
        capabilities "$filter"
        [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 CapAmb: 0000000000000000 " ]
    done
    # Inheritable ones only where the config lists them: CVE-2022-29162.
    capabilities '.process.capabilities.inheritable = ["CAP_KILL"]'
    [[ $output == "CapInh: 0000000000000020 "*"CapAmb: 0000000000000000 " ]]
}

@test "a staying init keeps the sets of the task as they are" {
    capabilities . --init
    [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000020000420 CapEff: 0000000020000420 CapBnd: 0000000020000420 CapAmb: 0000000000000000 " ]
}

@test "another user than root has ambient capabilities and nothing else" {
    capabilities '.process.user = {uid: 1000, gid: 1000}'
    [ "$output" = "CapInh: 0000000000000000 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000020000420 CapAmb: 0000000000000000 " ]
    capabilities '.process.user = {uid: 1000, gid: 1000} | .process.capabilities |= . +
        {inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
    [ "$output" = "CapInh: 0000000000000020 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapBnd: 0000000020000420 CapAmb: 0000000000000020 " ]
}

@test "sets that the kernel would not give are refused, with their place" {
    new_id
    make_bundle "$id" '.process.capabilities.effective += ["CAP_CHOWN"]'
    refused '/process/capabilities/effective/3' mrun create --bundle "$bundle" "$id"
    local name
    for name in CAP_NOSUCH KILL cap_kill 5 '' CAP_KILL,CAP_CHOWN; do
        make_bundle "$id" '.process.capabilities.bounding = [$name]' --arg name "$name"
        refused '/process/capabilities/bounding/0' mrun create --bundle "$bundle" "$id"
    done
}

@test "the task has the ids and groups of the config, and none of the caller's groups" {
    local show='grep -E "^(Uid|Gid|Groups)" /proc/self/status | tr -s "\t\n" "  "'
    new_id
    make_bundle "$id" '.process.user = {uid: 7, gid: 8, additionalGids: [9, 10, 4000000000]} |
        .process.args = ["sh", "-c", $script]' --arg script "$show"
    run setpriv --groups 0,77,78 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    [ "$output" = "Uid: 7 7 7 7 Gid: 8 8 8 8 Groups: 9 10 4000000000 " ]
    make_bundle "$id" '.process.user = {uid: 7, gid: 8} | .process.args = ["sh", "-c", $script]' --arg script "$show"
    run setpriv --groups 0,77,78 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    [ "$output" = "Uid: 7 7 7 7 Gid: 8 8 8 8 Groups: " ]
    local number
    for number in -1 4294967295 4294967296 1.5 '"1"'; do
        make_bundle "$id" ".process.user.uid = $number"
        refused '/process/user/uid' mrun create --bundle "$bundle" "$id"
        make_bundle "$id" ".process.user.additionalGids = [1, $number]"
        refused '/process/user/additionalGids/1' mrun create --bundle "$bundle" "$id"
    done
}

@test "HOME comes from the passwd file of the image, whatever that file may be" {
    own_rootfs a
    printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv/app:/bin/sh\n' >"$rootfs/etc/passwd"
    new_id
    make_bundle "$id" '.root.path = $rootfs | .process.args = ["sh", "-c", "echo $HOME"] | .process.user = {uid: 1000, gid: 1}' \
        --arg rootfs "$rootfs"
    run_container "$id" "$bundle"
    [ "$output" = /srv/app ]
    local kind
    for kind in fifo device missing loop; do
        rm -f "$rootfs/etc/passwd"
        case $kind in
        fifo) mkfifo "$rootfs/etc/passwd" ;;
        device) mknod "$rootfs/etc/passwd" c 1 5 ;;
        loop) ln -s passwd "$rootfs/etc/passwd" ;;
        esac
        MRUN_TIMEOUT=10 run_container "$id" "$bundle"
        [ "$status" -eq 0 ]
        [ "$output" = / ]
    done
}

@test "no_new_privs is set where the config says so" {
    run_script 'grep NoNewPrivs /proc/self/status'
    [ "$output" = $'NoNewPrivs:\t1' ]
    run_script 'grep NoNewPrivs /proc/self/status' '.process.noNewPrivileges = false'
    [ "$output" = $'NoNewPrivs:\t0' ]
    run_script 'grep NoNewPrivs /proc/self/status' . --init
    [ "$output" = $'NoNewPrivs:\t1' ]
}

# --- seccomp --------------------------------------------------------------------------------------------------------

@test "the seccomp filter of the config filters the task and its children, with no_new_privs and without" {
    local filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"},
            {names: ["unlink", "unlinkat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}, {names: ["no_such_call_ever"], action: "SCMP_ACT_ERRNO"}]}'
    local more option
    for more in . '.process.noNewPrivileges = false' '.process.user = {uid: 1, gid: 1}'; do
        for option in '' --init; do
            # shellcheck disable=SC2086 # none or one word
            run_script 'grep ^Seccomp: /proc/self/status; mkdir /dev/shm/x; sh -c "mkdir /dev/shm/y"; touch /dev/shm/z; rm /dev/shm/z' \
                "$filter | $more" $option
            [[ $output == $'Seccomp:\t2'* ]]
            [ "$(grep -c 'mkdir: .*Operation not permitted' <<<"$output")" -eq 2 ]
            [[ $output == *'rm: '*'No space left on device'* ]]
        done
    done
}

@test "a filter that kills ends the task by SIGSYS" {
    run_script 'mkdir /dev/shm/x; echo survived' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}'
    [[ $output == *'Bad system call'* ]]
    run_script 'exec mkdir /dev/shm/x' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}' --init
    [ "$status" -eq 159 ]
}

@test "a filter can look at arguments" {
    # The second argument of mkdir(2) and the third of mkdirat(2) are the mode.
    run_script 'mkdir -m 700 /dev/shm/a 2>&1; cat /dev/null; kill -0 1; kill -17 $$ 2>&1; kill -10 1 2>&1 || true' \
        '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
            {names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{index: 1, value: 17, op: "SCMP_CMP_EQ"}]}]}'
    echo "$output"
    [[ $output == *"can't kill pid 1: Operation not permitted"* ]]
    [ "$(grep -c 'not permitted' <<<"$output")" -eq 1 ]
}

@test "a filter that forbids what mrun does before the task does not stop the start" {
    # All but a few calls that busybox needs to say something and end.
    run_script 'echo alive' '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, syscalls: [{action: "SCMP_ACT_ALLOW",
        names: ["execve", "read", "write", "brk", "mmap", "munmap", "mprotect", "exit", "exit_group", "arch_prctl", "set_tid_address",
        "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom", "rt_sigaction", "rt_sigprocmask", "getuid", "geteuid",
        "getpid", "getppid", "fcntl", "uname", "stat", "newfstatat", "getcwd", "ioctl", "prctl", "fstat", "lseek"]}]}'
    [ "$status" -eq 0 ]
    [ "$output" = alive ]
}

@test "a filter that means nothing is refused, with its place" {
    new_id
    local filter
    for filter in '{defaultAction: "SCMP_ACT_NOSUCH"}' '{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_NOSUCH"]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir"], action: "SCMP_ACT_NOSUCH"}]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: [], action: "SCMP_ACT_ERRNO"}]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{action: "SCMP_ACT_ERRNO"}]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{index: 6, value: 1, op: "SCMP_CMP_EQ"}]}]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: 1, op: "SCMP_CMP_NO"}]}]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_NOSUCH"]}' \
        '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "tmp/x"}' '{syscalls: []}'; do
        make_bundle "$id" ".linux.seccomp = $filter"
        refused '/linux/seccomp' mrun create --bundle "$bundle" "$id"
    done
}

# --- keyring, limits, kernel settings -------------------------------------------------------------------------------

@test "the caller's session keyring does not reach the task, unless it is asked for" {
    command -v python3 >/dev/null || skip "needs python3"
    new_id
    # As another user than the key's, who sees it only when the keyring is the own one.
    make_bundle "$id" 'del(.linux.maskedPaths) | .process.args = ["sh", "-c", "grep -c mrun-secret /proc/keys; true"] |
        .process.user = {uid: 1, gid: 1}'
    # A new session keyring with one key in it (keyctl and add_key have these numbers on x86 and on Arm).
    local session='import ctypes, os, platform, sys
add_key, keyctl = (248, 250) if platform.machine() == "x86_64" else (217, 219)
libc = ctypes.CDLL(None)
if libc.syscall(keyctl, 1, None) < 0 or libc.syscall(add_key, b"user", b"mrun-secret", b"x", 1, -3) < 0: sys.exit(99)
os.execvp(sys.argv[1], sys.argv[1:])'
    run python3 -c "$session" "$MRUN" --root "$ROOT" run --no-new-keyring --bundle "$bundle" "$id" </dev/null
    [ "$status" -ne 99 ] || skip "no keyrings here"
    [ "$output" = 1 ]
    run python3 -c "$session" "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    [ "$output" = 0 ]
    start_script 'sleep 1000' 'del(.linux.maskedPaths) | .process.user = {uid: 1, gid: 1}'
    run python3 -c "$session" "$MRUN" --root "$ROOT" exec "$id" sh -c 'grep -c mrun-secret /proc/keys; true' </dev/null
    [ "$output" = 0 ]
}

@test "resource limits are those of the config" {
    run_script 'cat /proc/self/limits' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200},
        {type: "RLIMIT_CORE", soft: 0, hard: 0}, {type: "RLIMIT_NPROC", soft: 500, hard: 500},
        {type: "RLIMIT_STACK", soft: 4194304, hard: 8388608}]'
    echo "$output"
    [[ $output =~ Max\ open\ files\ +100\ +200 ]]
    [[ $output =~ Max\ core\ file\ size\ +0\ +0 ]]
    [[ $output =~ Max\ processes\ +500\ +500 ]]
    [[ $output =~ Max\ stack\ size\ +4194304\ +8388608 ]]
    start_script 'sleep 1000' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
    [ "$(mrun exec "$id" sh -c 'ulimit -Sn; ulimit -Hn')" = $'100\n200' ]
    # Tiny limits are the task's, not those of its making.
    run_script 'ulimit -n; ulimit -f' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 3}, {type: "RLIMIT_FSIZE", soft: 0, hard: 0}]'
    [ "$output" = $'3\n0' ]
    new_id
    local limit
    for limit in '[{type: "RLIMIT_NOSUCH", soft: 1, hard: 1}]' '[{type: "RLIMIT_NOFILE", soft: 2, hard: 1}]' \
        '[{type: "RLIMIT_NOFILE", soft: 1, hard: 1}, {type: "RLIMIT_NOFILE", soft: 2, hard: 2}]' '[{type: "RLIMIT_NOFILE", soft: 1}]' \
        '[{type: "RLIMIT_NOFILE", soft: -1, hard: 1}]'; do
        make_bundle "$id" ".process.rlimits = $limit"
        refused '/process/rlimits' mrun create --bundle "$bundle" "$id"
    done
}

@test "the OOM score is set to what the config says, for exec as well" {
    run_script 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 321'
    [ "$output" = 321 ]
    start_script 'sleep 1000' '.process.oomScoreAdj = 321'
    [ "$(mrun exec "$id" cat /proc/self/oom_score_adj)" = 321 ]
    new_id
    make_bundle "$id" '.process.oomScoreAdj = 1001'
    refused '/process/oomScoreAdj' mrun create --bundle "$bundle" "$id"
}

@test "sysctls are set in the container's namespaces, and nowhere else" {
    local before
    before=$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start)
    run_script 'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start' \
        '.linux.sysctl = {"kernel.msgmax": "4444", "net/ipv4/ip_unprivileged_port_start": "777"}'
    [ "$output" = $'4444\n777' ]
    [ "$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start)" = "$before" ]
    new_id
    local name
    for name in kernel.panic vm.swappiness kernel.core_pattern fs.file-max net/../kernel/panic net..ipv4.ip_forward \
        /proc/sys/kernel/panic ../kernel/panic kernel.msgmaxx '' net; do
        make_bundle "$id" '.linux.sysctl = {($name): "1"}' --arg name "$name"
        refused "/linux/sysctl/" mrun create --bundle "$bundle" "$id"
    done
    make_bundle "$id" '.linux.sysctl = {"net.ipv4.ip_forward": "1"} | del(.linux.namespaces[] | select(.type == "network"))'
    refused '/linux/sysctl/net.ipv4.ip_forward' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.sysctl = {"kernel.msgmax": "1"} | del(.linux.namespaces[] | select(.type == "ipc"))'
    refused '/linux/sysctl/kernel.msgmax' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.sysctl = {"net.ipv4.nosuch": "1"}'
    refused '/proc/sys/net/ipv4/nosuch' mrun create --bundle "$bundle" "$id"
}

@test "hostname and domainname are the container's own" {
    local before
    before=$(hostname)
    run_script 'hostname; cat /proc/sys/kernel/domainname' '.hostname = "inside" | .domainname = "example.org"'
    [ "$output" = $'inside\nexample.org' ]
    [ "$(hostname)" = "$before" ]
    new_id
    make_bundle "$id" 'del(.linux.namespaces[] | select(.type == "uts"))'
    refused '/hostname' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.hostname = "x" * 65'
    refused '/hostname' mrun create --bundle "$bundle" "$id"
}

# --- namespaces -----------------------------------------------------------------------------------------------------

@test "every namespace of the config is a new one, and the others are the caller's" {
    start_script 'sleep 1000' '.linux.namespaces += [{type: "cgroup"}]'
    local kind pid
    pid=$(pid_of "$id")
    for kind in pid net ipc uts mnt cgroup; do
        [ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ]
    done
    [ "$(readlink "/proc/$pid/ns/user")" = "$(readlink /proc/self/ns/user)" ]
    start_script 'sleep 1000' '.linux.namespaces = [{type: "mount"}] | del(.hostname)'
    pid=$(pid_of "$id")
    for kind in pid net ipc uts cgroup; do
        [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink "/proc/self/ns/$kind")" ]
    done
    [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
}

@test "a new network namespace has nothing but its loopback" {
    run_script 'ls /sys/class/net; ip addr show lo 2>/dev/null | grep -c UP; true'
    [ "${lines[0]}" = lo ]
}

@test "a container joins the namespaces that its config names by path" {
    start_script 'sleep 1000'
    local first=$id pid kind joined
    pid=$(pid_of "$id")
    start_script 'sleep 1000' '.linux.namespaces = [{type: "mount"}, {type: "pid"}] + [{type: "network", file: "net"},
        {type: "ipc", file: "ipc"}, {type: "uts", file: "uts"}] | .linux.namespaces |= map(if .file then {type, path: "/proc/'"$pid"'/ns/\(.file)"} else . end)'
    joined=$(pid_of "$id")
    for kind in net ipc uts; do
        [ "$(readlink "/proc/$joined/ns/$kind")" = "$(readlink "/proc/$pid/ns/$kind")" ]
    done
    [ "$(readlink "/proc/$joined/ns/mnt")" != "$(readlink "/proc/$pid/ns/mnt")" ]
    # exec into the second lands in the joined namespaces.
    [ "$(mrun exec "$id" readlink /proc/self/ns/net)" = "$(readlink "/proc/$pid/ns/net")" ]
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    has_status "$first" running
}

@test "a namespace path that is none, of another kind, too long, relative or with a NUL is refused" {
    new_id
    local path
    for path in /proc/self/ns/uts /proc/self/ns/mnt /etc/passwd /etc /nosuch /dev/zero /proc/self/ns /proc/self/ns/nosuch; do
        make_bundle "$id" '.linux.namespaces |= map(if .type == "network" then .path = $path else . end)' --arg path "$path"
        MRUN_TIMEOUT=10 refused '/linux/namespaces/1/path' mrun create --bundle "$bundle" "$id"
    done
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    make_bundle "$id" '.linux.namespaces[1].path = $path' --arg path "$BATS_TEST_TMPDIR/fifo"
    MRUN_TIMEOUT=10 refused '/linux/namespaces/1/path' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces[1].path = "proc/self/ns/net"'
    refused '/linux/namespaces/1/path' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces[1].path = "/proc/self/ns/net\u0000/x"'
    refused 'the string holds a NUL' mrun create --bundle "$bundle" "$id"
    # 70,000 bytes: more than 16 bits can count, CVE-2021-43784.
    make_bundle "$id" '.linux.namespaces[1].path = "/" + "a" * 70000'
    refused '/linux/namespaces/1/path' mrun create --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces[1].path = "/proc/self/ns" + "/" * 65540 + "net"'
    refused '/linux/namespaces/1/path' mrun create --bundle "$bundle" "$id"
}

# --- mrun itself ----------------------------------------------------------------------------------------------------

@test "a setuid or setgid copy of mrun does not run" {
    local mode
    for mode in 4755 2755; do
        cp "$MRUN" "$BATS_RUN_TMPDIR/mrun-set"
        chown 0:7 "$BATS_RUN_TMPDIR/mrun-set"
        chmod "$mode" "$BATS_RUN_TMPDIR/mrun-set"
        chmod 755 "$BATS_RUN_TMPDIR"
        refused 'does not run setuid, setgid' setpriv --reuid 65534 --regid 65534 --clear-groups "$BATS_RUN_TMPDIR/mrun-set" list
        rm "$BATS_RUN_TMPDIR/mrun-set"
    done
}

@test "no state of a container can be read or changed by other users" {
    start_script 'sleep 1000'
    [ "$(stat -c %a "$ROOT/$id")" -le 711 ]
    local file
    while read -r file; do
        [ "$((0$(stat -c %a "$file") & 022))" -eq 0 ] || { echo "$file can be written by others" && return 1; }
    done < <(find "$ROOT/$id" -mindepth 1 ! -type l)
    [ "$((0$(stat -c %a "$ROOT/$id/state.json") & 077))" -eq 0 ]
}

@test "mrun makes its state root for root alone" {
    new_id
    make_bundle "$id" '.process.args = ["true"]'
    ROOT=$BATS_TEST_TMPDIR/a/new/root run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    [ "$(stat -c %a "$BATS_TEST_TMPDIR/a/new/root")" = 700 ]
}
