#!/usr/bin/env bats
# Signals on their way to the task, and what the caller of mrun must not hand down to it.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

NO_PID_NAMESPACE='del(.linux.namespaces[] | select(.type == "pid"))'
# Tells which signals come.
LISTENER='for s in HUP INT QUIT USR1 USR2 TERM WINCH CONT; do trap "echo got $s" $s; done
    for s in 34 35 40 64; do trap "echo got $s" $s; done; echo ready; while :; do sleep 0.02; done'

# start_listener [JQ-FILTER [OPTION...]]: sets `id` and `bundle`.
start_listener() {
    start_script "$LISTENER" "$@"
    wait_until 5 output_has "$bundle" ready
}

# sends SIGNAL NAME: kill with SIGNAL must reach the task as NAME.
sends() {
    : >"$bundle/out"
    mrun kill "$id" "$1"
    wait_until 5 output_has "$bundle" "got $2" || { echo "$1 did not arrive as $2" && return 1; }
}

@test "kill knows signals by name in any case, with SIG and without, and by number" {
    start_listener
    sends HUP HUP
    sends hup HUP
    sends SIGUSR1 USR1
    sends sigusr2 USR2
    sends 15 TERM
    sends 1 HUP
    sends RTMIN 34
    sends SIGRTMIN+1 35
    sends rtmax 64
    sends 40 40
    : >"$bundle/out"
    mrun kill "$id"
    wait_until 5 output_has "$bundle" "got TERM"
    # Only asks whether it is there.
    mrun kill "$id" 0
    has_status "$id" running
}

@test "kill refuses what is no signal, and sends nothing then" {
    start_listener
    local word
    for word in FOO SIG '' 65 999 -1 -9 +9 9x 0x9 RTMIN-1 RTMIN+31 RTMAX+1 'TERM ' 'SIG TERM' 99999999999999999999; do
        refused "unknown signal \"$word\"" mrun kill "$id" "$word"
    done
    [ "$(cat "$bundle/out")" = ready ]
    has_status "$id" running
}

@test "kill --all reaches every process" {
    start_script 'trap "echo parent" USR1; (trap "echo child" USR1; while :; do sleep 0.02; done) &
        while :; do sleep 0.02; done & while :; do sleep 0.02; done'
    sleep 0.3
    mrun kill --all "$id" USR1
    wait_until 5 output_has "$bundle" parent
    wait_until 5 output_has "$bundle" child
    mrun kill -a "$id" KILL
    wait_until 5 has_status "$id" stopped
    [ -z "$(cgroup_value freezer "$id" cgroup.procs)" ]
}

@test "kill without --all reaches the task alone" {
    start_script 'trap "echo parent" USR1; (trap "echo child" USR1; echo ready; while :; do sleep 0.02; done) &
        while :; do sleep 0.02; done'
    wait_until 5 output_has "$bundle" ready
    mrun kill "$id" USR1
    wait_until 5 output_has "$bundle" parent
    run ! output_has "$bundle" child
}

@test "under --init every signal is forwarded, and to the task's whole process group" {
    start_listener . --init
    local signal
    for signal in HUP INT QUIT USR1 USR2 TERM WINCH; do sends "$signal" "$signal"; done
    for signal in 34 35 40 64; do sends "$signal" "$signal"; done

    # A shell that waits for a foreground child does not run its trap: the child must hear of the signal as well.
    start_script 'trap "echo shell heard; exit 7" TERM; echo ready; sleep 1000; echo sleep ended' . --init
    wait_until 5 output_has "$bundle" ready
    sleep 0.1
    mrun kill "$id" TERM
    wait_until 5 has_status "$id" stopped
    output_has "$bundle" "shell heard"
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 7 ]
}

@test "under --init a task without handlers ends by TERM, which pid 1 of a namespace would not" {
    start_script 'echo ready; exec sleep 1000' . --init
    wait_until 5 output_has "$bundle" ready
    mrun kill "$id" TERM
    [ "$(mrun wait "$id" | jq .signal)" -eq 15 ]
}

