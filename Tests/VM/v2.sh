# Mesos tasks on cgroup v2: what the seed's task becomes, its life from create to delete, and the exit record.

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"

ALL=cgroups/cpu,cgroups/mem,namespaces/pid
DEFAULT=posix/cpu,posix/mem

# translated ID ISOLATION TASK.json: the bundle and the sandbox of a task.
translated() {
    mkdir -p "$WORK/$1/sandbox"
    mrun translate --isolation "$2" --container-id "$1" --sandbox "$WORK/$1/sandbox" --bundle "$WORK/$1" "$3"
}

# created / launched ID ISOLATION TASK.json: and then created, and started. The task's output is $WORK/ID/out.
created() {
    translated "$@" || return 1
    mrun create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
}
launched() { created "$@" && mrun start "$1"; }
remove() { mrun delete --force "$1"; }

# task COMMAND: a TaskInfo with that shell command, in a file; prints the file's name. COMMAND holds no quotes.
task() {
    cat >"$WORK/task.json" <<END
{"name": "t", "task_id": {"value": "t"}, "agent_id": {"value": "a"},
 "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
               {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}],
 "command": {"value": "$1"}, "container": {"type": "MESOS", "mesos": {}}}
END
    echo "$WORK/task.json"
}

# The exit record, as wait prints it.
exited_with() { json_has "$(mrun wait "$1")" "exitCode:$2"; } # ID STATUS
killed_by() { json_has "$(mrun wait "$1")" "signal:$2"; } # ID SIGNAL
saw_oom() { json_has "$(mrun wait "$1")" "oomKilled:$2"; } # ID true|false

output_has() { grep -q "$2" "$WORK/$1/out"; } # ID TEXT
output_lacks() { ! grep "$2" "$WORK/$1/out"; } # ID TEXT

# Whether TERM waits for the thaw or thaws by itself is the runtime's choice.
resume_if_paused() { ! status_is "$1" paused || mrun resume "$1"; } # ID

no_leftovers_since() { # FILE with what there was before
    leftovers >"$WORK/after"
    diff "$1" "$WORK/after"
}

# An absent control file is as good as one that limits nothing.
no_limit() { # FILE NEUTRAL
    [ -d "$CGROUP/${1%/*}" ] || return 1
    [ ! -e "$CGROUP/$1" ] || equal "$(value "$1")" "$2"
}

# --- the default isolation: a cgroup, but no controllers (first, before anything enables them for its siblings) ---
check "a task without isolators starts" launched posix $DEFAULT "$(task 'sleep 4710')"
check "it has a cgroup of its own" runs_in mesos/posix sleep 4710
check "its cgroup sets no cpu weight" no_limit mesos/posix/cpu.weight 100
check "its cgroup sets no memory limit" no_limit mesos/posix/memory.max max
check "it can be paused all the same" mrun pause posix
check "and is frozen then" contains "$(value mesos/posix/cgroup.events)" "frozen 1"
check "and deleted while it is frozen" remove posix
check "which removes its cgroup" gone $CGROUP/mesos/posix

# --- the seed's task ---
check "the seed's task is translated and created" created seed $ALL "$VM_DIR/bundles/seed-task/task-1.json"
check "its state is created" status_is seed created
check "cpus 0.5 become cpu.weight 60" equal "$(value mesos/seed/cpu.weight)" 60
check "mem 100 becomes memory.max 132 MiB" equal "$(value mesos/seed/memory.max)" 138412032
check "and memory.low as much" equal "$(value mesos/seed/memory.low)" 138412032
check "it starts" mrun start seed
check "its state is running" status_is seed running
check "it prints what its command says" eventually 10 output_has seed "command running"
check "its ps ran in a pid namespace of its own" output_lacks seed v2.sh
check "its processes are in its cgroup" runs_in mesos/seed sleep 3
check "stats tell its cpu and its memory" json_has "$(mrun stats seed)" cpu: memory:
mrun exec seed sleep 4711 >/dev/null 2>&1 </dev/null &
check "an exec'ed process is in its cgroup" eventually 10 runs_in mesos/seed sleep 4711
check "ps lists as many processes as the cgroup holds" \
    equal "$(mrun ps -f json seed | tr -cd '0-9,' | tr ',' '\n' | grep -c .)" "$(processes_in mesos/seed | grep -c .)"
