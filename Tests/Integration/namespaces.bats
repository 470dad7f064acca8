#!/usr/bin/env bats
# Namespaces of all kinds: new ones, existing ones by path, and what the config says about them.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# path_of PID KIND [FILE]: the jq filter that makes this namespace of a process the container's.
path_of() {
    echo "(.linux.namespaces |= map(select(.type != \"$2\")) + [{type: \"$2\", path: \"/proc/$1/ns/${3:-$2}\"}])"
}

# seconds_of TEXT: the whole seconds that /proc/uptime begins with.
seconds_of() { echo "${1%%.*}"; }

@test "a time namespace has the clocks of the config, also for exec and for who joins it" {
    local time='.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 3000000, nanosecs: 500}, boottime: {secs: 7000000}}'
    start_script 'cat /proc/self/timens_offsets; sleep 1000' "$time"
    wait_until 5 output_has "$bundle" boottime
    [ "$(tr -s ' ' <"$bundle/out")" = $'monotonic 3000000 500\nboottime 7000000 0' ]
    local first pid host inside
    first=$(pid_of "$id")
    [ "$(readlink "/proc/$first/ns/time")" != "$(readlink /proc/self/ns/time)" ]
    host=$(seconds_of "$(cat /proc/uptime)")
    inside=$(seconds_of "$(mrun exec "$id" cat /proc/uptime)")
    [ $((inside - host)) -ge 6999999 ] && [ $((inside - host)) -le 7000020 ]
    run_script 'cat /proc/uptime' "$(path_of "$first" time)"
    inside=$(seconds_of "$output")
    [ $((inside - host)) -ge 6999999 ] && [ $((inside - host)) -le 7000020 ]
    # Without offsets it has those of the host.
    run_script 'cat /proc/uptime' '.linux.namespaces += [{type: "time"}]'
    [ $(($(seconds_of "$output") - host)) -lt 60 ]
}

@test "a time namespace works inside of a user namespace, too" {
    run_script 'cat /proc/uptime' '.linux.namespaces += [{type: "time"}, {type: "user"}] | .linux.timeOffsets.boottime.secs = 7000000 |
        .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
    [ "$(seconds_of "$output")" -ge 7000000 ]
}

@test "offsets that cannot be are refused" {
    local filter words
    while IFS='#' read -r filter words; do
        new_id
        make_bundle "$id" ".linux.namespaces += [{type: \"time\"}] | $filter"
        refused "$words" mrun run --bundle "$bundle" "$id"
    done <<'CASES'
.linux.timeOffsets.realtime.secs = 1#/linux/timeOffsets/realtime: "realtime" is no clock
.linux.timeOffsets.monotonic.nanosecs = 1000000000#nanosecs (1000000000) is a second or more
.linux.timeOffsets.monotonic.secs = "1"#/linux/timeOffsets/monotonic/secs: expected a whole number
.linux.timeOffsets.boottime.secs = -9000000000#/linux/timeOffsets/boottime: write
.linux.timeOffsets.boottime.secs = 1 | .linux.namespaces |= map(select(.type != "time"))#/linux/timeOffsets: offsets need a time namespace
.linux.timeOffsets.boottime.secs = 1 | .linux.namespaces[-1].path = "/proc/self/ns/time"#clocks of an existing time namespace cannot be set
CASES
}

@test "an existing pid namespace is joined: create holds, start starts, the pid is the task's" {
    start_script 'sleep 1000'
    local pod=$id first pid
    first=$(pid_of "$id")
    new_id
    make_bundle "$id" "$(path_of "$first" pid) | .process.args = [\"sh\", \"-c\", \"echo \$\$; sleep 1001\"]"
    create_container "$id" "$bundle" --pid-file "$bundle/pid"
    has_status "$id" created
    pid=$(cat "$bundle/pid")
    [ "$pid" = "$(pid_of "$id")" ]
    # What is seen inside is mrun-init and nothing else of mrun's.
    [ "$(cat "/proc/$pid/comm")" = mrun-init ]
    [[ $(readlink "/proc/$pid/exe") == '/memfd:mrun-init '* ]]
    [ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$first/ns/pid")" ]
    [ "$(mrun exec "$pod" ps -o args | grep -c mrun)" -eq 1 ]
    mrun start "$id"
    wait_until 5 has_status "$id" running
    wait_until 5 grep -q '^[0-9]' "$bundle/out"
    [ "$(cat "$bundle/out")" -gt 1 ]
    [ "$(mrun exec "$pod" ps -o args | grep -c 'sleep 100[01]')" -ge 2 ]
    # Its own root and procfs of the joined namespace.
    [[ $(mrun exec "$id" ps -o args) == *'sleep 1000'*'sleep 1001'* ]]
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    # Nothing of it is left in the namespace of the other.
    wait_until 5 eval '! mrun exec "$0" ps -o args | grep -q "[s]leep 1001"' "$pod" ||
        [ "$(mrun exec "$pod" ps -o args | grep -c 'sleep 1001')" -eq 0 ]
    mrun delete "$id"
    has_status "$pod" running
}

