#!/usr/bin/env bats
# Terminals: made in the container, sent to a console socket, or served in the foreground.

load helpers

setup_file() { make_rootfs; }
setup() {
    begin
    socket=$BATS_TEST_TMPDIR/console.sock
}
teardown() { finish; }

# terminal_bundle SCRIPT [JQ-FILTER...]: a new id with a bundle whose task is `sh -c SCRIPT` on a terminal.
terminal_bundle() {
    local script=$1 filter=${2:-.}
    shift $(($# < 2 ? $# : 2))
    new_id
    make_bundle "$id" '.process.terminal = true | .process.args = ["sh", "-c", $_script] | '"$filter" --arg _script "$script" "$@"
}

# listen STEP...: a receiver on $socket, in the background; its output goes to $heard.
listen() {
    heard=$BATS_TEST_TMPDIR/heard-$RANDOM
    python3 "$BATS_TEST_DIRNAME/terminal.py" receive "$socket" "$@" >"$heard" 2>&1 </dev/null 3>&- &
    listener=$!
    wait_until 10 test -S "$socket"
}

# heard_has TEXT: waits for the end of the receiver, which must have worked and printed this.
heard_has() {
    wait "$listener" || { cat "$heard" && return 1; }
    grep -qF -e "$1" "$heard" || { cat "$heard" && return 1; }
}

# drive STEP... -- COMMAND...: on a terminal of its own; sets `output`, without carriage returns.
drive() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    run timeout 60 python3 "$BATS_TEST_DIRNAME/terminal.py" drive "${words[@]}" -- "$MRUN" --root "$ROOT" "$@" 3>&-
    output=${output//$'\r'/}
    [ "$status" -eq 0 ] || { echo "$output" && return 1; }
}

has() { [[ $output == *"$1"* ]] || { echo "missing: $1" && echo "$output" && return 1; }; }
lacks() { [[ $output != *"$1"* ]] || { echo "unwanted: $1" && echo "$output" && return 1; }; }

# --- console socket ---------------------------------------------------------------------------------------------------

@test "create sends one message with one descriptor, the master, and the name, before it returns" {
    terminal_bundle 'exit 7' '.process.consoleSize = {height: 11, width: 222}'
    listen
    mrun create --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
    # The receiver has its message already: it need not be waited for any longer than it takes to print.
    heard_has "payload '/dev/pts/0' descriptors 1"
    grep -qx 'size 11 222' "$heard"
}

@test "the terminal is standard input, output and error, /dev/console, and the controlling terminal" {
    local init report='for f in 0 1 2; do readlink /proc/$$/fd/$f; done; ls -l /dev/console | tr -s " "
        stat -c "%a %u:%g %t:%T" /dev/pts/0 /dev/console; echo typed >/dev/tty; cut -d " " -f 5-8 /proc/$$/stat; echo end'
    for init in '' --init; do
        terminal_bundle "$report" '.process.user = {uid: 1000, gid: 1000}'
        rm -f "$socket"
        listen expect 'end\r\n' end
        mrun run --detach $init --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
        heard_has $'/dev/pts/0\r\n/dev/pts/0\r\n/dev/pts/0\r\n'
        local text
        text=$(tr -d '\r' <"$heard")
        # Its owner is the task's user, its group what devpts says.
        [[ $text == *$'\n''620 1000:5 88:0'$'\n''620 1000:5 88:0'$'\ntyped\n'* ]]
        # Process group, session, terminal, its foreground group.
        if [ -z "$init" ]; then
            [[ $text == *$'\n1 1 34816 1\nend'* ]]
        else
            [[ $text == *$'\n2 1 34816 2\nend'* ]]
        fi
    done
}

@test "a held container waits with its terminal, and start lets the task use it" {
    local init
    for init in '' --init; do
        terminal_bundle 'stty size; echo ready; read line; echo "got $line"; exit 4' '.process.consoleSize = {height: 5, width: 66}'
        rm -f "$socket"
        listen expect '5 66\r\nready' send 'words\n' expect 'got words' end
        mrun create $init --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
        has_status "$id" created
        mrun start "$id"
        heard_has 'got words'
        wait_until 5 has_status "$id" stopped
    done
}

@test "exec sends a terminal of its own" {
    start_script 'sleep 1000'
    listen expect 'ready' send 'line\n' expect 'got line' end
    mrun exec --detach --tty --console-socket "$socket" --pid-file "$BATS_TEST_TMPDIR/pid" "$id" \
        sh -c 'tty; cut -d " " -f 5-8 /proc/$$/stat; echo ready; read line; echo "got $line"' </dev/null 3>&-
    heard_has "payload '/dev/pts/0' descriptors 1"
    grep -q '^/dev/pts/0' "$heard"
    # It leads a session, whose terminal this is, with itself in the foreground.
    grep -Eq '^([0-9]+) \1 34816 \1' "$heard"
    # The console is the container's first terminal only: here there is none.
    run mrun exec "$id" ls /dev/console
    [ "$status" -ne 0 ]
}

@test "further terminals in a container with one are its devpts' next" {
    terminal_bundle 'sleep 1000'
    listen sleep 3
    mrun run --detach --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
    drive -- exec --tty "$id" tty
    has /dev/pts/1
    drive -- exec --tty --user 1000:1000 "$id" stat -c '%a %u:%g' /dev/pts/1
    has '620 1000:5'
}

@test "a terminal that its holder lets go of hangs up the container" {
    local init
    for init in '' --init; do
        terminal_bundle 'trap "exit 9" HUP; echo ready; while :; do sleep 0.1; done'
        rm -f "$socket"
        listen expect ready
        mrun run --detach $init --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
        heard_has ready
        wait_until 5 has_status "$id" stopped
    done
    [ "$(mrun wait "$id" | jq .exitCode)" -eq 9 ]
}

@test "options that do not go together are refused in the words that clients know, also under another name" {
    terminal_bundle true
    refused 'cannot allocate tty if mrun will detach without setting console socket' mrun create --bundle "$bundle" "$id"
    refused 'cannot allocate tty if mrun will detach without setting console socket' mrun run --detach --bundle "$bundle" "$id"
    refused 'cannot use console socket if mrun will not detach or allocate tty' \
        mrun run --console-socket "$socket" --bundle "$bundle" "$id"
    ln -s "$MRUN" "$BATS_TEST_TMPDIR/runc"
    refused 'cannot allocate tty if runc will detach' "$BATS_TEST_TMPDIR/runc" --root "$ROOT" create --bundle "$bundle" "$id"
    make_bundle "$id" '.process.terminal = false'
    refused 'cannot use console socket if mrun will not detach or allocate tty' \
        mrun create --console-socket "$socket" --bundle "$bundle" "$id"
    start_script 'sleep 1000'
    refused 'cannot allocate tty if mrun will detach' mrun exec --detach --tty "$id" true
    refused 'cannot use console socket if mrun will not' mrun exec --tty --console-socket "$socket" "$id" true
    refused 'cannot use console socket if mrun will not' mrun exec --detach --console-socket "$socket" "$id" true
    make_bundle "$id" '.process.terminal = true | .process.consoleSize = {height: 65536, width: 1}'
    new_id
    refused '/process/consoleSize/height' mrun create --console-socket "$socket" --bundle "$bundle" "$id"
}

# --- faults of the peer (security.md, 43) -------------------------------------------------------------------------------

# faulty_peer PROGRAM: a peer in Python; `s` is a bound stream socket. Sets `peer`.
faulty_peer() {
    rm -f "$socket"
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
exec(sys.argv[2])' "$socket" "$1" >/dev/null 2>&1 </dev/null 3>&- &
    peer=$!
    wait_until 5 test -S "$socket"
}

@test "a console socket that is absent, or is none, is an error, and nothing is left" {
    MRUN_TIMEOUT=5
    terminal_bundle 'echo no'
    start_script 'sleep 1000' && local running=$id
    new_id
    local path
    touch "$BATS_TEST_TMPDIR/file"
    for path in "$BATS_TEST_TMPDIR/nosuch" "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR" /dev/null "$BATS_TEST_TMPDIR/file/x"; do
        refused "console socket \"$path\"" mrun create --bundle "$bundle/../bundle-$TAG-1" --console-socket "$path" "$id"
        refused "console socket \"$path\"" mrun exec --detach --tty --console-socket "$path" "$running" true
    done
    refused 'wants the path of a socket' mrun create --bundle "$bundle/../bundle-$TAG-1" --console-socket '' "$id"
    # Bound, but nobody listens.
    faulty_peer 'time.sleep(60)'
    refused 'connection refused' mrun create --bundle "$bundle/../bundle-$TAG-1" --console-socket "$socket" "$id"
    kill "$peer"
    refused 'connection refused' mrun create --bundle "$bundle/../bundle-$TAG-1" --console-socket "$socket" "$id"
    [ "$(mrun list -q)" = "$running" ]
}

@test "a peer that closes at once, or never takes anything, does not hold anybody" {
    MRUN_TIMEOUT=20
    terminal_bundle 'echo no'
    # Whether the message comes before the end is a matter of luck; that both end is not.
    faulty_peer 's.listen(1)
for _ in range(2): s.accept()[0].close()'
    mrun create --bundle "$bundle" --console-socket "$socket" "$id" >/dev/null 2>&1 </dev/null 3>&- || [ $? -eq 1 ]
    mrun delete --force "$id"
    wait_until 5 test -z "$(mrun list -q)"
    kill "$peer" 2>/dev/null || :
    # Who listens and does not accept has a message waiting.
    faulty_peer 's.listen(1); time.sleep(60)'
    mrun create --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
    mrun delete --force "$id"
    kill "$peer"
    # A queue that is full.
    faulty_peer 's.listen(0)
others = [socket.socket(socket.AF_UNIX) for _ in range(3)]
for other in others:
    other.setblocking(False)
    try: other.connect(sys.argv[1])
    except OSError: pass
open(sys.argv[1] + ".full", "w")
time.sleep(60)'
    wait_until 5 test -e "$socket.full"
    refused 'temporarily unavailable' mrun create --bundle "$bundle" --console-socket "$socket" "$id"
    kill "$peer"
}

@test "the path of a console socket may have any length" {
    terminal_bundle 'echo reached'
    local folder length
    for length in 60 100 107 108 200 3000; do
        folder=$BATS_TEST_TMPDIR
        while [ $((${#folder} + 150)) -lt "$length" ]; do folder+=/$(printf 'd%.0s' {1..99}); done
        mkdir -p "$folder"
        socket=$folder/
        while [ "${#socket}" -lt "$length" ] && [ $((${#socket} - ${#folder})) -lt 90 ]; do socket+=s; done
        [ "$socket" != "$folder/" ] || socket+=s
        rm -f "$socket"
        listen expect reached
        mrun run --detach --bundle "$bundle" --console-socket "$socket" "$id" </dev/null 3>&-
        heard_has reached
        # And relative.
        mrun delete --force "$id"
        rm "$socket"
        listen expect reached
        (cd "$folder/.." && mrun run --detach --bundle "$bundle" --console-socket "${folder##*/}/${socket##*/}" "$id" </dev/null 3>&-)
        heard_has reached
        mrun delete --force "$id"
    done
}

# --- what an image may put in the way (security.md, 08) ---------------------------------------------------------------

# hostile_image COMMAND [JQ-FILTER]: a terminal container without a mount on /dev, in a root of its own that COMMAND changes.
hostile_image() {
    terminal_bundle 'echo inside; ls -l /dev/console' "${2:-.}"' | .root.path = $rootfs | .mounts |= map(select(.destination | startswith("/dev") | not) ) +
        [{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666", "mode=0620"]}] ' \
        --arg rootfs "$BATS_TEST_TMPDIR/rootfs-$TAG-$((ids + 1))"
    own_rootfs "$id"
    (cd "$rootfs" && eval "$1")
}

@test "without a mount on /dev the console is made in the image, also where that will be read-only" {
    local closed
    for closed in false true; do
        hostile_image : ".root.readonly = $closed"
        drive -- run --bundle "$bundle" "$id"
        has inside
        has 136,
        [ -f "$rootfs/dev/console" ] && [ ! -s "$rootfs/dev/console" ]
    done
}

@test "a console that is a link makes, opens and changes no file of the host (CVE-2025-52565, CVE-2026-88264)" {
    local victim=$BATS_TEST_TMPDIR/victim target closed
    mkdir "$victim"
    echo precious >"$victim/file"
    for closed in false true; do
        for target in "$victim/new" "$victim/file" "../../../../../../../..$victim/new" /proc/self/fd/3/new /dev/pts/ptmx /etc/new; do
            hostile_image "ln -sf $target dev/console" ".root.readonly = $closed"
            drive -- run --bundle "$bundle" "$id"
            has 'status 1 restored'
            lacks inside
            [ "$(ls -A "$victim")" = file ]
            [ "$(cat "$victim/file")" = precious ]
            [ "$(stat -c %u "$victim/file")" = 0 ]
            [ ! -e "$rootfs/etc/new" ]
            [ -z "$(mrun list -q)" ]
        done
    done
    hostile_image "rmdir dev; ln -s $victim dev"
    drive -- run --bundle "$bundle" "$id"
    has 'status 1 restored'
    [ "$(ls -A "$victim")" = file ]
    hostile_image 'mkdir dev/console'
    drive -- run --bundle "$bundle" "$id"
    has 'Not a directory'
}

@test "what an image puts at /dev/pts is not taken for a terminal" {
    local way
    for way in 'mkdir dev/pts; mkfifo dev/pts/ptmx dev/pts/0' 'mkdir dev/pts; mknod dev/pts/ptmx c 5 2; mknod dev/pts/0 c 1 3' \
        'mkdir dev/pts; echo >dev/pts/ptmx' 'ln -s /proc/self/fd dev/pts' 'ln -s /sys dev/pts' ':'; do
        hostile_image "$way" '.mounts |= map(select(.destination != "/dev/pts"))'
        jq '.mounts |= map(select(.destination != "/dev/pts"))' "$bundle/config.json" >"$bundle/new"
        mv "$bundle/new" "$bundle/config.json"
        drive -- run --bundle "$bundle" "$id"
        has 'status 1 restored'
        has 'mrun: run failed: terminal: '
        lacks inside
    done
    # A devpts that covers them is what counts.
    hostile_image 'mkdir dev/pts; mkfifo dev/pts/ptmx dev/pts/0'
    drive -- run --bundle "$bundle" "$id"
    has inside
}

@test "a container that shares the host's root has its terminals, and leaves the host's console alone" {
    local before
    before=$(ls -l /dev/console 2>&1 || :)
    terminal_bundle 'tty; test -t 0 && echo shared' '.root = {path: "/"} | .mounts = []
        | del(.linux.maskedPaths, .linux.readonlyPaths, .hostname)'
    drive -- run --bundle "$bundle" "$id"
    has shared
    has 'status 0 restored'
    [ "$(ls -l /dev/console 2>&1 || :)" = "$before" ]
}

# --- in the foreground --------------------------------------------------------------------------------------------------

@test "run lends the caller's terminal to the task, and gives it back" {
    local init
    for init in '' --init; do
        terminal_bundle 'trap "stty size" WINCH; stty size; echo ready
            until read a; do :; done; echo "got $a"; read a; echo "then $a"; exit 5' \
            '.process.consoleSize = {height: 3, width: 4}'
        drive expect $'30 100\\r\\nready' modes resize 40 90 expect '40 90' send 'hello\n' expect 'got hello' send 'end\n' \
            -- run $init --bundle "$bundle" "$id"
        has raw
        has 'then end'
        has 'status 5 restored'
        [ -z "$(mrun list -q)" ]
    done
}

@test "job control works inside, and the keys are the task's" {
    start_script 'sleep 1000'
    local way
    terminal_bundle 'exec sh' && local first=$id
    terminal_bundle 'exec sh' && local second=$id
    for way in "exec --tty $id sh" "run --bundle $BATS_TEST_TMPDIR/bundle-$first $first" \
        "run --init --bundle $BATS_TEST_TMPDIR/bundle-$second $second"; do
        [ "${way%% *}" != exec ] || way="exec --tty $TAG-1 sh"
        # shellcheck disable=SC2086 # words
        drive expect '# ' send 'sleep 100\n' sleep 0.3 send '\x1a' expect Stopped send 'jobs\n' expect 'Stopped' \
            send 'fg\n' sleep 0.3 send '\x03' expect '# ' send 'echo $?\n' expect 130 send 'exit 3\n' -- $way
        has 'status 3 restored'
        lacks "can't access tty"
    done
}

@test "exec --tty sets TERM where nothing else does, and answers with the exit status" {
    start_script 'sleep 1000' '.process.env = ["PATH=/bin:/usr/bin"]'
    drive -- exec --tty "$id" sh -c 'echo "<$TERM>"; exit 9'
    has '<xterm>'
    has 'status 9 restored'
    drive -- exec -t -e TERM=vt100 "$id" sh -c 'echo "<$TERM>"; kill -9 $$'
    has '<vt100>'
    has 'status 137 restored'
    run mrun exec "$id" sh -c 'echo "<$TERM>"; test -t 1'
    [ "$output" = '<>' ] && [ "$status" -eq 1 ]
    start_script 'sleep 1000' '.process.env = ["PATH=/bin:/usr/bin", "TERM=config"]'
    drive -- exec --tty "$id" sh -c 'echo "<$TERM>"'
    has '<config>'
}

@test "the terminal is given back after an error, a signal, and when the container is killed" {
    start_script 'sleep 1000'
    drive -- exec --tty "$id" nosuch
    has 'status 127 restored'
    has 'mrun: exec failed: exec: "nosuch": executable file not found in $PATH'
    local number
    for number in 15 1 2 3; do
        # shellcheck disable=SC2016 # the variable is the container's
        drive expect ready modes signal "$number" -- exec --tty "$id" sh -c 'trap "echo heard; exit 8" HUP INT QUIT TERM; echo ready; while :; do sleep 0.1; done'
        has raw
        has heard
        has 'status 8 restored'
    done
    drive expect ready signal 15 -- exec --tty "$id" sh -c 'echo ready; exec sleep 1000'
    has 'status 143 restored'
    local running=$id
    (sleep 1 && mrun delete --force "$running") 3>&- &
    drive expect ready -- exec --tty "$running" sh -c 'echo ready; exec sleep 1000'
    has 'status 137 restored'
    wait
}

@test "a terminal that is closed under the caller hangs up the task" {
    start_script 'sleep 1000'
    drive expect ready close -- exec --tty "$id" sh -c 'trap "exit 6" HUP; echo ready; while :; do sleep 0.1; done'
    has 'status 6'
}

@test "the output is complete, however slowly it is read, and whatever of it comes last" {
    start_script 'sleep 1000'
    local try
    for try in 1 2 3; do
        [ "$(mrun exec --tty "$id" sh -c 'stty -onlcr; seq 1 30000' </dev/null | (sleep 0.3 && md5sum))" = \
            "$(seq 1 30000 | md5sum)" ]
        [ "$(mrun exec --tty "$id" printf 'last words' </dev/null)" = 'last words' ]
    done
    # Into a file, and with someone left behind who holds the terminal.
    mrun exec --tty "$id" sh -c 'stty -onlcr; (trap "" HUP; exec sleep 1000) & seq 1 5000' </dev/null >"$BATS_TEST_TMPDIR/out"
    [ "$(md5sum <"$BATS_TEST_TMPDIR/out")" = "$(seq 1 5000 | md5sum)" ]
}

@test "the input is complete, however slowly it is read, and its end is an end" {
    start_script 'sleep 1000'
    seq 1 100000 >"$BATS_TEST_TMPDIR/numbers"
    local want
    want=$(head -c 500000 "$BATS_TEST_TMPDIR/numbers" | md5sum | cut -d ' ' -f 1)
    run mrun exec --tty "$id" sh -c 'stty raw -echo; echo ready; sleep 0.5; head -c 500000 | md5sum' \
        < <(sleep 0.3 && cat "$BATS_TEST_TMPDIR/numbers")
    [[ $output == *"$want"* ]]
    run mrun exec --tty "$id" sh -c 'stty -echo; cat; echo end' < <(sleep 0.3 && echo line)
    [ "${output//$'\r'/}" = $'line\nend' ]
    # The end of a file that does not end with a line.
    run mrun exec --tty "$id" sh -c 'stty -echo; cat; echo; echo end' < <(sleep 0.3 && printf half)
    [ "${output//$'\r'/}" = $'half\nend' ]
}

@test "an output that nobody reads any more hangs up the task" {
    start_script 'sleep 1000'
    run timeout 20 bash -c '"$1" --root "$2" exec --tty "$3" yes | head -n 1; exit ${PIPESTATUS[0]}' bash "$MRUN" "$ROOT" "$id" </dev/null
    # By the signal of a terminal that is gone, not by that of a pipe.
    [ "$status" -eq 129 ]
    [ "${output//$'\r'/}" = y ]
    wait_until 5 test "$(mrun ps --format json "$id" | jq length)" -eq 1
}

@test "an output that nobody reads for now stops the task, not the signals" {
    start_script 'sleep 1000'
    local reader
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    # shellcheck disable=SC2217 # it holds the pipe open, and reads nothing
    sleep 30 <"$BATS_TEST_TMPDIR/fifo" 3>&- &
    reader=$!
    "$MRUN" --root "$ROOT" exec --tty "$id" yes >"$BATS_TEST_TMPDIR/fifo" 2>/dev/null </dev/null 3>&- &
    local pid=$!
    sleep 1
    kill -0 "$pid"
    # `yes` ends by it; then mrun waits for the reader, until it is told to end as well.
    kill -TERM "$pid"
    sleep 0.5
    kill -TERM "$pid" 2>/dev/null || :
    local status=0
    wait "$pid" || status=$?
    [ "$status" -eq 143 ]
    kill "$reader"
}

@test "a caller without any terminal can run a task that has one" {
    terminal_bundle 'test -t 0 && test -t 1 && test -t 2 && tty; stty size; exit 3' '.process.consoleSize = {height: 7, width: 77}'
    run setsid --wait timeout 20 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    [ "$status" -eq 3 ]
    [ "${output//$'\r'/}" = $'/dev/pts/0\n7 77' ]
}

@test "in the background the caller's terminal is left alone" {
    start_script 'sleep 1000'
    cat >"$BATS_TEST_TMPDIR/script" <<'END'
set -m
"$1" --root "$2" exec --tty "$3" sh -c 'echo in the background; sleep 0.5; exit 4' &
wait $!
echo "job $?"
END
    run timeout 30 python3 "$BATS_TEST_DIRNAME/terminal.py" drive expect 'in the background' modes -- \
        bash "$BATS_TEST_TMPDIR/script" "$MRUN" "$ROOT" "$id" 3>&-
    output=${output//$'\r'/}
    has cooked
    has 'job 4'
}

@test "without a terminal the task has the caller's own descriptors" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", "readlink /proc/$$/fd/1; test -t 1 || echo none"]'
    mrun run --bundle "$bundle" "$id" >"$BATS_TEST_TMPDIR/direct" </dev/null
    [ "$(cat "$BATS_TEST_TMPDIR/direct")" = "$BATS_TEST_TMPDIR/direct"$'\nnone' ]
}