@test "under --init STOP and CONT stop the task, not its init" {
    start_script 'n=0; while :; do n=$((n + 1)); echo $n; sleep 0.02; done' . --init
    wait_until 5 output_has "$bundle" 3
    mrun kill "$id" STOP
    sleep 0.1
    local before
    before=$(tail -n 1 "$bundle/out")
    sleep 0.2
    [ "$(tail -n 1 "$bundle/out")" = "$before" ]
    mrun kill "$id" CONT
    wait_until 5 output_has "$bundle" $((before + 3))
    has_status "$id" running
}

# foreground SCRIPT: `run` in the background of this test; sets `runner` to its pid.
foreground() {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script "$1"
    "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" >"$bundle/out" 2>&1 </dev/null 3>&- &
    runner=$!
    wait_until 5 output_has "$bundle" ready
}

# ended: waits for `runner`; sets `status`.
ended() {
    status=0
    wait "$runner" || status=$?
}

@test "run in the foreground forwards what it gets" {
    foreground "$LISTENER"
    local signal
    for signal in HUP USR1 USR2 TERM CONT; do
        kill -s "$signal" "$runner"
        wait_until 5 output_has "$bundle" "got $signal"
    done
    kill -40 "$runner"
    wait_until 5 output_has "$bundle" "got 40"
    mrun kill "$id" KILL
    ended
    [ "$status" -eq 137 ]

    foreground 'trap "exit 9" TERM; echo ready; while :; do sleep 0.02; done'
    kill -TERM "$runner"
    ended
    [ "$status" -eq 9 ]
    [ -z "$(list_state "$ROOT")" ]
}

@test "run in the foreground survives a storm of signals" {
    foreground 'n=0; trap : USR1 USR2 HUP WINCH CONT 34 35 50 64; trap "exit 9" TERM; echo ready; while :; do sleep 0.02; done'
    local round
    for ((round = 0; round < 400; round++)); do
        for signal in USR1 USR2 HUP CONT 34; do kill -s "$signal" "$runner"; done
    done
    [ "$(find "/proc/$runner/fd" -mindepth 1 | wc -l)" -le 10 ]
    kill -TERM "$runner"
    ended
    [ "$status" -eq 9 ]
}

@test "a container whose foreground run was killed can be deleted" {
    foreground 'echo ready; while :; do sleep 0.1; done'
    kill -KILL "$runner"
    ended
    has_status "$id" running
    mrun delete --force "$id"
}

# --- the caller -----------------------------------------------------------------------------------------------------

@test "a caller that ignores or blocks signals neither disturbs mrun nor hands that down" {
    local show='grep -E "^Sig(Blk|Ign)" /proc/self/status; exit 7' way
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script "$show"
    for way in --ignore-signal=CHLD --block-signal=CHLD '--ignore-signal' '--block-signal' \
        '--ignore-signal=HUP,INT,PIPE,TERM,USR1' '--block-signal=HUP,INT,PIPE,TERM,USR1'; do
        local option
        for option in '' --init; do
            run timeout 20 env "$way" "$MRUN" --root "$ROOT" run $option --bundle "$bundle" "$id" </dev/null
            echo "with env $way: $output"
            [ "$status" -eq 7 ]
            [ "${lines[0]}" = $'SigBlk:\t0000000000000000' ]
            [ "${lines[1]}" = $'SigIgn:\t0000000000000000' ]
        done
    done
}

@test "neither does exec hand it down" {
    start_script 'sleep 1000'
    local way
    for way in --ignore-signal=CHLD --block-signal=CHLD '--ignore-signal' '--block-signal'; do
        run timeout 20 env "$way" "$MRUN" --root "$ROOT" exec "$id" \
            sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status; exit 7'
        [ "$status" -eq 7 ]
        [ "${lines[0]}" = $'SigBlk:\t0000000000000000' ]
        [ "${lines[1]}" = $'SigIgn:\t0000000000000000' ]
    done
}

