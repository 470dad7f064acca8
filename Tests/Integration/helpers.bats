#!/usr/bin/env bats
# The helpers are what says "nothing is left", so they are put to the test first: each thing that a container could leave
# must be seen. No container runs here, and the binary under test is not called.

load helpers

setup_file() { make_rootfs; }

setup() {
    MRUN=/bin/true
    # Most of these leave something on purpose: do not wait for it to go.
    CLEAN_TRIES=2
    begin
}

teardown() { finish; }

@test "a test that leaves nothing is clean" {
    assert_clean
}

@test "a process that is left is seen, by the mark in its environment" {
    sleep 4720 3>&- &
    run ! assert_clean
    [[ $output == *"left behind (processes): $! sleep 4720"* ]]
    # It was killed, so that the next test is not disturbed.
    run ! kill -0 $!
}

@test "a process without that mark is seen in a mount namespace that holds the test's files" {
    mkdir "$BATS_TEST_TMPDIR/root"
    # shellcheck disable=SC2016 # for the inner shell
    env -i unshare --mount --propagation private -- \
        sh -c 'mount --bind "$1" "$1" && cd / && exec sleep 4721' sh "$BATS_TEST_TMPDIR/root" 3>&- &
    wait_until 5 grep -q 4721 "/proc/$!/cmdline"
    run ! assert_clean
    [[ $output == *"sleep 4721"* ]]
}

@test "a process without that mark is seen in a cgroup that carries the tag" {
    [ "$(cgroup_version)" -eq 1 ] || skip "needs the v1 freezer"
    mkdir -p "/sys/fs/cgroup/freezer/mesos/$TAG-1"
    env -i sleep 4722 3>&- &
    echo $! >"/sys/fs/cgroup/freezer/mesos/$TAG-1/cgroup.procs"
    echo FROZEN >"/sys/fs/cgroup/freezer/mesos/$TAG-1/freezer.state"
    run ! assert_clean
    [[ $output == *"sleep 4722"* ]]
    [[ $output == *"left behind (cgroups): /sys/fs/cgroup/freezer/mesos/$TAG-1"* ]]
    # Cleaned up although it was frozen.
    [ ! -e "/sys/fs/cgroup/freezer/mesos/$TAG-1" ]
}

@test "an empty cgroup that is left is seen in any hierarchy, and removed" {
    local hierarchy
    for hierarchy in /sys/fs/cgroup/*/ /sys/fs/cgroup/; do
        mkdir "$hierarchy/$TAG-1" 2>/dev/null || continue
        if [ ! -e "$hierarchy/$TAG-1/cgroup.procs" ]; then rmdir "$hierarchy/$TAG-1" && continue; fi
        run ! assert_clean
        [[ $output == *"left behind (cgroups): ${hierarchy%/}/$TAG-1"* ]]
        [ ! -e "$hierarchy/$TAG-1" ]
    done
    [ -n "$output" ]
}

@test "a mount that is left is seen" {
    in_private_mounts || return 0
    mkdir "$BATS_TEST_TMPDIR/mount"
    mount -t tmpfs left "$BATS_TEST_TMPDIR/mount"
    run ! assert_clean
    [[ $output == *"left behind (mounts):"*"$BATS_TEST_TMPDIR/mount"* ]]
    umount "$BATS_TEST_TMPDIR/mount"
    assert_clean
}

@test "a state directory that is left is seen" {
    mkdir "$ROOT/left"
    run ! assert_clean
    [[ $output == *"left behind (state): left"* ]]
    rmdir "$ROOT/left"
}

@test "what others do is not held against the test" {
    local other=/sys/fs/cgroup/freezer
    [ "$(cgroup_version)" -eq 1 ] || other=/sys/fs/cgroup
    mkdir "$other/not-ours-$$"
    env -i sleep 4723 3>&- &
    run assert_clean
    kill -KILL $!
    rmdir "$other/not-ours-$$"
    [ "$status" -eq 0 ]
}

@test "teardown fails a test that leaves something" {
    nested 'mkdir "$ROOT/left"'
    [ "$status" -eq 1 ]
    [[ $output == *"left behind (state): left"* ]]
}

@test "teardown lets a clean test pass" {
    nested 'true'
    [ "$status" -eq 0 ]
}

@test "in_private_mounts runs the test in a mount namespace of its own" {
    local outside
    outside=$(readlink /proc/self/ns/mnt)
    nested "in_private_mounts || return 0; [ \"\$(readlink /proc/self/ns/mnt)\" != '$outside' ]"
    [ "$status" -eq 0 ]
}

@test "a test that fails in_private_mounts fails" {
    nested 'in_private_mounts || return 0; echo seen-inside; false'
    [ "$status" -eq 1 ]
    [[ $output == *seen-inside* ]]
}

@test "a test that is skipped in_private_mounts is skipped, with its reason" {
    nested 'in_private_mounts || return 0; skip "no such thing"'
    [ "$status" -eq 0 ]
    [[ $output == *"# skip no such thing"* ]]
}

# nested BODY: runs a test file with one test of that body, as bats does.
nested() {
    mkdir -p "$BATS_TEST_TMPDIR/Tests/Integration"
    cp "$BATS_TEST_DIRNAME/helpers.bash" "$BATS_TEST_TMPDIR/Tests/Integration/"
    # Bats would take a line that begins with its keyword for a test of this file.
    printf '%s\n' 'load helpers' 'setup() { begin; }' 'teardown() { finish; }' \
        '@''test "the nested [one], with (odd) signs + more?" {' "$1" '}' \
        >"$BATS_TEST_TMPDIR/Tests/Integration/nested.bats"
    run nested_bats "$BATS_TEST_TMPDIR/Tests/Integration/nested.bats"
}

@test "every new id is another one, and carries the tag" {
    new_id
    local first=$id
    new_id
    [ "$first" = "$TAG-1" ]
    [ "$id" = "$TAG-2" ]
}

@test "wait_until returns as soon as the command succeeds" {
    (sleep 0.2 && touch "$BATS_TEST_TMPDIR/there") 3>&- &
    wait_until 5 test -e "$BATS_TEST_TMPDIR/there"
}

@test "wait_until gives up after the time it was given" {
    run ! wait_until 1 false
    [[ $output == "waited in vain for: false" ]]
}

@test "make_bundle makes the minimal bundle, changed by a filter" {
    new_id
    make_bundle "$id" '.process.args = ["sh", "-c", $script]' --arg script 'exit 7'
    [ "$(jq -r '.process.args[2]' "$bundle/config.json")" = "exit 7" ]
    [ "$(jq -r .root.path "$bundle/config.json")" = "$ROOTFS" ]
    [ "$(jq -r .linux.cgroupsPath "$bundle/config.json")" = "/mrun/$id" ]
    [ "$(chroot "$ROOTFS" /bin/sh -c 'echo in the root')" = "in the root" ]
}

@test "make_task makes a TaskInfo with the command as it stands" {
    make_task 'echo "$HOME" && exit 7' '.resources[1].scalar.value = 100'
    [ "$(jq -r .command.value "$task")" = 'echo "$HOME" && exit 7' ]
    [ "$(jq '.resources[1].scalar.value' "$task")" = 100 ]
}