@test "run in an existing pid namespace answers with the task's status, with and without --init" {
    start_script 'sleep 1000'
    local first option
    first=$(pid_of "$id")
    for option in '' --init; do
        # shellcheck disable=SC2086 # no option is no word
        run_script 'exit 7' "$(path_of "$first" pid)" $option
        [ "$status" -eq 7 ]
        # shellcheck disable=SC2086
        run_script 'kill -TERM $$' "$(path_of "$first" pid)" $option
        [ "$status" -eq 143 ]
    done
    # shellcheck disable=SC2016
    refused 'executable file not found in $PATH' eval 'new_id; make_bundle "$id" "$(path_of '"$first"' pid) | .process.args = [\"nosuch\"]"; mrun run --bundle "$bundle" "$id"'
    # The first task of a container with --init takes its children with it, though no namespace ends.
    start_script 'sleep 1002 & sleep 1003' "$(path_of "$first" pid)" --init
    mrun delete --force "$id"
}

@test "an existing mount namespace is taken as it is" {
    start_script 'echo there >/dev/shm/file; sleep 1000'
    local first=$id pid bare
    pid=$(pid_of "$id")
    bare='.mounts = [] | .root = {path: "/"} | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .linux.devices = []'
    wait_until 5 mrun exec "$first" test -e /dev/shm/file
    sed 's/^[0-9]* [0-9]* //' "/proc/$pid/mountinfo" >"$BATS_TEST_TMPDIR/mounts"
    run_script 'cat /dev/shm/file; ls -l /proc/self/ns/mnt' "$bare | $(path_of "$pid" mount mnt) | $(path_of "$pid" pid)"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == there$'\n'*"$(readlink "/proc/$pid/ns/mnt")" ]]
    # A folder in it as the root; what is there is the other container's.
    run_script 'true' "$bare | $(path_of "$pid" mount mnt) | .root.path = \"/bin\" | .process.args = [\"/busybox\", \"test\", \"-e\", \"/sh\"]"
    [ "$status" -eq 0 ]
    run_script 'true' "$bare | $(path_of "$pid" mount mnt) | .root.path = \"/dev/shm/nosuch\""
    [[ $output == *'no such file or directory'* || $output == *'No such file or directory'* ]]
    sed 's/^[0-9]* [0-9]* //' "/proc/$pid/mountinfo" | diff - "$BATS_TEST_TMPDIR/mounts"
    local member
    for member in '.mounts = [{destination: "/x", type: "tmpfs"}]#/mounts' '.root.readonly = true#/root/readonly' \
        '.linux.maskedPaths = ["/proc/kcore"]#/linux/maskedPaths' '.linux.readonlyPaths = ["/proc"]#/linux/readonlyPaths' \
        '.linux.rootfsPropagation = "shared"#/linux/rootfsPropagation'; do
        new_id
        make_bundle "$id" "$bare | $(path_of "$pid" mount mnt) | ${member%#*}"
        refused "${member#*#}: nothing is changed in an existing mount namespace" mrun run --bundle "$bundle" "$id"
    done
}