# What `ls` has open: the standard three, and the folder that it reads.
LS='"ls", "/proc/self/fd"'
OPEN=$'0\n1\n2\n3'

@test "no descriptor of the caller or of mrun reaches the task" {
    local option
    new_id
    make_bundle "$id" ".process.args = [$LS]"
    for option in '' --init; do
        run bash -c 'exec 3</etc 5</etc/passwd 7<>/dev/zero 9</proc 200</ && exec "$@"' bash \
            timeout 60 "$MRUN" --root "$ROOT" run $option --bundle "$bundle" "$id" </dev/null
        [ "$output" = "$OPEN" ]
    done

    # The same for create with start: what waits in between holds nothing of the host either.
    create_container "$id" "$bundle" 5</etc/passwd 9</proc
    local target
    while read -r target; do
        case $target in
        socket:* | pipe:* | anon_inode:* | /memfd:* | /dev/null | "$bundle"/out | "$bundle"/err) ;;
        *) echo "the created container's init holds $target" && return 1 ;;
        esac
    done < <(find "/proc/$(pid_of "$id")/fd" -type l -printf '%l\n')
    mrun start "$id" 5</etc/passwd
    wait_until 5 has_status "$id" stopped
    [ "$(cat "$bundle/out")" = "$OPEN" ]

    start_script 'sleep 1000'
    run bash -c 'exec 3</etc 5</etc/passwd 200</ && exec "$@"' bash \
        timeout 60 "$MRUN" --root "$ROOT" exec "$id" ls /proc/self/fd
    [ "$output" = "$OPEN" ]
}

@test "no variable of the caller reaches the task" {
    export SECRET_OF_THE_CALLER=1 LD_BIND_NOW=1 SWIFT_ROOT=/x
    new_id
    make_bundle "$id" '.process.args = ["env"] | .process.env = ["PATH=/usr/bin", "A=1", "B=2", "A=3"]'
    run_container "$id" "$bundle"
    [ "$(sort <<<"$output")" = $'A=3\nB=2\nHOME=/root\nPATH=/usr/bin' ]
    run_container "$id" "$bundle" --init
    [ "$(sort <<<"$output")" = $'A=3\nB=2\nHOME=/root\nPATH=/usr/bin' ]
    start_script 'sleep 1000' '.process.env = ["PATH=/bin:/usr/bin"]'
    [ "$(mrun exec "$id" env | sort)" = $'HOME=/root\nPATH=/bin:/usr/bin' ]
    # Nor is it to be seen in the held or staying init.
    start_script 'sleep 1000' . --init
    run ! grep -q SECRET "/proc/$(pid_of "$id")/environ"
}

@test "the task's umask is 022, or what the config says, whatever the caller has" {
    umask 077
    run_script umask
    [ "$output" = 0022 ]
    run_script umask '.process.user.umask = 23'
    [ "$output" = 0027 ]
    start_script 'sleep 1000'
    [ "$(mrun exec "$id" sh -c umask)" = 0022 ]
}

@test "a caller with closed standard descriptors gets its container, and the task finds nothing strange there" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "for f in 0 1 2; do readlink /proc/$$/fd/$f; done; exit 7"]'
    local status=0
    mrun run --bundle "$bundle" "$id" <&- >"$bundle/out" 2>&- || status=$?
    [ "$status" -eq 7 ]
    [ "$(cat "$bundle/out")" = "/dev/null"$'\n'"$bundle/out"$'\n'"/dev/null" ]
}

@test "the task has a session of its own, without the caller's terminal" {
    new_id
    # stat: pid (comm) state ppid pgrp session tty_nr
    make_bundle "$id" '.process.args = ["sh", "-c", "cut -d \" \" -f 6,7 /proc/$$/stat; true"]'
    run script -qec "$(printf '%q ' "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id")" /dev/null </dev/null
    [ "$status" -eq 0 ]
    [ "${output//$'\r'/}" = "1 0" ]
}
