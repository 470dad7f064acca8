#!/usr/bin/env bats
# Input that is wrong: one clear line, another exit status than 0, in no time, and nothing left.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }

teardown() {
    # Whatever was refused has left nothing, so there is nothing for the teardown to delete.
    [ -z "${TAG:-}" ] || [ -z "$(list_state "$ROOT")" ] || { echo "state is left: $(list_state "$ROOT")" && finish && return 1; }
    finish
}

# config TEXT: a bundle with this text as its config.json; sets `id` and `bundle`.
config() {
    new_id
    bundle=$BATS_TEST_TMPDIR/bundle-$id
    mkdir -p "$bundle"
    printf '%s' "$1" >"$bundle/config.json"
}

# filtered FILTER: a bundle whose config is the minimal one, changed.
filtered() {
    new_id
    make_bundle "$id" "$@"
}

# refused_soon WORDS: create and run of the bundle are refused with these words, each within about a second, and leave
# nothing.
refused_soon() {
    local before command
    for command in create run; do
        before=$(date +%s%N)
        MRUN_TIMEOUT=10 refused "$1" mrun "$command" --bundle "$bundle" "$id"
        # On an idle machine it takes milliseconds.
        [ $((($(date +%s%N) - before) / 1000000)) -le 2000 ] || { echo "took too long" && return 1; }
        [ -z "$(list_state "$ROOT")" ] || { echo "state is left" && return 1; }
        ! compgen -G "/sys/fs/cgroup/*/mrun/$id" || { echo "cgroups are left" && return 1; }
    done
}

@test "a missing bundle, config or root is refused" {
    new_id
    bundle=$BATS_TEST_TMPDIR/none
    refused_soon "bundle \"$bundle\": no such directory"
    mkdir "$BATS_TEST_TMPDIR/none"
    refused_soon 'JSON specification file config.json not found'
    bundle=$BATS_TEST_TMPDIR/file
    touch "$bundle"
    refused_soon ''
    filtered '.root.path = "nosuch"'
    refused_soon 'invalid rootfs'
    filtered '.root.path = "/etc/passwd"'
    refused_soon 'invalid rootfs'
    filtered '.root.path = ""'
    refused_soon '/root/path'
    filtered 'del(.root)'
    refused_soon '/root'
}

@test "a config that is no JSON document is refused, with the place where it stops being one" {
    local good
    good=$(cat "$REPO/bundles/oci-minimal/config.json")
    config ''
    refused_soon 'the document is empty'
    config "${good:0:500}"
    refused_soon 'the document ends too early'
    # What follows the last brace.
    config "$good}"
    refused_soon "line $(wc -l <<<"$good"), column 2"
    config "$good $good"
    refused_soon "line $(wc -l <<<"$good"), column 3"
    config '{"ociVersion": "1.0.2",}'
    refused_soon 'line 1, column'
    config '{"ociVersion": "1.0.2", "root": {"path": rootfs}}'
    refused_soon 'line 1, column'
    config "{'ociVersion': '1.0.2'}"
    refused_soon 'line 1, column'
    config '// a comment'
    refused_soon 'line 1, column'
    config $'{"ociVersion": "1.0.2", "hostname": "\xff\xfe"}'
    refused_soon 'config.json'
    local text
    for text in null 5 '"text"' '[]' true '[{}]' '{}'; do
        config "$text"
        refused_soon 'config.json'
    done
}

@test "a config that is no regular file is refused at once" {
    filtered .
    rm "$bundle/config.json"
    mkfifo "$bundle/config.json"
    refused_soon 'not a regular file'
    rm "$bundle/config.json"
    ln -s /dev/zero "$bundle/config.json"
    refused_soon 'not a regular file'
    rm "$bundle/config.json"
    mknod "$bundle/config.json" c 1 5
    refused_soon 'not a regular file'
    rm "$bundle/config.json"
    mkdir "$bundle/config.json"
    refused_soon ''
    rmdir "$bundle/config.json"
    ln -s config.json "$bundle/config.json"
    refused_soon ''
}

@test "deep nesting, a giant, and a bomb of arrays are refused within a second" {
    new_id
    bundle=$BATS_TEST_TMPDIR/bundle-$id
    mkdir "$bundle"
    head -c 200000 /dev/zero | tr '\0' '[' >"$bundle/config.json"
    refused_soon 'nesting'
    { printf '{"a":%.0s' {1..20000} && echo 1 && head -c 20000 /dev/zero | tr '\0' '}'; } >"$bundle/config.json"
    refused_soon 'nesting'
    # More than the limit: 16 MiB.
    { echo '{"ociVersion": "1.0.2", "hostname": "' && head -c 17000000 /dev/zero | tr '\0' a && echo '"}'; } >"$bundle/config.json"
    refused_soon 'config.json'
    truncate -s 100G "$bundle/config.json"
    refused_soon 'config.json'
}