@test "network, ipc and uts namespaces of the host itself may be named, and its sysctls may not be set" {
    local kind file
    for kind in network:net ipc:ipc uts:uts; do
        file=${kind#*:}
        kind=${kind%:*}
        run_script "ls -l /proc/self/ns/$file" "del(.hostname) | $(path_of self "$kind" "$file") |
            .mounts |= map(select(.destination != \"/sys\"))"
        [ "$status" -eq 0 ]
        [[ $output == *"$(readlink "/proc/self/ns/$file")"* ]]
    done
    new_id
    make_bundle "$id" "$(path_of self network net) | .linux.sysctl = {\"net.ipv4.ip_forward\": \"1\"}"
    refused 'host'"'"'s own network namespace, in which "net.ipv4.ip_forward" must not be set' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" "$(path_of self uts uts) | .hostname = \"stolen\""
    refused 'host'"'"'s own uts namespace' mrun run --bundle "$bundle" "$id"
    [ "$(hostname)" != stolen ]
    # Another's may be changed by who joins it.
    start_script 'sleep 1000'
    other=$(pid_of "$id")
    run_script 'cat /proc/sys/net/ipv4/ip_default_ttl' "$(path_of "$other" network net) | .linux.sysctl = {\"net.ipv4.ip_default_ttl\": \"77\"}"
    [ "$status" -eq 0 ] && [ "$output" = 77 ]
}

@test "without a pid namespace the container sees the host's processes and ends as a whole" {
    start_script 'sleep 1002 & echo $$; sleep 1003' '.linux.namespaces |= map(select(.type != "pid"))'
    wait_until 5 grep -q '^[0-9]' "$bundle/out"
    [ "$(cat "$bundle/out")" = "$(pid_of "$id")" ]
    mrun kill "$id" KILL
    wait_until 5 has_status "$id" stopped
    mrun delete "$id"
}

@test "paths that lead to no namespace, or to one of another kind, are refused" {
    local long path
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    for path in /nosuch /etc/passwd /dev/null /proc/self "$BATS_TEST_TMPDIR/fifo" /proc/self/ns /proc/999999999/ns/net; do
        new_id
        make_bundle "$id" '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: $path}]' --arg path "$path"
        refused '/linux/namespaces/4/path' mrun run --bundle "$bundle" "$id"
    done
    local kind
    for kind in pid user mount ipc uts cgroup time; do
        new_id
        make_bundle "$id" '.linux.namespaces |= map(select(.type != $kind)) + [{type: $kind, path: "/proc/self/ns/net"}] |
            .mounts = [] | .root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = []' --arg kind "$kind"
        refused "\"/proc/self/ns/net\" is no $kind namespace" mrun run --bundle "$bundle" "$id"
    done
    # CVE-2021-43784: a length that is cut off somewhere.
    for long in 4096 65536 70000; do
        new_id
        make_bundle "$id" '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: ("/" + "a" * ($long | tonumber))}]' --arg long "$long"
        refused 'File name too long' mrun run --bundle "$bundle" "$id"
    done
    new_id
    make_bundle "$id" '.linux.namespaces |= map(select(.type != "network")) + [{type: "network", path: "/proc/self/ns/net\u0000x"}]'
    refused 'config.json' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces += [{type: "network", path: "proc/self/ns/net"}]'
    refused 'is relative' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces += [{type: "pid", path: "/proc/self/ns/pid"}]'
    refused '"pid" is given twice' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" '.linux.namespaces += [{type: "nosuch"}]'
    refused '/type: "nosuch" is unknown' mrun run --bundle "$bundle" "$id"
}

@test "network interfaces go into the container with their addresses, and are up if they were" {
    new_id
    make_bundle "$id" '.process.args = ["ip", "addr"] | .linux.netDevices = {mrunv0: {name: "eth9"}, mrunv2: {}}'
    # shellcheck disable=SC2016
    run unshare --net sh -c 'ip link add mrunv0 type veth peer name mrunv1 && ip link add mrunv2 type veth peer name mrunv3 &&
        ip addr add 10.9.8.7/24 dev mrunv0 && ip addr add fd00::5/64 dev mrunv0 && ip link set mrunv0 up &&
        "$0" --root "$1" run --bundle "$2" "$3" && ip -br link' "$MRUN" "$ROOT" "$bundle" "$id"
    [ "$status" -eq 0 ]
    [[ $output == *eth9@*UP*'inet 10.9.8.7/24'*'inet6 fd00::5/64'* ]]
    [[ $output == *mrunv2@* ]]
    [ "$(grep 'mrunv2@' <<<"$output" | grep -c '[<,]UP[,>]')" -eq 0 ]
}

@test "network interfaces that cannot be moved are refused by name, and stay" {
    local filter words
    while IFS='#' read -r filter words; do
        new_id
        make_bundle "$id" "$filter"
        refused "$words" unshare --net "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        [ -z "$(list_state "$ROOT")" ]
    done <<'CASES'
.linux.netDevices = {nosuch: {}}#/linux/netDevices/nosuch: netlink: no such device
.linux.netDevices = {lo: {name: "x"}}#/linux/netDevices/lo
.linux.netDevices = {"a/b": {}}#/linux/netDevices/a~1b: "a/b" is no name of a network interface
.linux.netDevices = {eth0: {name: "abcdefghijklmnop"}}#is no name of a network interface
.linux.netDevices = {a: {name: "x"}, b: {name: "x"}}#"x" is given twice
.linux.netDevices = {a: {}} | .linux.namespaces |= map(select(.type != "network"))#network devices need a network namespace
CASES
    make_bundle "$id" '.linux.netDevices = {lo: {}}'
    refused 'only root of the host moves network interfaces' unshare --net "$MRUN" --root "$ROOT" --rootless true run --bundle "$bundle" "$id"
}
