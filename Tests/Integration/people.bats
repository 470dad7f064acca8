#!/usr/bin/env bats
# What mrun tells before anything runs: plan, doctor, features; and the options that change how it is made.
load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

@test "plan names each step of create in order, and does nothing" {
    new_id
    make_bundle "$id" '.process.args = ["true"] | .hostname = "planned" | .linux.resources.pids.limit = 7
        | .process.rlimits = [{type: "RLIMIT_CORE", soft: 1, hard: 2}]'
    run mrun plan --bundle "$bundle" "$id"
    [ "$status" -eq 0 ]
    echo "$output"
    # In this order.
    grep -n -e "$ROOT/$id/state.json" -e 'clone3 .*pid' -e 'pids.max = 7' -e "bind $ROOTFS on itself" -e 'mount proc on /proc' \
        -e 'device /dev/null (c 1:3' -e 'mask /proc/' -e pivot_root -e 'hostname planned' -e 'RLIMIT_CORE 1:2' -e 'execute \["true"\]' \
        <<<"$output" | cut -d : -f 1 >"$BATS_TEST_TMPDIR/lines"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/lines")" -ge 11 ]
    sort -nc "$BATS_TEST_TMPDIR/lines"
    [ -z "$(own_cgroups)" ]
    [ -z "$(list_state "$ROOT")" ]
}

@test "plan shows what Mesos' task gets, and refuses what create refuses in the same words" {
    new_id
    make_task 'sleep 1' '.resources[1].scalar.value = 100'
    translate_task "$id" "$task" --isolation cgroups/cpu,cgroups/mem
    mrun plan --bundle "$bundle" --format json "$id" >"$BATS_TEST_TMPDIR/plan"
    jq -e 'any(.[]; .step | test("memory.limit_in_bytes = 138412032"))' "$BATS_TEST_TMPDIR/plan"
    jq -e 'any(.[]; .actor == "mrun-init" and .step == "stay as the container'"'"'s init")' "$BATS_TEST_TMPDIR/plan"
    make_bundle "$id" '.process.cwd = "relative"'
    refused '/process/cwd' mrun plan --bundle "$bundle" "$id"
    planned=${message#mrun: }
    refused '/process/cwd' mrun create --bundle "$bundle" "$id"
    [ "${message#mrun: create failed: }" = "$planned" ]
}

@test "doctor tells what this host has, as a table and as JSON" {
    run mrun doctor
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"release: $(uname -r)"* ]]
    [[ $output == *'Containers can run here.'* ]]
    mrun doctor --format json >"$BATS_TEST_TMPDIR/doctor"
    jq -e 'all(.[]; .topic and .name and (.verdict | IN("ok", "missing", "needed", "note")))' "$BATS_TEST_TMPDIR/doctor"
    # Whatever is missing says what that costs.
    jq -e 'all(.[]; (.verdict == "missing" or .verdict == "needed") == has("cost"))' "$BATS_TEST_TMPDIR/doctor"
}

@test "doctor sees what is not there" {
    # Without a single capability nothing can be made: the exit status says so too.
    run setpriv --bounding-set -all --inh-caps -all "$MRUN" --root "$ROOT" doctor
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *'NEEDED   CAP_SYS_ADMIN'* ]]
    [[ $output == *'No container can run here without: CAP_SYS_ADMIN'* ]]
    run env PATH=/nowhere "$MRUN" --root "$ROOT" doctor
    [[ $output == *'/usr/bin/ps'* ]]
}

@test "features is the specification's document" {
    mrun features >"$BATS_TEST_TMPDIR/features"
    jq -e '.ociVersionMin == "1.0.0" and (.ociVersionMax | startswith("1.")) and (.hooks | length == 6)
        and (.linux.namespaces | length == 8) and .linux.cgroup.v1 and .linux.cgroup.v2 and .linux.seccomp.enabled
        and (.linux.capabilities | index("CAP_SYS_ADMIN")) and (.linux.seccomp.archs | index("SCMP_ARCH_X86_64"))
        and .linux.mountExtensions.idmap.enabled and (.mountOptions == (.mountOptions | sort))
        and .annotations["io.github.seccomp.libseccomp.version"]' "$BATS_TEST_TMPDIR/features"
}

@test "--config names the config, in the bundle or anywhere" {
    new_id
    make_bundle "$id" '.process.args = ["echo", "from the other file"]'
    mv "$bundle/config.json" "$bundle/other.json"
    run_container "$id" "$bundle" --config other.json
    [ "$status" -eq 0 ] && [ "$output" = "from the other file" ]
    mv "$bundle/other.json" "$BATS_TEST_TMPDIR/elsewhere.json"
    run_container "$id" "$bundle" -f "$BATS_TEST_TMPDIR/elsewhere.json"
    [ "$status" -eq 0 ] && [ "$output" = "from the other file" ]
    refused "file other.json not found" mrun create --bundle "$bundle" --config other.json "$id"
}

@test "--no-pivot moves the root: the container is closed all the same" {
    script='for i in 1 2 3 4 5; do cd ..; done; stat -c %d:%i . /proc/1/root/ | uniq'
    all='["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]'
    run_script "$script" '.' --no-pivot
    [ "$status" -eq 0 ] && [ "$output" = "$(stat -c %d:%i "$ROOTFS")" ]
    # Nor does it open for one who may mount and chroot: what lies below the root is not to be had.
    run_script "umount -l / 2>/dev/null; mkdir -p /tmp/x; chroot /tmp/x /bin/true 2>/dev/null; $script" \
        ".process.capabilities |= with_entries(.value = $all)" --no-pivot
    echo "$output"
    [ "$(tail -n 1 <<<"$output")" = "$(stat -c %d:%i "$ROOTFS")" ]
}

@test "--log takes crun's file: form, and --log-level debug is --debug" {
    refused "does not exist" mrun --log "file:$BATS_TEST_TMPDIR/log" --log-format json state nobody
    jq -e '.level == "error" and (.msg | test("does not exist"))' "$BATS_TEST_TMPDIR/log"
    refused "files only" mrun --log journald:mrun state nobody
    refused "unknown log level" mrun --log-level loud state nobody
}