@test "values of the wrong type are refused, with their place" {
    local case pointer filter
    # What is wrong | where.
    while IFS='|' read -r filter pointer; do
        filtered "$filter"
        refused_soon "$pointer"
    done <<'END'
.ociVersion = 1|/ociVersion
del(.ociVersion)|"ociVersion" is missing
.process = []|/process
.process = "sh"|/process
.process.args = "sh"|/process/args
.process.args = [1]|/process/args/0
.process.args = ["a", null]|/process/args/1
.process.args = []|/process/args
del(.process.args)|/process/args
.process.args = [""]|/process/args/0
.process.cwd = 1|/process/cwd
del(.process.cwd)|"cwd" is missing
.process.cwd = ""|/process/cwd
.process.cwd = "tmp"|/process/cwd
.process.env = {}|/process/env
.process.env = ["NOEQUALS"]|/process/env/0
.process.env = ["=x"]|/process/env/0
.process.user = 0|/process/user
.process.user.uid = "0"|/process/user/uid
.process.user.umask = 512|/process/user/umask
.process.noNewPrivileges = "yes"|/process/noNewPrivileges
.process.capabilities = ["CAP_KILL"]|/process/capabilities
.process.capabilities.bounding = "CAP_KILL"|/process/capabilities/bounding
.process.rlimits = {}|/process/rlimits
.process.rlimits[0].soft = "1"|/process/rlimits/0/soft
.root = "rootfs"|/root
.root.readonly = 1|/root/readonly
.hostname = 5|/hostname
.mounts = {}|/mounts
.mounts[0] = "proc"|/mounts/0
.mounts[1].options = "ro"|/mounts/1/options
del(.mounts[2].destination)|/mounts/2
.mounts[0].destination = "/"|/mounts/0/destination
.mounts += [{destination: "/x"}]|/mounts/6
.annotations = []|/annotations
.annotations = {a: 1}|/annotations/a
.annotations = {"a/b~c": 1}|/annotations/a~1b~0c
.linux = []|/linux
.linux.namespaces = {}|/linux/namespaces
.linux.namespaces[0] = "pid"|/linux/namespaces/0
.linux.devices = [{path: "/dev/x", type: "c"}]|/linux/devices/0
.linux.devices = [{path: "dev/x", type: "c", major: 1, minor: 1}]|/linux/devices/0/path
.linux.resources.memory = 5|/linux/resources/memory
.linux.resources.memory.limit = "1G"|/linux/resources/memory/limit
.linux.resources.memory.limit = 1e30|/linux/resources/memory/limit
.linux.resources.cpu.shares = -1|/linux/resources/cpu/shares
.linux.resources.cpu.shares = 1.5|/linux/resources/cpu/shares
.linux.maskedPaths = ["proc"]|/linux/maskedPaths/0
.linux.cgroupsPath = 5|/linux/cgroupsPath
.linux.sysctl = ["a"]|/linux/sysctl
END
}

@test "words that no enumeration knows are refused, with their place" {
    local pointer filter
    while IFS='|' read -r filter pointer; do
        filtered "$filter"
        refused_soon "$pointer"
    done <<'END'
.linux.namespaces[0].type = "nosuch"|/linux/namespaces/0/type
.linux.namespaces[0].type = "PID"|/linux/namespaces/0/type
.linux.devices = [{path: "/dev/x", type: "x", major: 1, minor: 1}]|/linux/devices/0/type
.linux.rootfsPropagation = "sharedd"|/linux/rootfsPropagation
.process.rlimits[0].type = "RLIMIT_NOSUCH"|/process/rlimits/0/type
.process.rlimits[0].type = "NOFILE"|/process/rlimits/0/type
.process.capabilities.bounding = ["CAP_NOSUCH"]|/process/capabilities/bounding/0
.linux.seccomp = {defaultAction: "ALLOW"}|/linux/seccomp
.linux.resources.devices = [{allow: true, type: "d"}]|/linux/resources/devices/0/type
.ociVersion = "99.0.0"|/ociVersion
.ociVersion = "2.0.0"|/ociVersion
.ociVersion = "0.9.0"|/ociVersion
.ociVersion = "1"|/ociVersion
.ociVersion = ""|/ociVersion
.ociVersion = "1.x.0"|/ociVersion
END
}

