#!/usr/bin/env bats
# Further processes in a running container.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

@test "exec answers with the exit status of what it executed" {
    start_script 'sleep 1000'
    local code
    for code in 0 7 254; do
        run mrun exec "$id" sh -c "exit $code"
        [ "$status" -eq "$code" ]
        [ -z "$output" ]
    done
    run mrun exec "$id" sh -c 'kill -TERM $$'
    [ "$status" -eq 143 ]
    run mrun exec "$id" sh -c 'kill -KILL $$'
    [ "$status" -eq 137 ]
    run mrun exec "$id" sh -c 'kill -40 $$'
    [ "$status" -eq 168 ]
}

@test "exec tells what cannot be executed, as shells do" {
    start_script 'sleep 1000'
    refused 'executable file not found in $PATH' mrun exec "$id" nosuch
    [ "$refusal" -eq 127 ]
    refused 'no such file or directory' mrun exec "$id" /bin/nosuch
    [ "$refusal" -eq 127 ]
    refused 'not a directory' mrun exec "$id" /etc/passwd/x || refused 'no such file' mrun exec "$id" /etc/passwd/x
    [ "$refusal" -eq 127 ]
    refused 'permission denied' mrun exec "$id" /etc/passwd
    [ "$refusal" -eq 126 ]
    refused 'permission denied' mrun exec "$id" /etc
    [ "$refusal" -eq 126 ]
}

@test "exec answers 255 when it is mrun that fails" {
    start_script 'sleep 1000'
    refused 'exec failed: ' mrun exec --cwd /nosuch "$id" true
    [ "$refusal" -eq 255 ]
    refused 'exec failed: ' mrun exec --env NOVALUE "$id" true
    [ "$refusal" -eq 255 ]
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    refused 'exec failed: cannot exec in a stopped container' mrun exec "$id" true
    [ "$refusal" -eq 255 ]
}

@test "exec passes input and output through, and options after the command are the command's" {
    start_script 'sleep 1000'
    run --separate-stderr mrun exec "$id" sh -c 'cat; echo to stderr >&2' <<<'from stdin'
    [ "$output" = 'from stdin' ]
    [ "$stderr" = 'to stderr' ]
    [ "$(mrun exec "$id" echo --env A=1 -u 5)" = '--env A=1 -u 5' ]
    [ "$(mrun exec "$id" -- echo x)" = x ] || [ "$(mrun exec -- "$id" echo x)" = x ]
}

@test "exec --env adds to the environment of the config, and the last one counts" {
    start_script 'sleep 1000' '.process.env = ["PATH=/bin:/usr/bin", "A=config"]'
    [ "$(mrun exec "$id" env | sort)" = $'A=config\nHOME=/root\nPATH=/bin:/usr/bin' ]
    [ "$(mrun exec --env B=2 -e A=exec -e C= -e 'D=a b=c' "$id" env | sort)" = \
        $'A=exec\nB=2\nC=\nD=a b=c\nHOME=/root\nPATH=/bin:/usr/bin' ]
    refused 'invalid environment variable' mrun exec --env =x "$id" env
    refused 'invalid environment variable' mrun exec --env X "$id" env
    refused 'invalid environment variable' mrun exec --env '' "$id" env
    # The executable is looked for in that PATH.
    refused 'executable file not found in $PATH' mrun exec --env PATH=/nowhere "$id" env
}

@test "exec --cwd sets the working directory" {
    start_script 'sleep 1000'
    [ "$(mrun exec "$id" pwd)" = / ]
    [ "$(mrun exec --cwd /usr/bin "$id" pwd)" = /usr/bin ]
    refused 'Cwd must be an absolute path' mrun exec --cwd usr "$id" pwd
    refused 'no such file or directory' mrun exec --cwd /nosuch "$id" pwd
    refused 'not a directory' mrun exec --cwd /etc/passwd "$id" pwd
    # It is entered with the rights of the user.
    refused 'permission denied' mrun exec --cwd /dev/shm/closed "$id" pwd ||
        { mrun exec "$id" sh -c 'mkdir -m 700 /dev/shm/closed' &&
            refused 'permission denied' mrun exec --user 1:1 --cwd /dev/shm/closed "$id" pwd; }
}

@test "exec --cwd never leads out through a descriptor" {
    start_script 'sleep 1000'
    local number
    # Also with descriptors of the host's folders that the caller has leaked.
    for number in {3..14} 200; do
        refused 'exec failed: ' bash -c 'exec 3</ 4</ 5</etc 6</proc 7</sys/fs/cgroup 8</ 9</ 200</ && exec "$@"' bash \
            timeout 60 "$MRUN" --root "$ROOT" exec --cwd "/proc/self/fd/$number" "$id" ls
        [ "$refusal" -eq 255 ]
    done
    refused 'exec failed: ' bash -c 'exec 3</ && exec "$@"' bash \
        timeout 60 "$MRUN" --root "$ROOT" exec --cwd "/proc/self/fd/3/../../.." "$id" ls
}

@test "exec --user takes numbers and nothing else" {
    start_script 'sleep 1000' '.process.user.gid = 33'
    ids() { mrun exec --user "$1" "$id" sh -c 'grep -E "^(Uid|Gid)" /proc/self/status | tr -s "\t\n" "  "'; }
    [ "$(ids 0)" = 'Uid: 0 0 0 0 Gid: 33 33 33 33 ' ]
    [ "$(ids 1)" = 'Uid: 1 1 1 1 Gid: 33 33 33 33 ' ]
    [ "$(ids 10:20)" = 'Uid: 10 10 10 10 Gid: 20 20 20 20 ' ]
    [ "$(ids 65534:0)" = 'Uid: 65534 65534 65534 65534 Gid: 0 0 0 0 ' ]
    [ "$(ids 4294967294)" = 'Uid: 4294967294 4294967294 4294967294 4294967294 Gid: 33 33 33 33 ' ]
    # CVE-2026-30892: what is only half understood must not become root.
    local text
    for text in '' ' ' : 1: :1 -1 +1 1:-1 -1:1 4294967295 4294967296 1:4294967295 18446744073709551616 99999999999999999999 \
        01 00 0x1 0b1 1e3 1.0 1,2 '1 ' ' 1' $'1\n' $'1\t' 1:2:3 1::2 1/2 root nobody 1:root root:1 '1 2' 1_0 ١ ']'; do
        refused "invalid user \"" mrun exec --user "$text" "$id" id
        [ "$refusal" -ne 0 ]
    done
}