check "TERM ends it" mrun kill seed TERM
check "the record tells the signal" killed_by seed 15
check "its state is stopped" status_is seed stopped
check "wait tells the same again" killed_by seed 15
check "delete succeeds" mrun delete seed
check "and removes the cgroup" gone $CGROUP/mesos/seed

check "the seed's second task is created" created second $ALL "$VM_DIR/bundles/seed-task/task-2.json"
check "cpus 1.0 become cpu.weight 110" equal "$(value mesos/second/cpu.weight)" 110
check "mem 200 becomes memory.max 232 MiB" equal "$(value mesos/second/memory.max)" 243269632
check "a created container can be deleted" remove second

# --- pause and resume ---
count=$WORK/pause/sandbox/count
check "a counting task starts" launched pause $ALL "$VM_DIR/bundles/pause-me/task.json"
eventually 10 test -s "$count"
check "it counts" advances "$count"
check "pause succeeds" mrun pause pause
check "its cgroup is to be frozen" equal "$(value mesos/pause/cgroup.freeze)" 1
check "the kernel says frozen when pause returns" contains "$(value mesos/pause/cgroup.events)" "frozen 1"
check "its state is paused" status_is pause paused
check "the counter stands still" stands_still "$count"
refuse "nothing is exec'ed in a paused container" mrun exec pause true
check "which leaves it paused" status_is pause paused
check "resume succeeds" mrun resume pause
check "its cgroup is thawed" contains "$(value mesos/pause/cgroup.events)" "frozen 0"
check "the counter goes on" advances "$count"
check "its state is running" status_is pause running

# --- kill while paused ---
quietly mrun pause pause
check "TERM may be sent to a paused container" mrun kill pause TERM
check "resume lets it have its way" resume_if_paused pause
check "the record tells TERM" killed_by pause 15
quietly mrun delete pause

quietly launched paused-kill $ALL "$VM_DIR/bundles/pause-me/task.json"
quietly mrun pause paused-kill
check "KILL ends a paused container" mrun kill paused-kill KILL
check "the record tells KILL" killed_by paused-kill 9
check "delete removes it" mrun delete paused-kill
check "with its cgroup" gone $CGROUP/mesos/paused-kill

# --- the exit record ---
quietly launched exit0 $ALL "$(task 'true')"
check "the record of a task that exits 0 says 0" exited_with exit0 0
check "and no OOM kill" saw_oom exit0 false
quietly mrun delete exit0
quietly launched exit7 $ALL "$(task 'exit 7')"
check "the record of a task that exits 7 says 7" exited_with exit7 7
quietly mrun delete exit7
quietly launched oom $ALL "$(task 'dd if=/dev/zero of=/dev/null bs=200M count=1')"
check "a task above its memory limit is killed, and the record says so" saw_oom oom true
check "its state is stopped" status_is oom stopped
quietly mrun delete oom

# --- a cgroup that is somebody else's ---
mkdir -p $CGROUP/mesos/foreign
sleep 4712 &
foreign=$!
echo $foreign >$CGROUP/mesos/foreign/cgroup.procs
check "a task can be translated for a cgroup in use" translated foreign $ALL "$(task 'sleep 4713')"
refuse "a cgroup that holds a foreign process is refused" mrun create --bundle "$WORK/foreign" foreign
remove foreign >/dev/null 2>&1
check "the foreign process lives on, also through delete --force" kill -0 $foreign
check "in its cgroup" runs_in mesos/foreign sleep 4712
kill -KILL $foreign
wait $foreign 2>/dev/null
rmdir $CGROUP/mesos/foreign

# --- cycles ---
cycles() {
    cycles_task=$(task 'sleep 4714')
    cycles_left=20
    while [ "$cycles_left" -gt 0 ]; do
        launched cycle "$ALL" "$cycles_task" && mrun pause cycle && mrun resume cycle && mrun kill cycle KILL &&
            mrun wait cycle && mrun delete cycle || return 1
        cycles_left=$((cycles_left - 1))
    done
}
leftovers >"$WORK/before"
check "20 cycles of create, start, pause, resume, kill, wait and delete succeed" cycles
check "and leave nothing" no_leftovers_since "$WORK/before"
check "no cgroup is left of all this" equal "$(find $CGROUP/mesos -mindepth 1 -type d 2>/dev/null)" ""
done_testing