@test "what contradicts itself is refused, with its place" {
    local pointer filter
    while IFS=@ read -r filter pointer; do
        filtered "$filter"
        refused_soon "$pointer"
    done <<'END'
.linux.namespaces += [{type: "pid"}]@/linux/namespaces/5
del(.linux.namespaces[] | select(.type == "mount"))@/linux/namespaces
del(.linux.namespaces[] | select(.type == "uts"))@/hostname
.process.rlimits += .process.rlimits@/process/rlimits/1
.root.path = "/" | .root.readonly = true@/root/readonly
END
}

@test "several faults come in one line" {
    filtered '.process.cwd = "tmp" | .process.args = [] | .ociVersion = "9.9.9"'
    refused_soon '/process/cwd'
    [[ $message == */process/args* ]]
    [[ $message == */ociVersion* ]]
}

@test "what this version cannot bring about is refused rather than left out, with its place" {
    local pointer filter
    while IFS='|' read -r filter pointer; do
        filtered "$filter"
        refused_soon "$pointer"
        [[ $message == *'not supported by this version'* ]]
    done <<'END'
.linux.intelRdt = {closID: "x"}|/linux/intelRdt
.vm = {kernel: {path: "/x"}}|/vm
END
    # Empty ones ask for nothing.
    filtered '.hooks = {} | .linux.uidMappings = [] | .process.terminal = false | .process.args = ["true"]'
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
}

