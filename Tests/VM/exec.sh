# exec on cgroup v2: sub-cgroups, a container that delegates its controllers, want of memory; and AppArmor, which this
# kernel has. A profile that confines comes along where there is one, as apparmor_parser -QKS compiles it:
#
#   echo "profile mrun-test flags=(attach_disconnected) { file, signal, ptrace, change_profile, capability, }" >p
#   apparmor_parser -QKS -M /usr/share/apparmor-features/features p >mrun-test.profile; EXTRA=$PWD/mrun-test.profile Tests/VM/run exec.sh

# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317,SC2016
. "${VM_DIR:-.}/lib.sh"

# bundle ID PROCESS-MEMBERS LINUX-MEMBERS: a busybox bundle that sleeps; the members are JSON with a comma at their end.
bundle() {
    mkdir -p "$WORK/$1/rootfs/bin" "$WORK/$1/rootfs/proc" "$WORK/$1/rootfs/dev"
    cp /bin/busybox "$WORK/$1/rootfs/bin/"
    for name in sh cat sleep true grep taskset; do ln -sf busybox "$WORK/$1/rootfs/bin/$name"; done
    cat >"$WORK/$1/config.json" <<END
{
    "ociVersion": "1.0.2",
    "process": {$2 "cwd": "/", "args": ["sleep", "4720"], "env": ["PATH=/bin"]},
    "root": {"path": "rootfs"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {
        $3
        "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
        "cgroupsPath": "/mrun/$1"
    }
}
END
}
start_bundle() {
    bundle "$@"
    mrun create --bundle "$WORK/$1" "$1" >"$WORK/$1/out" 2>&1 </dev/null || { cat "$WORK/$1/out" && return 1; }
    mrun start "$1"
}
remove() { mrun delete --force "$1"; }
# fails_with WORDS COMMAND...
fails_with() {
    fails_words=$1
    shift
    fails_text=$("$@" 2>&1) && return 1
    contains "$fails_text" "$fails_words"
}
detached() { mrun exec --detach "$@" >/dev/null 2>&1 </dev/null; }

# --- sub-cgroups ---
quietly start_bundle sub '' ''
mkdir $CGROUP/mrun/sub/below
quietly detached --cgroup below sub sleep 4721
check "exec --cgroup runs in a cgroup below the container's" runs_in mrun/sub/below sleep 4721
quietly detached --cgroup / sub sleep 4722
is_only_above() { # CGROUP WORD...: it runs there, and not in a cgroup below
    runs_in "$@" && ! runs_in "$1/below" "$2" "$3"
}
check "exec --cgroup / runs in the container's own" is_only_above mrun/sub sleep 4722
check "a sub-cgroup that is not there is told" fails_with 'No such file or directory' mrun exec --cgroup nosuch sub true
check "one outside of the container's is refused" fails_with 'bad sub cgroup path: ../..' mrun exec --cgroup ../.. sub true
check "there are no controllers to choose" fails_with 'unknown controller memory in SubCgroupPaths' mrun exec --cgroup memory:below sub true
quietly remove sub

# --- a container that passes its controllers on has no processes in its own cgroup ---
quietly start_bundle delegating '' ''
mkdir $CGROUP/mrun/delegating/init
for pid in $(processes_in mrun/delegating); do echo "$pid" >$CGROUP/mrun/delegating/init/cgroup.procs; done
quietly eval 'echo +pids >$CGROUP/mrun/delegating/cgroup.subtree_control'
check "its cgroup takes no process" fails_with 'busy' sh -c 'sleep 4799 >/dev/null 2>&1 & echo $! >/sys/fs/cgroup/mrun/delegating/cgroup.procs'
quietly detached delegating sleep 4723
check "exec then runs where the container's init is" runs_in mrun/delegating/init sleep 4723
check "exec --cgroup still means what it says" fails_with 'busy' mrun exec --cgroup / delegating true
mkdir $CGROUP/mrun/delegating/other
quietly detached --cgroup other delegating sleep 4724
check "exec --cgroup runs in another one of its cgroups" runs_in mrun/delegating/other sleep 4724
quietly remove delegating
for pid in /proc/[0-9]*; do
    [ "$(tr '\0' ' ' 2>/dev/null <"$pid/cmdline")" != 'sleep 4799 ' ] || kill -KILL "${pid#/proc/}"
done

# --- processors ---
quietly start_bundle processors '"execCPUAffinity": {"initial": "0", "final": "1"},' ''
check "execCPUAffinity holds for exec" equal "$(mrun exec processors grep Cpus_allowed_list /proc/self/status)" "Cpus_allowed_list:	1"
check "and not for the container" contains "$(mrun exec processors grep Cpus_allowed_list /proc/1/status)" 0-1
quietly remove processors

# --- want of memory ---
bundle tiny '' '"resources": {"memory": {"limit": 4096}},'
check "an init that has not even memory to begin is told as OOM-killed" \
    fails_with 'container init was OOM-killed (memory limit too low?)' mrun create --bundle "$WORK/tiny" tiny
check "nothing of it is left" gone $CGROUP/mrun/tiny
quietly start_bundle roomy '' ''
mkdir $CGROUP/mrun/roomy/init $CGROUP/mrun/roomy/tiny
for pid in $(processes_in mrun/roomy); do echo "$pid" >$CGROUP/mrun/roomy/init/cgroup.procs; done
quietly eval 'echo +memory >$CGROUP/mrun/roomy/cgroup.subtree_control; echo 4096 >$CGROUP/mrun/roomy/tiny/memory.max'
check "an exec that has not even memory to begin is told as OOM-killed" \
    fails_with '(possibly OOM-killed)' mrun exec --cgroup tiny roomy true
quietly remove roomy

# --- pause ---
quietly start_bundle paused '' ''
quietly mrun pause paused
mrun exec --ignore-paused paused cat /proc/self/cgroup >"$WORK/paused/exec" 2>&1 </dev/null &
sleep 1
check "exec --ignore-paused waits for the end of the pause" equal "$(cat "$WORK/paused/exec")" ''
quietly mrun resume paused
check "and goes on then" eventually 10 grep -q mrun/paused "$WORK/paused/exec"
quietly remove paused

# --- AppArmor ---
apparmor=/sys/module/apparmor/parameters/enabled
if [ "$(cat $apparmor 2>/dev/null)" = Y ]; then
    mkdir -p /sys/kernel/security
    [ -d /sys/kernel/security/apparmor ] || quietly mount -t securityfs securityfs /sys/kernel/security
    quietly start_bundle free '"apparmorProfile": "unconfined",' ''
    check "a profile is taken over, and read back" status_is free running
    check "the task has it" equal "$(mrun exec free cat /proc/1/attr/current)" unconfined
    check "exec takes one as well, through the container's procfs" equal "$(mrun exec --apparmor unconfined free cat /proc/self/attr/current)" unconfined
    check "a profile that is not loaded is told with the file" \
        fails_with 'AppArmor profile "nosuch": `/proc/self/attr/apparmor/exec`: the kernel has no such profile' \
        mrun exec --apparmor nosuch free true
    bundle nosuch '"apparmorProfile": "nosuch",' ''
    check "at run as well" fails_with '`/proc/self/attr/apparmor/exec`' mrun run --bundle "$WORK/nosuch" nosuch
    quietly remove free
    mrun delete --force nosuch
    if [ -e /bin/mrun-test.profile ]; then
        cat /bin/mrun-test.profile >/sys/kernel/security/apparmor/.replace
        quietly start_bundle confined '"apparmorProfile": "mrun-test",' ''
        check "the task is confined by a profile that is loaded" equal "$(mrun exec confined cat /proc/1/attr/current)" "mrun-test (enforce)"
        check "exec is confined by the profile of the config" equal "$(mrun exec confined cat /proc/self/attr/current)" "mrun-test (enforce)"
        check "and by another one if that is asked for" equal "$(mrun exec --apparmor unconfined confined cat /proc/self/attr/current)" unconfined
        quietly remove confined
    else
        skip "the task is confined by a profile that is loaded" "no profile came along"
    fi
else
    skip "a profile is taken over, and read back" "this kernel has no AppArmor"
fi
done_testing
