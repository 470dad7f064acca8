#!/usr/bin/env bats
# User namespaces: who is root inside is nobody outside.

load helpers

setup_file() { make_rootfs; }
setup() {
    begin
    unshare --user true 2>/dev/null || skip "no user namespaces here"
}
teardown() { finish; }

# A user namespace with 65536 ids from 100000 on.
mapped='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
    .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'

# mapped_container: one that sleeps in such a namespace; sets `id` and `init`.
mapped_container() {
    start_script 'sleep 1000' "$mapped${1:+ | $1}"
    init=$(pid_of "$id")
}

# path_of KIND: the jq filter that makes this namespace the container's of `init`.
path_of() { echo "(.linux.namespaces[] | select(.type == \"$1\")) |= . + {path: \"/proc/$init/ns/${2:-$1}\"}"; }

@test "root of the container is an ordinary id outside, by exactly the maps of the config" {
    mapped_container .
    [ "$(tr -s ' ' <"/proc/$init/uid_map")" = ' 0 100000 65536' ]
    [ "$(tr -s ' ' <"/proc/$init/gid_map")" = ' 0 200000 65536' ]
    [ "$(stat -c '%u %g' "/proc/$init")" = '100000 200000' ]
    [ "$(readlink "/proc/$init/ns/user")" != "$(readlink /proc/self/ns/user)" ]
    [ "$(grep Groups "/proc/$init/status" | tr -d ' \t')" = Groups: ]
    # Several lines, not in order.
    run_script 'cat /proc/self/uid_map; id -u' "$mapped | .process.user.uid = 7 |
        .linux.uidMappings = [{containerID: 5, hostID: 300000, size: 10}, {containerID: 0, hostID: 400000, size: 5}]"
    [ "$status" -eq 0 ]
    [ "$(tr -s ' ' <<<"$output")" = $' 5 300000 10\n 0 400000 5\n7' ]
}

@test "a process with another user and groups has them by the maps" {
    start_script 'sleep 1000' "$mapped | .process.user = {uid: 33, gid: 34, additionalGids: [5, 6]}"
    init=$(pid_of "$id")
    [ "$(stat -c '%u %g' "/proc/$init")" = '100033 200034' ]
    [ "$(grep Groups "/proc/$init/status" | tr -s ' \t' ' ')" = 'Groups: 200005 200006 ' ]
}

