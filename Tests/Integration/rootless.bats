#!/usr/bin/env bats
# Containers of an ordinary user, without root anywhere but in newuidmap and newgidmap.

load helpers

setup_file() { make_rootfs; }
setup() {
    begin
    command -v newuidmap setpriv >/dev/null || skip "needs newuidmap and setpriv"
    user=64242
    home=$BATS_TEST_TMPDIR/home
    # Bats makes the folders above for root alone.
    local folder=$BATS_TEST_TMPDIR
    while [ "$folder" != /tmp ] && [ "$folder" != / ]; do
        chmod go+x "$folder"
        folder=${folder%/*}
    done
    mkdir -p "$home/run" "$home/bundle"
    cp -a "$ROOTFS" "$home/rootfs"
    cp "$MRUN" "$home/mrun"
    chown -R "$user:$user" "$home"
    # /etc/subuid and /etc/subgid of the test's own, in a copy of /etc.
    cp -a /etc "$BATS_TEST_TMPDIR/etc"
    # newuidmap wants the user to have a name.
    echo "mrunuser:x:$user:$user::/:/bin/sh" >>"$BATS_TEST_TMPDIR/etc/passwd"
    echo "$user:300000:65536" | tee "$BATS_TEST_TMPDIR/etc/subuid" >"$BATS_TEST_TMPDIR/etc/subgid"
}
teardown() {
    [ -z "${home:-}" ] || [ ! -e "$home/run/mrun" ] || local id
    for id in $(list_state "${home:-/nonexistent}/run/mrun"); do as_user ./mrun delete --force "$id" || :; done
    finish
}

# as_user COMMAND...: as that user, in the user's home, with that /etc.
as_user() {
    unshare --mount --propagation private -- sh -c 'mount --bind "$0" /etc && cd "$1" && shift && exec "$@"' "$BATS_TEST_TMPDIR/etc" "$home" \
        timeout --kill-after=5 60 setpriv --reuid "$user" --regid "$user" --clear-groups \
        env XDG_RUNTIME_DIR="$home/run" "$@"
}

# user_bundle [FILTER [JQ-ARGUMENT...]]: a bundle with all ids that the user may have.
user_bundle() {
    local filter=${1:-.}
    shift $(($# < 1 ? $# : 1))
    jq --arg root "$home/rootfs" --arg user "$user" "$@" \
        '.root.path = $root | del(.linux.cgroupsPath, .linux.resources) | .linux.namespaces += [{type: "user"}] |
        .linux.uidMappings = [{containerID: 0, hostID: ($user | tonumber), size: 1}, {containerID: 1, hostID: 300000, size: 65536}] |
        .linux.gidMappings = .linux.uidMappings | '"$filter" "$REPO/bundles/oci-minimal/config.json" >"$home/bundle/config.json"
}

# shell_bundle SCRIPT [FILTER]: the same for a shell script.
shell_bundle() { user_bundle ".process.args = [\"sh\", \"-c\", \$script] | ${2:-.}" --arg script "$1"; }

@test "an ordinary user runs a container with the ids that /etc/subuid grants" {
    shell_bundle 'cat /proc/self/uid_map /proc/self/gid_map; id -u; echo $$; cat /proc/self/setgroups'
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$status" -eq 0 ]
    [ "$(tr -s ' ' <<<"$output")" = " 0 $user 1"$'\n'" 1 300000 65536"$'\n'" 0 $user 1"$'\n'" 1 300000 65536"$'\n0\n1\nallow' ]
    shell_bundle 'id; exit 5' '.process.user = {uid: 33, gid: 34, additionalGids: [7]}'
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$status" -eq 5 ]
    [ "$output" = 'uid=33 gid=34 groups=7' ] || [[ $output == 'uid=33'*' gid=34'*7* ]]
    [ -z "$(list_state "$home/run/mrun")" ]
    [ "$(stat -c '%a %u' "$home/run/mrun")" = "1700 $user" ]
}

@test "create, start, exec, ps, state, list, kill and delete work for that user" {
    shell_bundle 'echo started; sleep 1000'
    # shellcheck disable=SC2016
    run as_user sh -c './mrun create --bundle bundle --pid-file pid "$1" >out 2>&1 </dev/null && ./mrun state "$1" && ./mrun start "$1" &&
        ./mrun exec --user 5:6 "$1" id && ./mrun ps --format json "$1" && ./mrun list && ./mrun pause "$1"; ./mrun exec "$1" sh -c "exit 3"
        echo "exec: $?"; ./mrun kill "$1" KILL; for try in 1 2 3 4 5 6 7 8 9; do ./mrun state "$1" | grep -q stopped && break; sleep 0.2; done; ./mrun delete "$1" && ./mrun list -q; ls run/mrun' sh "$TAG-a"
    echo "$output"
    [[ $output == *'"status": "created"'*'uid=5 gid=6'*"[$(cat "$home/pid")]"*running*'unable to freeze: the container has no cgroups'*'exec: 3' ]]
}

@test "what spec --rootless writes runs at once" {
    # shellcheck disable=SC2016
    run as_user sh -c 'mkdir spec && cd spec && ln -s ../rootfs rootfs2 && ../mrun spec --rootless && sed -i "s|\"rootfs\"|\"$0\"|; s|\"sh\"|\"id\"|; s|\"terminal\": true|\"terminal\": false|" config.json && ../mrun run "$1"' \
        "$home/rootfs" "$TAG-a"
    [ "$status" -eq 0 ]
    [ "$output" = 'uid=0(root) gid=0(root)' ]
    run jq -c '[.linux.namespaces[].type], .linux.uidMappings' "$home/spec/config.json"
    [[ $output == *'"user"'* && $output != *network* && $output == *"[{\"containerID\":0,\"hostID\":$user,\"size\":1}]"* ]]
}

@test "one id alone needs no helper, and setgroups is denied then" {
    # CVE-2014-8989
    user_bundle '.linux.uidMappings |= .[:1] | .linux.gidMappings |= .[:1] | .mounts |= map(.options |= map(select(startswith("gid=") | not))?) |
        .process.args = ["sh", "-c", "cat /proc/self/setgroups; id -u; sleep 1000"]' || user_bundle '.linux.uidMappings |= .[:1] |
        .linux.gidMappings |= .[:1] | (.mounts[] | select(.options) | .options) |= map(select(startswith("gid=") | not)) |
        .process.args = ["sh", "-c", "cat /proc/self/setgroups; id -u; sleep 1000"]'
    # shellcheck disable=SC2016
    run as_user sh -c 'mkdir bin && PATH=$PWD/bin ./mrun run --detach --bundle bundle "$0" >out 2>&1 </dev/null; ./mrun exec "$0" id -u; cat out; ./mrun delete --force "$0"' "$TAG-a"
    echo "$output"
    [ "$output" = $'0\ndeny\n0' ]
    jq '.process.user.additionalGids = [0]' "$home/bundle/config.json" >"$home/config" && cp "$home/config" "$home/bundle/config.json"
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$status" -eq 1 ]
    [[ $output == *"additionalGids: setgroups is forbidden in the container's user namespace"* ]]
}

@test "what is missing for the maps is told" {
    user_bundle
    # shellcheck disable=SC2016
    refused 'newuidmap is not in $PATH' as_user env PATH=/nowhere "$home/mrun" run --bundle bundle "$TAG-a"
    user_bundle '.linux.uidMappings[1].hostID = 500000'
    refused '/linux/uidMappings: newuidmap refused (/etc/subuid must grant' as_user ./mrun run --bundle bundle "$TAG-a"
    user_bundle '.linux.gidMappings[1].size = 65537'
    refused '/linux/gidMappings: newgidmap refused (/etc/subgid must grant' as_user ./mrun run --bundle bundle "$TAG-a"
    user_bundle '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
    refused 'only root makes a container without a user namespace' as_user ./mrun run --bundle bundle "$TAG-a"
    [ -z "$(list_state "$home/run/mrun")" ]
}

@test "cgroups that cannot be made are done without, unless the config needs them" {
    [ "$(cgroup_version)" -eq 1 ] || skip "v1's are root's; on v2 it depends on the user's session"
    user_bundle '.process.args = ["true"] | .linux.resources.devices = [{allow: false}]'
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$status" -eq 0 ]
    user_bundle '.linux.resources.memory.limit = 10000000'
    refused '/linux/resources/memory: the container has no cgroup of the controller "memory", and none could be made' as_user ./mrun run --bundle bundle "$TAG-a"
    user_bundle '.linux.cgroupsPath = "/nosuch"'
    refused '/linux/cgroupsPath: cgroup ' as_user ./mrun run --bundle bundle "$TAG-a"
    user_bundle
    refused 'mkdir: Permission denied' as_user ./mrun --rootless false run --bundle bundle "$TAG-a"
    refused 'option "--rootless" is true, false or auto' as_user ./mrun --rootless maybe list
}

@test "the state lies below XDG_RUNTIME_DIR, which counts as unset when it is empty" {
    user_bundle '.process.args = ["sleep", "1000"]'
    # shellcheck disable=SC2016
    as_user sh -c './mrun create --bundle bundle "$0" >/dev/null 2>&1 </dev/null' "$TAG-a"
    [ "$(list_state "$home/run/mrun")" = "$TAG-a" ]
    # shellcheck disable=SC2016
    run as_user sh -c 'XDG_RUNTIME_DIR= ./mrun state "$0"' "$TAG-a"
    [ "$status" -eq 1 ]
    # Root of the host does not look there.
    run env XDG_RUNTIME_DIR="$home/run" "$MRUN" state "$TAG-a"
    [ "$status" -eq 1 ]
    as_user ./mrun delete --force "$TAG-a"
}

@test "an out-of-memory score that only root may set does not keep a user's container from running" {
    shell_bundle 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 100'
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$output" = 100 ]
    shell_bundle 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = -500'
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [ "$status" -eq 0 ]
    [ "$output" = "$(cat /proc/self/oom_score_adj)" ]
    refused 'oom_score_adj' as_user ./mrun --rootless false run --bundle bundle "$TAG-a" || [[ $message == *cgroup* ]]
}

@test "files of others stay closed to a user's container, whatever its root may do" {
    echo secret >"$BATS_TEST_TMPDIR/secret" && chmod 600 "$BATS_TEST_TMPDIR/secret"
    mkdir "$home/rootfs/mnt"
    chown "$user:$user" "$home/rootfs/mnt"
    shell_bundle 'cat /mnt/secret; chown 0 /mnt/secret; echo x >>/mnt/secret; touch /mnt/new' \
        ".mounts += [{destination: \"/mnt\", type: \"bind\", source: \"$BATS_TEST_TMPDIR\", options: [\"rbind\"]}]"
    run as_user ./mrun run --bundle bundle "$TAG-a"
    [[ $output != *secret$'\n'* ]]
    [ "$(grep -ci 'denied\|not permitted\|nonexistent' <<<"$output")" -eq 4 ]
    [ "$(cat "$BATS_TEST_TMPDIR/secret")" = secret ] && [ ! -e "$BATS_TEST_TMPDIR/new" ]
}

@test "mrun refuses to run set-user-ID for an ordinary user" {
    cp "$MRUN" "$home/suid" && chmod 4755 "$home/suid"
    refused 'mrun does not run setuid, setgid or with file capabilities' as_user ./suid list
}
