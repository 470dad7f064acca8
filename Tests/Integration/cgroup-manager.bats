# Who makes the cgroups: --cgroup-manager and --systemd-cgroup. What needs a systemd is in Tests/VM/systemd.sh.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# The paths of the cgroups that a process is in, by hierarchy.
cgroups_of() { cut -d : -f 2- "/proc/$1/cgroup" | sort; }

# without_limits ID [FILTER]: a bundle whose config limits nothing but devices.
without_limits() {
    make_bundle "$1" '.linux.resources = {devices: [{allow: false, access: "rwm"}]}
        | .process.args = ["sleep", "1000"] | '"${2:-.}"
}

@test "disabled: a container runs, is killed and deleted in the cgroups of its maker" {
    new_id
    without_limits "$id"
    mrun --cgroup-manager disabled create --bundle "$bundle" "$id" </dev/null >/dev/null
    mrun start "$id"
    pid=$(mrun state "$id" | jq .pid)
    [ "$(cgroups_of "$pid")" = "$(cgroups_of $$)" ]
    [ "$(mrun state "$id" | jq -r .status)" = running ]
    [ "$(mrun ps --format json "$id" | jq -c .)" = "[$pid]" ]
    mrun exec "$id" true
    mrun kill "$id" KILL
    wait_until 10 has_status "$id" stopped
    mrun delete "$id"
}

@test "disabled: pause says why it cannot be" {
    new_id
    without_limits "$id"
    mrun --cgroup-manager disabled run --detach --bundle "$bundle" "$id" </dev/null >/dev/null
    run mrun pause "$id"
    [ "$status" -eq 1 ]
    [[ $output == *"without cgroups"* ]]
    [ "$(mrun state "$id" | jq -r .status)" = running ]
    mrun delete --force "$id"
}

@test "disabled: KILL reaches a container without a pid namespace" {
    new_id
    without_limits "$id" 'del(.linux.namespaces[] | select(.type == "pid"))'
    mrun --cgroup-manager disabled run --detach --bundle "$bundle" "$id" </dev/null >/dev/null
    mrun kill "$id" KILL
    wait_until 10 has_status "$id" stopped
    mrun delete "$id"
}

@test "disabled: a limit that nobody would keep is refused" {
    new_id
    without_limits "$id" '.linux.resources.memory.limit = 67108864'
    run mrun --cgroup-manager disabled create --bundle "$bundle" "$id"
    [ "$status" -eq 1 ]
    [[ $output == *"/linux/resources/memory"* ]]
    run mrun state "$id"
    [ "$status" -eq 1 ]
}

@test "cgroupfs is the default, by name too" {
    new_id
    without_limits "$id"
    mrun --cgroup-manager cgroupfs run --detach --bundle "$bundle" "$id" </dev/null >/dev/null
    pid=$(mrun state "$id" | jq .pid)
    grep -q "/mrun/$id\$" "/proc/$pid/cgroup"
    mrun delete --force "$id"
}

@test "another manager is refused" {
    new_id
    without_limits "$id"
    run mrun --cgroup-manager lmctfy create --bundle "$bundle" "$id"
    [ "$status" -eq 1 ]
    [[ $output == *"cgroupfs, systemd and disabled"* ]]
}

@test "systemd: where there is none, the error says where nobody answered, and nothing is left" {
    [ ! -e /run/systemd/private ] && [ ! -e /run/dbus/system_bus_socket ] || skip "there may be a systemd"
    new_id
    without_limits "$id" '.linux.cgroupsPath = "system.slice:box:x"'
    run mrun --systemd-cgroup create --bundle "$bundle" "$id"
    [ "$status" -eq 1 ]
    [[ $output == *'cannot talk to systemd'*'"/run/systemd/private"'*'"/run/dbus/system_bus_socket"'* ]]
    run mrun state "$id"
    [ "$status" -eq 1 ]
}

@test "systemd: a path that is none of its own is refused before anything is asked" {
    new_id
    without_limits "$id"
    run mrun --systemd-cgroup create --bundle "$bundle" "$id"
    [ "$status" -eq 1 ]
    [[ $output == *'expected cgroupsPath to be of format "slice:prefix:name"'* ]]
}

@test "systemd: a Mesos task is translated to a scope in the slice of executors" {
    make_task 'true'
    mrun --systemd-cgroup translate --container-id c1 --cgroups_root a/b --output - "$task" >"$BATS_TEST_TMPDIR/config.json"
    [ "$(jq -r .linux.cgroupsPath "$BATS_TEST_TMPDIR/config.json")" = mesos_executors.slice:a-b:c1 ]
}