@test "files of the host's root cannot be written, even where its folder is mounted" {
    mkdir -m 755 "$BATS_TEST_TMPDIR/folder" && echo secret >"$BATS_TEST_TMPDIR/folder/file"
    chmod 600 "$BATS_TEST_TMPDIR/folder/file"
    new_id
    own_rootfs "$id"
    mkdir -p "$rootfs/mnt"
    make_bundle "$id" "$mapped | .process.args = [\"sh\", \"-c\", \"touch /mnt/new; echo x >/mnt/file; cat /mnt/file; chown 0 /mnt/file; touch /new; stat -c %u /mnt/file\"] |
        .root = {path: \$rootfs} | .mounts += [{destination: \"/mnt\", type: \"bind\", source: \$folder, options: [\"bind\"]}]" \
        --arg folder "$BATS_TEST_TMPDIR/folder" --arg rootfs "$rootfs"
    run_container "$id" "$bundle"
    echo "$output"
    [ "$(grep -ci 'denied\|not permitted' <<<"$output")" -eq 5 ]
    [[ $output != *secret* ]]
    [ "${lines[-1]}" = 65534 ]
    [ "$(ls "$BATS_TEST_TMPDIR/folder")" = file ]
    [ "$(cat "$BATS_TEST_TMPDIR/folder/file")" = secret ]
    [ ! -e "$rootfs/new" ]
}

@test "a root and a source of a mount that only the host's root may reach are found all the same" {
    local closed=$BATS_TEST_TMPDIR/closed
    mkdir -m 700 "$closed" && mkdir -m 755 "$closed/data" && echo found >"$closed/data/file" && cp -a "$ROOTFS" "$closed/rootfs"
    mkdir -p "$closed/rootfs/mnt"
    new_id
    make_bundle "$id" "$mapped | .root.path = \$closed + \"/rootfs\" | .process.args = [\"cat\", \"/mnt/file\"] |
        .mounts += [{destination: \"/mnt\", type: \"bind\", source: (\$closed + \"/data\"), options: [\"bind\"]}]" --arg closed "$closed"
    run_container "$id" "$bundle"
    echo "$output"
    [ "$output" = found ] && [ "$status" -eq 0 ]
}

@test "devices are those of the host, bound, and nobody makes others" {
    local before
    before=$(stat -c '%u:%g %a' /dev/null /dev/zero)
    run_script 'for name in null zero full random urandom tty; do stat -c "%n %F %t:%T" /dev/$name; done; mknod /dev/shm/x c 1 3; head -c 3 /dev/zero | wc -c; echo x >/dev/null && echo written' \
        "$mapped | .process.capabilities.bounding += [\"CAP_MKNOD\"] | .process.capabilities.permitted += [\"CAP_MKNOD\"] | .process.capabilities.effective += [\"CAP_MKNOD\"]"
    [[ $output == *'/dev/null character special file 1:3'* && $output == *'/dev/tty character special file 5:0'* ]]
    [[ $output == *'Operation not permitted'* && $output == *$'\n3\nwritten'* ]]
    [ "$(stat -c '%u:%g %a' /dev/null /dev/zero)" = "$before" ]
    # What the host has elsewhere, or not at all, is not made up.
    new_id
    make_bundle "$id" "$mapped | .linux.devices = [{path: \"/dev/nosuch\", type: \"c\", major: 1, minor: 3}]"
    refused 'device "/dev/nosuch"' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" "$mapped | .linux.devices = [{path: \"/dev/null\", type: \"c\", major: 1, minor: 5}]"
    refused 'is not the device 1:5' mrun run --bundle "$bundle" "$id"
}

@test "standard pipes can be opened anew, and nothing else of the host changes hands" {
    new_id
    make_bundle "$id" "$mapped | .process.user = {uid: 33, gid: 33} |
        .process.args = [\"sh\", \"-c\", \"echo to stdout >/dev/stdout; echo to stderr >/dev/stderr\"]"
    [ "$(mrun run --bundle "$bundle" "$id" 2>&1 </dev/null | cat)" = $'to stdout\nto stderr' ]
    # A file and a named pipe are the caller's.
    mkfifo "$bundle/fifo"
    make_bundle "$id" "$mapped | .process.args = [\"true\"]"
    mrun run --bundle "$bundle" "$id" >"$bundle/file" <>"$bundle/fifo"
    [ "$(stat -c %u "$bundle/file" "$bundle/fifo" /dev/null | uniq)" = 0 ]
}

@test "exec goes into the user namespace" {
    mapped_container .
    mrun exec --detach --pid-file "$bundle/pid" "$id" sleep 1003 >/dev/null 2>&1 </dev/null 3>&-
    local pid kind
    pid=$(cat "$bundle/pid")
    for kind in pid net ipc uts mnt cgroup user; do
        [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink "/proc/$init/ns/$kind")" ]
    done
    [ "$(stat -c '%u %g' "/proc/$pid")" = '100000 200000' ]
    [ "$(cat "/proc/$pid/cgroup")" = "$(cat "/proc/$init/cgroup")" ]
    [ "$(mrun exec --user 5:6 "$id" id)" = 'uid=5 gid=6' ]
    run mrun exec "$id" sh -c 'exit 9'
    [ "$status" -eq 9 ]
    refused 'cannot setuid to unmapped uid 65536 in user namespace' mrun exec --user 65536 "$id" id
    refused 'cannot setgid to unmapped gid 70000 in user namespace' mrun exec --user 1:70000 "$id" id
    [ "$refusal" -eq 255 ]
}

@test "exec works where the container shares the host's pid namespace" {
    new_id
    make_bundle "$id" "$mapped | .linux.namespaces |= map(select(.type != \"pid\")) |
        .mounts |= map(select(.destination != \"/proc\")) | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .process.args = [\"sleep\", \"1000\"]"
    detach_container "$id" "$bundle"
    run mrun exec --pid-file "$bundle/pid" "$id" sh -c 'echo $$; exit 4'
    [ "$status" -eq 4 ]
    [ "$output" = "$(cat "$bundle/pid")" ]
}

@test "a held container in a user namespace starts, is killed and deleted" {
    new_id
    make_bundle "$id" "$mapped | .process.args = [\"sh\", \"-c\", \"id -u; sleep 1000\"]"
    create_container "$id" "$bundle" --init
    has_status "$id" created
    [ "$(mrun exec "$id" id -u)" = 0 ]
    mrun start "$id"
    wait_until 5 output_has "$bundle" 0
    mrun pause "$id" && has_status "$id" paused && mrun resume "$id"
    mrun kill "$id" TERM
    wait_until 5 has_status "$id" stopped
    [ "$(mrun wait "$id" | jq -r .source)" = record ]
    mrun delete "$id"
}

@test "ids without a mapping are refused before anything is made" {
    local filter words
    while IFS='#' read -r filter words; do
        new_id
        make_bundle "$id" "$mapped | $filter"
        refused "$words" mrun create --bundle "$bundle" "$id"
        [ -z "$(list_state "$ROOT")" ]
    done <<'CASES'
.process.user.uid = 65536#/process/user/uid: cannot setuid to unmapped uid 65536 in user namespace
.process.user.gid = 65536#/process/user/gid: cannot setgid to unmapped gid 65536 in user namespace
.process.user.additionalGids = [1, 65536]#/process/user/additionalGids/1: cannot setgroups to unmapped gid 65536
.linux.uidMappings[0].containerID = 1#/linux/uidMappings: no mapping of the container's root
.linux.uidMappings = []#/linux/uidMappings: a new user namespace needs mappings
del(.linux.gidMappings)#/linux/gidMappings: a new user namespace needs mappings
.linux.namespaces |= map(select(.type != "user"))#/linux/uidMappings: mappings need a user namespace
.linux.uidMappings[0].size = 0#/linux/uidMappings/0: the range is empty
.linux.uidMappings[0].size = 4294967295#beyond the last id
.linux.uidMappings[0].hostID = 4294967296#/linux/uidMappings/0/hostID: the number is out of range
.linux.uidMappings[0].hostID = -1#/linux/uidMappings/0/hostID: the number is out of range
.linux.uidMappings += [{containerID: 65535, hostID: 300000, size: 1}]#/linux/uidMappings/1: it overlaps mapping 0 in the container
.linux.gidMappings += [{containerID: 65536, hostID: 265535, size: 1}]#/linux/gidMappings/1: it overlaps mapping 0 on the host
.linux.uidMappings = [range(400) as $n | {containerID: $n, hostID: (100000 + $n), size: 1}]#/linux/uidMappings: 400 mappings, the kernel takes 340
CASES
}

@test "as many mappings as the kernel takes work, and a text that is too long is told" {
    run_script 'wc -l </proc/self/uid_map' "$mapped | .linux.uidMappings = [range(300) as \$n | {containerID: \$n, hostID: (1000 + \$n * 2), size: 1}]"
    [ "$output" = 300 ]
    new_id
    make_bundle "$id" "$mapped | .linux.uidMappings = [range(340) as \$n | {containerID: (\$n * 100000), hostID: (100000 + \$n * 100000), size: 1000}]"
    refused 'the kernel takes 4095' mrun run --bundle "$bundle" "$id"
}

@test "another container's user namespace can be joined, with its maps or without" {
    mapped_container .
    local first=$id maps
    for maps in . 'del(.linux.uidMappings, .linux.gidMappings)'; do
        run_script 'cat /proc/self/uid_map; id -u; ls -l /proc/self/ns/user; echo $$' "$mapped | $(path_of user) | $maps"
        [ "$status" -eq 0 ]
        [[ $(tr -s ' ' <<<"$output") == *' 0 100000 65536'* && $output == *"$(readlink "/proc/$init/ns/user")"* ]]
        [ "${lines[-1]}" = 1 ]
    done
    new_id
    make_bundle "$id" "$mapped | $(path_of user) | .linux.uidMappings[0].size = 65535"
    refused '/linux/uidMappings: the existing user namespace has other mappings' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" "$mapped | (.linux.namespaces[] | select(.type == \"user\")) |= . + {path: \"/proc/self/ns/user\"}"
    refused 'is the user namespace of mrun itself' mrun run --bundle "$bundle" "$id"
    # Without maps only the kernel knows them.
    make_bundle "$id" "$mapped | $(path_of user) | del(.linux.uidMappings, .linux.gidMappings) | .process.user.uid = 70000"
    refused 'cannot setuid to unmapped uid 70000 in user namespace' mrun run --bundle "$bundle" "$id"
    has_status "$first" running
}

@test "the containers of a pod share user, network, ipc, uts and pid namespaces" {
    mapped_container .
    local pod=$init first=$id join kind pid
    join="$mapped | $(path_of user) | $(path_of network net) | $(path_of ipc) | $(path_of uts) | $(path_of pid) | del(.hostname)"
    new_id
    make_bundle "$id" "$join | .process.args = [\"sleep\", \"1000\"]"
    create_container "$id" "$bundle"
    has_status "$id" created
    mrun start "$id"
    pid=$(pid_of "$id")
    for kind in user net ipc uts pid; do [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink "/proc/$pod/ns/$kind")" ]; done
    [ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink "/proc/$pod/ns/mnt")" ]
    [ "$(mrun exec "$id" ps | grep -c sleep)" -eq 2 ]
    mrun delete --force "$id"
    has_status "$first" running
}

@test "existing namespaces of the host go together with a new user namespace" {
    start_script 'sleep 1000'
    init=$(pid_of "$id")
    run_script 'id -u; ls -l /proc/self/ns/net; echo $$' "$mapped | $(path_of network net) | .mounts |= map(select(.destination != \"/sys\"))"
    [ "$status" -eq 0 ]
    [[ $output == *"$(readlink "/proc/$init/ns/net")"* ]]
    [ "${lines[0]}" = 0 ] && [ "${lines[-1]}" = 1 ]
}

@test "sysctls of the container's own namespaces are set, and cgroups cannot be written" {
    # CVE-2023-25809: release_agent and its like.
    run_script 'cat /proc/sys/net/ipv4/ip_forward; find /sys/fs/cgroup -name release_agent; touch /sys/fs/cgroup/x
        for file in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ >$file; done; echo end' \
        "$mapped | .linux.sysctl = {\"net.ipv4.ip_forward\": \"1\"} | .mounts += [{destination: \"/sys/fs/cgroup\", type: \"cgroup\",
            source: \"cgroup\", options: [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}]"
    echo "$output"
    [ "${lines[0]}" = 1 ] && [ "${lines[-1]}" = end ] && [ "${#lines[@]}" -gt 3 ]
    [ "$(grep -cv 'Read-only file system' <<<"$output")" -eq 2 ]
}

@test "limits of the config hold in a user namespace" {
    run_script 'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj' \
        "$mapped | .process.rlimits = [{type: \"RLIMIT_NOFILE\", soft: 100, hard: 200}] | .process.oomScoreAdj = 50"
    [ "$output" = $'100\n200\n50' ]
}
