#!/usr/bin/env bats
# Hooks: when, where and with what they run; what becomes of a container whose hook fails or hangs; and that nothing of a
# hook outlives its time-out.

load helpers

setup_file() { make_rootfs; }
setup() {
    begin
    SHARE=$BATS_TEST_TMPDIR/share
    mkdir -m 1777 "$SHARE"
}
teardown() { finish; }

IN_CREATE='prestart createRuntime createContainer'

# hooks FILTER [SCRIPT [JQ-ARGUMENT...]]: a bundle with these hooks, whose task is `sh -c SCRIPT`; $SHARE is the container's
# /tmp. The filter knows `sh(TEXT)`, a hook that runs TEXT. Sets `id` and `bundle`.
hooks() {
    local filter=$1 script=${2:-sleep 1000}
    shift $(($# < 2 ? $# : 2))
    new_id
    # shellcheck disable=SC2016 # the dollars are jq's
    make_bundle "$id" 'def sh($text): {path: "/bin/sh", args: ["sh", "-c", $text]};
        .process.args = ["sh", "-c", $script] | .mounts += [{destination: "/tmp", type: "bind", source: $share, options: ["bind"]}]
        | .hooks = {} | '"$filter" --arg script "$script" --arg share "$SHARE" "$@"
}

# seconds COMMAND...: runs it and sets `took`, in milliseconds.
seconds() {
    local from
    from=$(date +%s%N)
    "$@"
    took=$((($(date +%s%N) - from) / 1000000))
}

# gone: nothing is left of the container `id`.
gone() {
    local path
    for path in "$ROOT/$id" /sys/fs/cgroup/*/mrun/"$id" /sys/fs/cgroup/mrun/"$id"; do
        [ ! -e "$path" ] || { echo "left: $path" && return 1; }
    done
}

# dead FILE: none of the processes whose pids stand there lives; there is at least one.
dead() {
    local pid
    [ -s "$1" ]
    while read -r pid; do
        [ ! -e "/proc/$pid" ] || grep -q '^State:.Z' "/proc/$pid/status" || { echo "process $pid lives" && return 1; }
    done <"$1"
}

member() { jq -r "$1" "$SHARE/$2"; } # FILTER FILE

# --- when, where, with what ------------------------------------------------------------------------------------------

@test "hooks run in their order, each kind in the order of its list, around the task" {
    # shellcheck disable=SC2016
    hooks 'def both($kind; $log): [sh("echo \($kind)-0 >>\($log)"), sh("echo \($kind)-1 >>\($log)")];
        .hooks = ([$kinds | split(" ")[] | {key: ., value: both(.; $share + "/log")}] | from_entries)
        | .hooks.startContainer = both("startContainer"; "/tmp/log")' 'echo task >>/tmp/log; sleep 1000' \
        --arg kinds "$IN_CREATE poststart poststop"
    create_container "$id" "$bundle"
    [ "$(tr '\n' ' ' <"$SHARE/log")" = 'prestart-0 prestart-1 createRuntime-0 createRuntime-1 createContainer-0 createContainer-1 ' ]
    mrun start "$id"
    wait_until 5 grep -q task "$SHARE/log"
    # The task and the hooks poststart run at the same time.
    [ "$(sed -n '7,$p' "$SHARE/log" | grep -v task | tr '\n' ' ')" = 'startContainer-0 startContainer-1 poststart-0 poststart-1 ' ]
    [ "$(sed -n '9,$p' "$SHARE/log" | grep -c task)" -eq 1 ]
    mrun delete --force "$id"
    [ "$(tail -n 2 "$SHARE/log" | tr '\n' ' ')" = 'poststop-0 poststop-1 ' ]
    gone
}

@test "a hook finds the state on its standard input: status, pid, bundle and annotations as they are at that point" {
    hooks '.annotations = {"org.example.a": "é\n\"x\"", "b": ""} | .hooks = {
        prestart: [sh("cat >\($share)/prestart")], createRuntime: [sh("cat >\($share)/createRuntime")],
        createContainer: [sh("cat >\($share)/createContainer")], startContainer: [sh("cat >/tmp/startContainer")],
        poststart: [sh("cat >\($share)/poststart")], poststop: [sh("cat >\($share)/poststop")]}'
    create_container "$id" "$bundle"
    local pid kind
    pid=$(pid_of "$id")
    mrun start "$id"
    mrun delete --force "$id"
    for kind in $IN_CREATE startContainer poststart poststop; do
        [ "$(member .id "$kind")" = "$id" ]
        [ "$(member .bundle "$kind")" = "$bundle" ]
        [ "$(member .ociVersion "$kind")" = 1.3.0 ]
        [ "$(member '.annotations == {"org.example.a": "é\n\"x\"", "b": ""}' "$kind")" = true ]
    done
    [ "$(for kind in $IN_CREATE startContainer poststart poststop; do member .status "$kind"; done | tr '\n' ' ')" = \
        'creating creating creating created running stopped ' ]
    # As seen from where the hook runs.
    [ "$(for kind in prestart createRuntime poststart; do member .pid "$kind"; done | tr '\n' ' ')" = "$pid $pid $pid " ]
    [ "$(member .pid createContainer)$(member .pid startContainer)" = 11 ]
    [ "$(member 'has("pid")' poststop)" = false ]
}

@test "without a pid namespace the pid is the host's in every hook" {
    hooks '.linux.namespaces |= map(select(.type != "pid")) | .hooks = {
        createContainer: [sh("cat >\($share)/createContainer")], startContainer: [sh("cat >/tmp/startContainer")]}'
    create_container "$id" "$bundle"
    mrun start "$id"
    [ "$(member .pid createContainer)" = "$(pid_of "$id")" ]
    [ "$(member .pid startContainer)" = "$(pid_of "$id")" ]
}

@test "a hook gets the arguments and the environment of the config, and nothing else" {
    # shellcheck disable=SC2016
    hooks 'def given($to): {path: "/bin/sh", args: ["sh", "-c", "printf \"<%s>\" \"$0\" \"$@\" >\($to)-args", "", "a b", "é"]};
        def environment($to): {path: "/bin/cp", args: ["cp", "/proc/self/environ", $to]};
        def all($to): [given($to), environment("\($to)-env") + {env: ["A=1", "B=x=y", "A=2"]}, environment("\($to)-bare")];
        .hooks = {createRuntime: all("\($share)/r"), createContainer: all("\($share)/c"), startContainer: all("/tmp/s"), poststop: all("\($share)/p")}'
    export CALLERS_SECRET=1
    create_container "$id" "$bundle"
    mrun start "$id"
    mrun delete --force "$id"
    local name
    for name in r c s p; do
        [ "$(cat "$SHARE/$name-args")" = '<><a b><é>' ]
        [ "$(tr '\0' '|' <"$SHARE/$name-env")" = 'A=1|B=x=y|A=2|' ]
        [ -e "$SHARE/$name-bare" ]
        [ ! -s "$SHARE/$name-bare" ]
    done
}

@test "without args a hook is called by its path" {
    # shellcheck disable=SC2016
    printf '#!/bin/sh\necho "$0 $#" >%s\n' "$SHARE/args" >"$SHARE/hook"
    chmod +x "$SHARE/hook"
    hooks '.hooks.createRuntime = [{path: "\($share)/hook"}]'
    create_container "$id" "$bundle"
    [ "$(cat "$SHARE/args")" = "$SHARE/hook 0" ]
}

@test "the caller's descriptors, signal mask, ignored signals, umask and session do not reach a hook" {
    # shellcheck disable=SC2016
    hooks 'def tell($to): {path: "/bin/cp", args: ["cp", "/proc/self/status", "\($to)-status"]}, sh("{ umask; pwd; echo /proc/self/fd/*;
            read -r line </proc/self/stat; set -- $line; echo $1 $6; } >\($to)");
        .hooks = {prestart: [tell("\($share)/prestart")], createRuntime: [tell("\($share)/createRuntime")],
            createContainer: [tell("\($share)/createContainer")], startContainer: [tell("/tmp/startContainer")],
            poststart: [tell("\($share)/poststart")], poststop: [tell("\($share)/poststop")]}'
    python3 - "$MRUN" "$ROOT" "$bundle" "$id" <<'END' >"$bundle/out" 2>&1 3>&-
import os, signal, subprocess, sys
mrun, root, bundle, id = sys.argv[1:]
def spoil():
    os.dup2(os.open("/", os.O_RDONLY), 9)
    os.set_inheritable(9, True)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1): signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
    os.umask(0o077)
for words in (["create", "--bundle", bundle, id], ["start", id], ["delete", "--force", id]):
    subprocess.run([mrun, "--root", root, *words], preexec_fn=spoil, close_fds=False, check=True, timeout=60,
                   stdin=subprocess.DEVNULL)
END
    local kind pid session
    for kind in $IN_CREATE startContainer poststart poststop; do
        # Not told by a shell, which blocks and ignores some itself.
        [ "$(grep -E '^Sig(Blk|Ign)' "$SHARE/$kind-status" | tr '\t\n' '  ')" = 'SigBlk: 0000000000000000 SigIgn: 0000000000000000 ' ]
        [ "$(sed -n 1p "$SHARE/$kind")" = 0022 ]
        # The shell itself has 10, and 3 while it looks.
        [[ $(sed -n '3s/[^0-9 ]//gp' "$SHARE/$kind") =~ ^'0 1 '(10 )?2( 3)?$ ]]
        read -r pid session < <(sed -n 4p "$SHARE/$kind")
        [ "$pid" = "$session" ]
    done
    for kind in $IN_CREATE poststart poststop; do [ "$(sed -n 2p "$SHARE/$kind")" = "$bundle" ]; done
    [ "$(sed -n 2p "$SHARE/startContainer")" = / ]
}

@test "the hooks of create run when the mounts are there, in the namespaces that the specification says, on the host's root" {
    own_rootfs hooked
    # shellcheck disable=SC2016
    hooks '.root = {path: $rootfs, readonly: true} | def namespaces: "for kind in mnt net uts ipc; do readlink /proc/self/ns/$kind; done";
        .hooks = {
        createRuntime: [sh("\(namespaces) >\($share)/createRuntime; echo r >\($rootfs)/from-runtime")],
        createContainer: [sh("\(namespaces) >\($share)/createContainer; grep -c \" \($rootfs)/tmp \" /proc/self/mountinfo >\($share)/mounts
            echo c >\($rootfs)/from-container; touch \($share)/host")],
        startContainer: [sh("\(namespaces) >/tmp/startContainer; touch /x 2>/tmp/error; cat /from-runtime /from-container >/tmp/both")]}' \
        'for kind in mnt net uts ipc; do readlink /proc/self/ns/$kind; done >/tmp/task; sleep 1000' --arg rootfs "$rootfs"
    create_container "$id" "$bundle"
    mrun start "$id"
    wait_until 5 test -s "$SHARE/task"
    local kind
    for kind in mnt net uts ipc; do readlink "/proc/self/ns/$kind"; done | diff - "$SHARE/createRuntime"
    diff "$SHARE/task" "$SHARE/createContainer"
    diff "$SHARE/task" "$SHARE/startContainer"
    [ "$(cat "$SHARE/mounts")" = 1 ]
    # The root is made read-only after them.
    [ "$(tr -d '\n' <"$SHARE/both")" = rc ]
    grep -q 'Read-only' "$SHARE/error"
}

@test "startContainer runs as the task does: its user, capabilities, limits, no_new_privs, seccomp and working directory" {
    local stays new
    for stays in false true; do
        [ "$stays" = true ] && new=false || new=true
        # shellcheck disable=SC2016
        hooks '.process.user = {uid: 1000, gid: 1001, additionalGids: [5]} | .process.cwd = "/tmp" | .annotations = {"org.mrun.init": $stays}
            | .process.noNewPrivileges = $new | .process.capabilities.ambient = ["CAP_KILL"] | .process.capabilities.inheritable = ["CAP_KILL"]
            | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95}]}
            | def tell($to): "{ id; pwd; ulimit -n; mkdir x; grep -E \"Cap|NoNew|Seccomp:\" /proc/self/status; } >/tmp/\($to)-\($stays) 2>&1";
            .process.args = ["sh", "-c", tell("task")] | .hooks.startContainer = [sh(tell("hook"))]' x --arg stays "$stays" --argjson new "$new"
        run_container "$id" "$bundle"
        [ "$status" -eq 0 ]
        grep -q 'uid=1000 gid=1001' "$SHARE/task-$stays"
        grep -q 'not supported' "$SHARE/task-$stays"
        diff "$SHARE/task-$stays" "$SHARE/hook-$stays"
    done
}

@test "a hook that does not read gets 200 kB of state all the same, and one that reads gets all of it" {
    hooks '.annotations.long = ("x" * 200000) | .hooks = {
        createRuntime: [{path: "/bin/true"}, sh("exec <&-; sleep 0.2"), sh("wc -c >\($share)/r")],
        createContainer: [{path: "/bin/true"}, sh("wc -c >\($share)/c")], startContainer: [{path: "/bin/true"}, sh("wc -c >/tmp/s")],
        poststart: [{path: "/bin/true"}], poststop: [{path: "/bin/true"}, sh("wc -c >\($share)/p")]}' true
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    local file
    for file in r c s p; do [ "$(cat "$SHARE/$file")" -gt 200000 ]; done
}

@test "another user than the one who made it can open the state by name" {
    hooks '.process.user = {uid: 1000, gid: 1000} | .hooks.startContainer = [sh("cat /dev/stdin >/tmp/state")]' true
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    [ "$(member .id state)" = "$id" ]
}

# --- failures --------------------------------------------------------------------------------------------------------

@test "a failing hook of create makes it fail, says how, leaves nothing, and lets poststop have its turn" {
    local kind
    for kind in $IN_CREATE; do
        hooks ".hooks.$kind"' = [{path: "/bin/true"}, sh("echo to out; echo to err >&2; exit 3"), sh("touch \($share)/third")]
            | .hooks.poststop = [sh("cat >>\($share)/stop")]'
        refused "error running $kind hook #1: exit status 3, stdout: to out, stderr: to err" mrun create --bundle "$bundle" "$id"
        [ ! -e "$SHARE/third" ]
        [ "$(member '[.id, .status, has("pid")] | join(" ")' stop)" = "$id stopped false" ]
        rm "$SHARE/stop"
        gone
        refused "error running $kind hook #1: exit status 3" mrun run --bundle "$bundle" "$id"
        gone
        rm "$SHARE/stop"
    done
}

@test "a failing startContainer makes start and run fail, removes the container, and lets poststop have its turn" {
    local stays words
    for stays in false true; do
        # shellcheck disable=SC2016
        hooks '.annotations = {"org.mrun.init": $stays} | .hooks.poststop = [sh("touch \($share)/stop")]
            | .hooks.startContainer = [sh("echo oh; exit 9")]' 'touch /tmp/ran; sleep 1000' --arg stays "$stays"
        for words in run 'run --detach' start; do
            if [ "$words" = start ]; then
                create_container "$id" "$bundle"
                refused 'error running startContainer hook #0: exit status 9, stdout: oh, stderr: ' mrun start "$id"
            else
                # shellcheck disable=SC2086
                refused 'error running startContainer hook #0: exit status 9, stdout: oh, stderr: ' mrun $words --bundle "$bundle" "$id"
            fi
            gone
            rm "$SHARE/stop"
            [ ! -e "$SHARE/ran" ]
        done
    done
}

@test "a failing poststart makes start and run fail, ends the task, removes the container, and lets poststop have its turn" {
    local words
    hooks '.hooks.poststop = [sh("touch \($share)/stop")] | .hooks.poststart = [sh("kill -9 $$")]' 'echo $$ >/tmp/ran; sleep 1000'
    for words in run 'run --detach' start; do
        if [ "$words" = start ]; then
            create_container "$id" "$bundle"
            refused 'error running poststart hook #0: signal 9, stdout: , stderr: ' mrun start "$id"
        else
            # shellcheck disable=SC2086
            refused 'error running poststart hook #0: signal 9, stdout: , stderr: ' mrun $words --bundle "$bundle" "$id"
        fi
        gone
        rm "$SHARE/stop"
    done
}

@test "a failing poststop is a warning: the others and delete go on" {
    hooks '.hooks.poststop = [sh("echo oh >&2; exit 4"), {path: "/no/such"}, sh("touch \($share)/third")]' true
    detach_container "$id" "$bundle"
    wait_until 5 has_status "$id" stopped
    run --separate-stderr mrun delete "$id"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    # shellcheck disable=SC2154 # bats sets it
    [ "$(wc -l <<<"$stderr")" -eq 2 ]
    [[ $stderr == *'level=warning'*'error running poststop hook #0: exit status 4, stdout: , stderr: oh'* ]]
    [[ $stderr == *'error running poststop hook #1: exec \"/no/such\": No such file or directory'* ]]
    [ -e "$SHARE/third" ]
    gone
}

@test "a hook that is not there, or no program, fails with the kernel's word" {
    local kind
    for kind in $IN_CREATE startContainer poststart; do
        hooks ".hooks.$kind"' = [{path: "/no/such", args: ["x"]}]'
        refused "error running $kind hook #0: exec \"/no/such\": No such file or directory" mrun run --detach --bundle "$bundle" "$id"
        gone
        hooks ".hooks.$kind"' = [{path: "/etc/passwd"}]'
        refused "error running $kind hook #0: exec \"/etc/passwd\": Permission denied" mrun run --detach --bundle "$bundle" "$id"
        gone
    done
}

@test "a step that fails after the hooks of create lets poststop have its turn as well" {
    hooks '.hooks = {createRuntime: [{path: "/bin/true"}], poststop: [sh("touch \($share)/stop")]} | .process.args = ["/no/such"]'
    refused '/no/such' mrun create --bundle "$bundle" "$id"
    [ -e "$SHARE/stop" ]
    gone
}

@test "of what a hook writes the message holds the end, in one line" {
    local kind
    for kind in createRuntime createContainer startContainer; do
        hooks ".hooks.$kind"' = [sh("yes 0123456789 | head -c 3000000; echo THE END; printf \"a\\nb\\tc\\033[2J\\377\" >&2; exit 1")]'
        refused 'THE END, stderr: a\nb\tc\x1b[2J' mrun run --bundle "$bundle" "$id"
        [ "${#message}" -lt 4000 ]
        [[ $message == *'stdout: […]'* ]]
    done
}

# --- time-outs -------------------------------------------------------------------------------------------------------

# A hook that hangs, with a child in a session of its own that holds the pipes, and one that was orphaned before.
HANGING='echo $$ >>\($to); setsid sh -c \"echo \\$\\$ >>\($to); sleep 1000; :\" & (setsid sh -c \"trap : TERM HUP; echo \\$\\$ >>\($to); sleep 1000; :\" &) ; echo before; sleep 1000; :'

@test "a hanging hook of create is killed in time with all that it has started, and create fails" {
    local kind
    for kind in $IN_CREATE; do
        hooks 'def hang($to): sh("'"$HANGING"'") + {timeout: 1}; .hooks = {'"$kind"': [hang("\($share)/pids")], poststop: [sh("touch \($share)/stop")]}'
        seconds refused "error running $kind hook #0: hook ran past specified timeout of 1.0s, stdout: before" \
            mrun create --bundle "$bundle" "$id"
        [ "$took" -ge 1000 ]
        [ "$took" -lt 8000 ]
        [ "$(wc -l <"$SHARE/pids")" -eq 3 ]
        [ "$kind" = createContainer ] || dead "$SHARE/pids"
        rm "$SHARE/pids" "$SHARE/stop"
        gone
    done
}

@test "a hanging createContainer without a pid namespace is killed with all that it has started" {
    hooks 'def hang($to): sh("'"$HANGING"'") + {timeout: 1}; .linux.namespaces |= map(select(.type != "pid"))
        | .hooks.createContainer = [hang("\($share)/pids")]'
    refused 'hook ran past specified timeout of 1.0s' mrun create --bundle "$bundle" "$id"
    [ "$(wc -l <"$SHARE/pids")" -eq 3 ]
    dead "$SHARE/pids"
    gone
}

@test "a hanging startContainer is killed in time, and the container with it" {
    local words namespace
    for namespace in pid none; do
        hooks 'def hang($to): sh("'"$HANGING"'") + {timeout: 1}; .hooks.startContainer = [hang("/tmp/pids")]'
        [ "$namespace" = pid ] ||
            { jq '.linux.namespaces |= map(select(.type != "pid"))' "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"; }
        for words in run start; do
            if [ "$words" = start ]; then
                create_container "$id" "$bundle"
                seconds refused 'error running startContainer hook #0: hook ran past specified timeout of 1.0s' mrun start "$id"
            else
                seconds refused 'error running startContainer hook #0: hook ran past specified timeout of 1.0s' mrun run --bundle "$bundle" "$id"
            fi
            [ "$took" -ge 1000 ]
            [ "$took" -lt 8000 ]
            [ "$namespace" = pid ] || dead "$SHARE/pids"
            rm "$SHARE/pids"
            gone
        done
    done
}

@test "a hanging poststart is killed in time with all that it has started, and start fails" {
    hooks 'def hang($to): sh("'"$HANGING"'") + {timeout: 1}; .hooks.poststart = [hang("\($share)/pids")]'
    create_container "$id" "$bundle"
    seconds refused 'error running poststart hook #0: hook ran past specified timeout of 1.0s' mrun start "$id"
    [ "$took" -lt 8000 ]
    dead "$SHARE/pids"
    gone
}

@test "a hanging poststop is killed in time with all that it has started, and delete goes on" {
    hooks 'def hang($to): sh("'"$HANGING"'") + {timeout: 1}; .hooks.poststop = [hang("\($share)/pids"), sh("touch \($share)/second")]'
    create_container "$id" "$bundle"
    seconds run mrun delete "$id"
    [ "$status" -eq 0 ]
    [[ $output == *'level=warning'*'hook ran past specified timeout of 1.0s'* ]]
    [ "$took" -lt 8000 ]
    dead "$SHARE/pids"
    [ -e "$SHARE/second" ]
    gone
}

@test "no fork is fast enough to escape: chains and trees of processes, each in a session of its own" {
    cat >"$SHARE/bomb" <<'END'
#!/usr/bin/python3
import os, sys, time
def mark(): open(sys.argv[2], "a").write("%d\n" % os.getpid())
os.setsid() if os.getpid() != os.getsid(0) else None
if sys.argv[1] == "runner":  # each makes one and is gone
    n = 0
    while True:
        if os.fork():
            os._exit(0) if n else time.sleep(1000)
        n += 1
        os.setsid()
        if n % 10 == 0: mark()
elif sys.argv[1] == "tree":  # each makes two and stays; bounded, for the machine has to live
    for n in range(5):
        if os.fork() == 0: os.setsid()
        else: os.fork() == 0 and os.setsid()
    mark()
    time.sleep(1000)
END
    chmod +x "$SHARE/bomb"
    local kind
    for kind in runner tree; do
        hooks '.hooks.createRuntime = [{path: "\($share)/bomb", args: ["bomb", "'$kind'", "\($share)/pids"], timeout: 2}]'
        seconds refused 'hook ran past specified timeout of 2.0s' mrun create --bundle "$bundle" "$id"
        [ "$took" -lt 12000 ]
        [ "$(wc -l <"$SHARE/pids")" -gt 5 ]
        dead "$SHARE/pids"
        # Nobody goes on writing.
        wc -l <"$SHARE/pids" >"$SHARE/before"
        sleep 0.5
        wc -l <"$SHARE/pids" | diff "$SHARE/before" -
        run pgrep -f "$SHARE/pids"
        [ -z "$output" ]
        rm "$SHARE/pids"
    done
}

@test "what a hook that ended has started may live on, and nobody waits for it" {
    hooks '.hooks = {createRuntime: [sh("setsid sh -c \"echo \\$\\$ >\($share)/pid; sleep 1000; :\" & exit 0")], poststop: [sh("sleep 1000 & echo $! >\($share)/pid2")]}'
    seconds create_container "$id" "$bundle"
    [ "$took" -lt 8000 ]
    wait_until 5 test -s "$SHARE/pid"
    kill -0 "$(cat "$SHARE/pid")"
    seconds mrun delete "$id"
    [ "$took" -lt 8000 ]
    kill -0 "$(cat "$SHARE/pid2")"
    kill -KILL -- "-$(cat "$SHARE/pid")" "$(cat "$SHARE/pid2")"
}

# --- the rest of the world -------------------------------------------------------------------------------------------

@test "poststop runs from the config of create, though the bundle is gone or changed" {
    hooks '.hooks.poststop = [sh("cat >\($share)/stop")]'
    create_container "$id" "$bundle"
    rm "$bundle/config.json"
    mrun delete "$id"
    [ "$(member .status stop)" = stopped ]
    # Its working directory is the bundle, as long as there is one.
    hooks '.hooks.poststop = [sh("pwd >\($share)/where")]'
    create_container "$id" "$bundle"
    mv "$bundle" "$bundle.away"
    run mrun delete "$id"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(cat "$SHARE/where")" = / ]
    gone
}

@test "while a hook of create runs, the container is creating; while a poststart runs, others may work on it" {
    # shellcheck disable=SC2016
    hooks '($_cgroup | ltrimstr("/mrun/")) as $id | .hooks = {createRuntime: [sh("\($mrun) --root \($root) state \($id) >\($share)/creating")],
        poststart: [sh("\($mrun) --root \($root) exec \($id) true && touch \($share)/entered && \($mrun) --root \($root) pause \($id) && \($mrun) --root \($root) resume \($id)")]}' 'sleep 1000' --arg mrun "$MRUN" --arg root "$ROOT"
    create_container "$id" "$bundle"
    [ "$(member .status creating)" = creating ]
    seconds mrun start "$id"
    [ "$took" -lt 10000 ]
    [ -e "$SHARE/entered" ]
    has_status "$id" running
}

@test "kill -9 of mrun during a hook: the hook ends with it, delete removes the rest and runs poststop" {
    local kind command pid
    for kind in $IN_CREATE startContainer poststart poststop; do
        # shellcheck disable=SC2016
        hooks 'def hang($to): sh("[ -e \($to) ] || { echo $$ >\($to); setsid sleep 1000; :; }"); .hooks.poststop = [sh("touch \($share)/stop")]
            | .hooks.'"$kind"' = [hang("'"$([ "$kind" = startContainer ] && echo /tmp || echo "$SHARE")"'/pids")]'
        command=(create --bundle "$bundle" "$id")
        case $kind in
            startContainer | poststart) create_container "$id" "$bundle" && command=(start "$id") ;;
            poststop) create_container "$id" "$bundle" && command=(delete "$id") ;;
        esac
        "$MRUN" --root "$ROOT" "${command[@]}" >"$bundle/out" 2>&1 </dev/null 3>&- &
        pid=$!
        wait_until 10 test -s "$SHARE/pids"
        kill -KILL "$pid"
        wait "$pid" || :
        case $kind in
            startContainer | createContainer) ;;
            *) wait_until 5 dead "$SHARE/pids" ;;
        esac
        mrun delete --force "$id"
        gone
        [ "$kind" = poststop ] || [ -e "$SHARE/stop" ]
        rm -f "$SHARE/pids" "$SHARE/stop"
    done
}

@test "hooks that cannot be are refused, with their place" {
    local filter pointer
    while IFS='|' read -r filter pointer; do
        hooks "$filter"
        refused "$pointer" mrun create --bundle "$bundle" "$id"
        gone
    done <<'END'
.hooks.prestart = [{path: "bin/true"}]|/hooks/prestart/0/path: "bin/true" is relative
.hooks.createRuntime = [{path: "/bin/true"}, {args: ["x"]}]|/hooks/createRuntime/1: "path" is missing
.hooks.createContainer = [{path: "/bin/true", timeout: 0}]|/hooks/createContainer/0/timeout: a time-out of 0 s
.hooks.startContainer = [{path: "/bin/true", timeout: -1}]|/hooks/startContainer/0/timeout: a time-out of -1 s
.hooks.poststart = [{path: "/bin/true", env: ["A=1", "B"]}]|/hooks/poststart/0/env/1: "B" is not NAME=VALUE
.hooks.poststop = [{path: "/bin/true", env: ["=1"]}]|/hooks/poststop/0/env/0: "=1" is not NAME=VALUE
.hooks.poststop = {path: "/bin/true"}|/hooks/poststop
.hooks = []|/hooks
.hooks.poststop = [{path: "/bin/true\u0000x"}]|NUL
END
}