@test "exec --detach returns while the process runs, and --pid-file tells its pid on the host" {
    start_script 'sleep 1000'
    mrun exec --detach --pid-file "$bundle/pid" "$id" sh -c 'echo ready; exec sleep 1003' >"$bundle/exec-out" 2>&1 </dev/null 3>&-
    wait_until 5 grep -q ready "$bundle/exec-out"
    local pid
    pid=$(cat "$bundle/pid")
    [ "$(od -An -c "$bundle/pid" | tr -d ' ')" = "$pid" ]
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = 'sleep 1003 ' ]
    cgroup_value freezer "$id" cgroup.procs | grep -qx "$pid"
    # A command that cannot be executed is told even then.
    refused 'executable file not found' mrun exec --detach "$id" nosuch
    [ "$refusal" -eq 127 ]
}

@test "exec lands in the cgroups and namespaces of the container" {
    start_script 'sleep 1000' '.linux.namespaces += [{type: "cgroup"}]'
    mrun exec --detach --pid-file "$bundle/pid" "$id" sleep 1003 >/dev/null 2>&1 </dev/null 3>&-
    local pid first kind
    pid=$(cat "$bundle/pid")
    first=$(pid_of "$id")
    [ "$(cat "/proc/$pid/cgroup")" = "$(cat "/proc/$first/cgroup")" ]
    for kind in pid net ipc uts mnt cgroup user; do
        [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink "/proc/$first/ns/$kind")" ]
    done
    [ "$(stat -Lc %d:%i "/proc/$pid/root")" = "$(stat -Lc %d:%i "/proc/$first/root")" ]
}

@test "exec has the privileges of the config and no others" {
    local show='grep -E "^(Cap|NoNewPrivs|Seccomp|Groups)" /proc/self/status'
    start_script "$show; sleep 1000" '.process.user.additionalGids = [7, 9] |
        .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
    wait_until 5 output_has "$bundle" Seccomp
    run mrun exec "$id" sh -c "$show"
    [ "$output" = "$(cat "$bundle/out")" ]
    [[ $output == *$'NoNewPrivs:\t1'* ]]
    [[ $output == *$'Seccomp:\t2'* ]]
    [[ $output == *$'CapInh:\t0000000000000000'* ]]
    [[ $output == *$'CapAmb:\t0000000000000000'* ]]
    run mrun exec "$id" mkdir /dev/shm/x
    [ "$status" -eq 1 ]
    [[ $output == *'Operation not permitted'* ]]
    # Another user keeps nothing but the bounding set.
    run mrun exec --user 1:1 "$id" sh -c "$show"
    [[ $output == *$'CapPrm:\t0000000000000000'* ]]
    [[ $output == *$'CapEff:\t0000000000000000'* ]]
}

@test "exec --no-new-privs sets it where the config does not" {
    start_script 'sleep 1000' '.process.noNewPrivileges = false'
    [ "$(mrun exec "$id" sh -c 'grep NoNewPrivs /proc/self/status')" = $'NoNewPrivs:\t0' ]
    [ "$(mrun exec --no-new-privs "$id" sh -c 'grep NoNewPrivs /proc/self/status')" = $'NoNewPrivs:\t1' ]
}

@test "exec works in a created container, and under --init" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle"
    [ "$(mrun exec "$id" hostname)" = mrun ]
    has_status "$id" created
    start_script 'sleep 1000' . --init
    [ "$(mrun exec "$id" cat /proc/1/comm)" = mrun-init ]
}

@test "exec in the foreground forwards signals" {
    start_script 'sleep 1000'
    "$MRUN" --root "$ROOT" exec "$id" sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.02; done' \
        >"$bundle/exec-out" 2>&1 </dev/null 3>&- &
    local runner=$! status=0
    wait_until 5 grep -q ready "$bundle/exec-out"
    kill -TERM "$runner"
    wait "$runner" || status=$?
    [ "$status" -eq 9 ]
}

@test "a process that exec left behind dies with the container" {
    start_script 'sleep 1000'
    mrun exec --detach --pid-file "$bundle/pid" "$id" sh -c 'trap "" TERM HUP; sleep 1003' >/dev/null 2>&1 </dev/null 3>&-
    mrun delete --force "$id"
    [ ! -e "/proc/$(cat "$bundle/pid")" ] || [ "$(cut -d ' ' -f 3 <"/proc/$(cat "$bundle/pid")/stat")" = Z ]
}

@test "exec without a command is refused" {
    start_script 'sleep 1000'
    refused 'exec' mrun exec "$id"
    refused 'exec args cannot be empty' mrun exec "$id" ''
}

@test "twenty execs at once all come back with their own status" {
    start_script 'sleep 1000'
    local number pids=() status
    for number in {1..20}; do
        mrun exec "$id" sh -c "exit $number" >/dev/null 2>&1 </dev/null 3>&- &
        pids+=($!)
    done
    for number in {1..20}; do
        status=0
        wait "${pids[number - 1]}" || status=$?
        [ "$status" -eq "$number" ]
    done
}