@test "a NUL in any string is refused, with its place" {
    local filter
    while read -r filter; do
        filtered "$filter"
        refused_soon 'the string holds a NUL'
        [[ $message =~ line\ [0-9]+,\ column\ [0-9]+ ]] || [[ $message == *config.json:\ /* ]]
    done <<'END'
.process.args = ["sh\u0000-c"]
.process.env = ["A=\u0000"]
.process.cwd = "/\u0000"
.hostname = "a\u0000b"
.root.path = "/tmp\u0000/x"
.mounts[0].destination = "/proc\u0000"
.mounts[0].source = "\u0000"
.mounts[1].options = ["ro\u0000"]
.linux.cgroupsPath = "/mrun/a\u0000"
.linux.sysctl = {"net.x": "\u0000"}
.annotations = {a: "\u0000"}
.annotations = {"a\u0000b": "x"}
.unknown = "\u0000"
END
}

@test "fields that nobody knows are left alone" {
    filtered '.process.args = ["true"] | .unknown = {a: [1, null]} | .linux.unknown = true | .process.later = "x"'
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
}

@test "an executable that is missing or cannot be executed is told as shells do" {
    filtered '.process.args = ["nosuch"]'
    refused_soon 'executable file not found in $PATH'
    [ "$refusal" -eq 127 ]
    filtered '.process.args = ["/bin/nosuch"]'
    refused_soon 'no such file or directory'
    [ "$refusal" -eq 127 ]
    filtered '.process.args = ["/etc/passwd"]'
    refused_soon 'permission denied'
    [ "$refusal" -eq 126 ]
    filtered '.process.args = ["/etc"]'
    refused_soon 'permission denied'
    [ "$refusal" -eq 126 ]
    filtered '.process.args = ["ls"] | .process.env = []'
    refused_soon 'executable file not found in $PATH'
}

@test "an executable that the kernel refuses fails start, and the container is stopped then" {
    own_rootfs a
    printf 'no program' >"$rootfs/bin/garbage"
    printf '#!/nosuch/interpreter\n' >"$rootfs/bin/orphan"
    chmod 755 "$rootfs/bin/garbage" "$rootfs/bin/orphan"
    filtered '.root.path = $rootfs | .process.args = ["/bin/garbage"]' --arg rootfs "$rootfs"
    create_container "$id" "$bundle"
    refused 'exec format error' mrun start "$id"
    wait_until 5 has_status "$id" stopped
    mrun delete "$id"
    filtered '.root.path = $rootfs | .process.args = ["/bin/orphan"]' --arg rootfs "$rootfs"
    refused 'no such file or directory' mrun run --bundle "$bundle" "$id"
    [ "$refusal" -eq 127 ]
}

@test "ids that could mean anything else are refused by every command, and mean nothing" {
    mkdir "$BATS_TEST_TMPDIR/precious" "$ROOT/../outside"
    filtered .
    local bad command
    for bad in '' . .. / /abs "$BATS_TEST_TMPDIR/precious" ../outside a/b a/../b 'a b' ' a' 'a ' $'a\n' $'a\nb' $'\t' '*' 'a*' '?' '[a]' 'a;b' 'a|b' \
        '$(id)' '`id`' 'a\b' "a'b" 'a"b' 'a:b' 'a,b' 'a@b' 'a=b' 'a%b' 'a~b' '~' 'é' $'a\x01' $'a\x7f' "$(head -c 1025 /dev/zero | tr '\0' a)"; do
        refused 'container id' mrun create --bundle "$bundle" "$bad"
        refused 'container id' mrun delete --force "$bad"
    done
    for command in start state kill delete pause resume wait ps stats events; do
        refused 'container id' mrun "$command" ../outside
        refused 'container id' mrun "$command" ''
    done
    refused 'container id' mrun exec ../outside true
    # What looks like an option is one, or is refused as an id.
    refused '' mrun create --bundle "$bundle" -x
    refused 'container id' mrun create --bundle "$bundle" -- -x
    refused 'container id' mrun delete --force -- --force
    [ -d "$BATS_TEST_TMPDIR/precious" ] && [ -d "$ROOT/../outside" ]
    [ -z "$(list_state "$ROOT")" ]
    # Odd but fine.
    local good
    for good in a A1 a_b+c.d-e ... ._ 0 "$TAG$(head -c 150 /dev/zero | tr '\0' a)"; do
        refused 'does not exist' mrun state "$good"
    done
}

@test "a command line that means nothing is refused" {
    filtered .
    local words
    for words in nosuch '--nosuch list' 'list --nosuch' 'list extra' state 'state a b' kill 'kill a b c' create 'run' 'create a b' 'exec a' \
        'list --format' 'create --bundle' '--root' '--log-format xml list' 'list --form json' 'delete --force=maybe a' '--root= list' 'completion' \
        'completion tcsh' 'events --interval 0 a' 'events --interval x a' 'events --interval -1s a' 'help nosuch' 'spec extra'; do
        # shellcheck disable=SC2086 # words
        refused '' mrun $words
        [ "$refusal" -ne 0 ]
    done
    refused 'invalid log-format: xml' mrun --log-format xml list
    run mrun
    [ "$status" -eq 0 ]
    [ -n "$output" ]
}

@test "words that are no UTF-8 are refused" {
    refused 'UTF-8' mrun state $'\xff\xfe'
    refused 'UTF-8' mrun $'\xff'
}

@test "with --log each failure is one JSON object in the file, and one line on standard error" {
    local log=$BATS_TEST_TMPDIR/log case
    local before
    before=$(date +%s)
    filtered '.process.args = ["nosuch \"quoted\" \\ and\nmore"]'
    for case in "state nobody" "create --bundle $bundle $id" "create --bundle /nosuch $id" "kill nobody FOO" "list --nosuch" "exec nobody true"; do
        rm -f "$log"
        # shellcheck disable=SC2086 # words
        refused '' mrun --log "$log" --log-format json $case
        [ "$(wc -l <"$log")" -eq 1 ]
        jq -e '(keys == ["level", "msg", "time"]) and .level == "error" and (.msg | length > 0)' "$log"
        local time
        time=$(jq -r .time "$log")
        [[ $time =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$ ]]
        [ "$(date -d "$time" +%s)" -ge "$before" ]
        [ "$(date -d "$time" +%s)" -le "$(date +%s)" ]
        # Standard error has the same words.
        [[ $message == *"$(jq -r .msg "$log" | head -n 1)"* ]]
    done
    # The file is appended to, and holds nothing where nothing fails.
    mrun --log "$log" --log-format json list >/dev/null
    [ "$(wc -l <"$log")" -eq 1 ]
    refused 'does not exist' mrun --log "$log" --log-format json state nobody
    [ "$(wc -l <"$log")" -eq 2 ]
    rm "$log"
    refused 'does not exist' mrun --log "$log" state nobody
    grep -qE '^time="[^"]+" level=error msg="container \\"nobody\\" does not exist"$' "$log"
}

@test "a log that cannot be written is an error, and does not hide another one" {
    refused 'no such file or directory' mrun --log /nosuch/log list
    refused 'is a directory' mrun --log / list
    refused '' mrun --log /dev/full state nobody || true
    run mrun --log /dev/full state nobody
    [ "$status" -eq 1 ]
    [[ $output == *'does not exist'* ]]
}
