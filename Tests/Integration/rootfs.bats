#!/usr/bin/env bats
# What a container finds in its root, and that nothing of an image leads the runtime out of it.

load helpers

setup_file() { make_rootfs; }
setup() { begin; }
teardown() { finish; }

# --- what there is --------------------------------------------------------------------------------------------------

@test "the devices and links that every container has are there, and work" {
    run_script 'for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" /dev/$d; done
        for l in fd stdin stdout stderr ptmx; do echo "$l -> $(readlink /dev/$l)"; done
        echo x >/dev/null && head -c 3 /dev/zero | od -An -tx1 && ! echo x >/dev/full && head -c 1 /dev/urandom | wc -c
        echo through >/dev/stdout; ls /dev' 2>/dev/null
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "/dev/null character special file 1:3 666 0:0" ]
    [ "${lines[1]}" = "/dev/zero character special file 1:5 666 0:0" ]
    [ "${lines[2]}" = "/dev/full character special file 1:7 666 0:0" ]
    [ "${lines[3]}" = "/dev/random character special file 1:8 666 0:0" ]
    [ "${lines[4]}" = "/dev/urandom character special file 1:9 666 0:0" ]
    [ "${lines[5]}" = "/dev/tty character special file 5:0 666 0:0" ]
    [ "${lines[6]}" = "fd -> /proc/self/fd" ]
    [ "${lines[7]}" = "stdin -> /proc/self/fd/0" ]
    [ "${lines[8]}" = "stdout -> /proc/self/fd/1" ]
    [ "${lines[9]}" = "stderr -> /proc/self/fd/2" ]
    [ "${lines[10]}" = "ptmx -> pts/ptmx" ]
    [ "${lines[11]}" = " 00 00 00" ]
    [[ $output == *"No space left on device"* ]]
    [[ $output == *through* ]]
    [[ $output == *$'fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero'* ]]
}

@test "devices of the config are made as it says" {
    run_script 'stat -c "%n %F %t:%T %a %u:%g" /dev/one /dev/block /dev/pipe /dev/null /dev/deep/er' '.linux.devices = [
        {path: "/dev/one", type: "c", major: 1, minor: 5, fileMode: 384, uid: 5, gid: 6},
        {path: "/dev/block", type: "b", major: 7, minor: 200, fileMode: 432},
        {path: "/dev/pipe", type: "p"}, {path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 292},
        {path: "/dev/deep/er", type: "u", major: 1, minor: 3}]'
    [ "${lines[0]}" = "/dev/one character special file 1:5 600 5:6" ]
    [ "${lines[1]}" = "/dev/block block special file 7:c8 660 0:0" ]
    [ "${lines[2]}" = "/dev/pipe fifo 0:0 666 0:0" ]
    [ "${lines[3]}" = "/dev/null character special file 1:3 444 0:0" ]
    [ "${lines[4]}" = "/dev/deep/er character special file 1:3 666 0:0" ]
}

@test "the mounts of the config are there with their types and options, and no others" {
    run_script 'cut -d " " -f 2-4 /proc/mounts' 'del(.linux.maskedPaths, .linux.readonlyPaths)'
    echo "$output"
    [[ ${lines[0]} == "/ "*" ro,"* ]]
    [ "${lines[1]}" = "/proc proc rw,relatime" ]
    [[ ${lines[2]} == "/dev tmpfs rw,nosuid,size=65536k,mode=755"* ]]
    [[ ${lines[3]} == "/dev/pts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666"* ]]
    [[ ${lines[4]} == "/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k"* ]]
    [ "${lines[5]}" = "/dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime" ]
    [[ ${lines[6]} == "/sys sysfs ro,nosuid,nodev,noexec,relatime"* ]]
    [ "${#lines[@]}" -eq 7 ]
}

@test "no mount of the host is to be seen" {
    run_script 'cut -d " " -f 5 /proc/self/mountinfo; echo; cut -d " " -f 2 /proc/1/mounts'
    [ "$status" -eq 0 ]
    [[ $output != *"$BATS_RUN_TMPDIR"* ]]
    [[ $output != */run/* ]]
    # Sixteen or so: those of the config, and a mask or a read-only cover for each of its paths.
    [ "$(sed '/^$/,$d' <<<"$output" | wc -l)" -le 24 ]
}

@test "the container's root is the end of all paths" {
    run_script 'ls / >/dev/shm/a; for p in /.. /../../.. /proc/1/root /proc/1/root/../.. /proc/self/cwd/../..; do
        ls $p/ >/dev/shm/b; cmp /dev/shm/a /dev/shm/b || echo "$p is another"; done
        cd -P /proc/1/root/.. && pwd -P'
    [ "$output" = / ]
}

@test "a read-only root cannot be written, and another one can" {
    run_script 'touch /x; mkdir /tmp/x; echo x >/etc/issue; touch /dev/shm/x && echo shm works'
    [ "$(grep -c 'Read-only file system' <<<"$output")" -eq 3 ]
    [[ $output == *'shm works'* ]]
    own_rootfs a
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["touch", "/written"]' --arg rootfs "$rootfs"
    run_container "$id" "$bundle"
    [ "$status" -eq 0 ]
    [ -e "$rootfs/written" ]
}

@test "masked paths hold nothing, read-only paths cannot be written, and missing ones do not matter" {
    own_rootfs a
    mkdir "$rootfs/secrets" "$rootfs/shown"
    echo secret >"$rootfs/secrets/key"
    echo secret >"$rootfs/secret"
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .linux.maskedPaths = ["/secret", "/secrets", "/none", "/proc/kcore"] |
        .linux.readonlyPaths = ["/shown", "/etc/issue", "/proc/sys", "/nor/this"] | .process.args = ["sh", "-c", $script]' \
        --arg rootfs "$rootfs" --arg script '
        echo "file: $(cat /secret | wc -c)"; echo "folder: $(ls -A /secrets | wc -l)"; echo "core: $(head -c 1 /proc/kcore | wc -c)"
        touch /secrets/x 2>/dev/null || echo "no file in the masked folder"
        touch /shown/x 2>/dev/null || echo "no file in the read-only folder"
        echo x 2>/dev/null >/etc/issue || echo "no change of the read-only file"
        echo x 2>/dev/null >/proc/sys/kernel/hostname || echo "no change of the sysctl"
        mount -o remount,rw /shown 2>/dev/null || echo "no way back"'
    run_container "$id" "$bundle"
    echo "$output"
    [ "$(grep -v "No such file" <<<"$output")" = 'file: 0
folder: 0
core: 0
no file in the masked folder
no file in the read-only folder
no change of the read-only file
no change of the sysctl
no way back' ]
    [ "$(cat "$rootfs/secret")" = secret ]
}

@test "masks stay when the container may mount" {
    run_script 'umount /proc/kcore; umount /proc/timer_list; echo "core: $(head -c 1 /proc/kcore 2>/dev/null | wc -c)"'
    [[ $output == *'core: 0' ]]
}

@test "cwd must lie in the root, and is entered as the task's user" {
    run_script pwd '.process.cwd = "/usr/bin"'
    [ "$output" = /usr/bin ]
    new_id
    local number
    for number in {3..14} 200; do
        make_bundle "$id" '.process.cwd = "/proc/self/fd/'"$number"'"'
        refused 'chdir to cwd' bash -c 'exec 3</ 4</etc 5</ 6</proc 7</ 8</ 200</ && exec "$@"' bash \
            timeout 60 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
    done
    own_rootfs a
    mkdir -m 700 "$rootfs/closed"
    make_bundle "$id" '.root.path = $rootfs | .process.cwd = "/closed" | .process.user = {uid: 1, gid: 1}' --arg rootfs "$rootfs"
    refused 'permission denied' mrun run --bundle "$bundle" "$id"
    # Nor does a link of the image lead out.
    ln -s /proc/self/fd/7 "$rootfs/link"
    make_bundle "$id" '.root.path = $rootfs | .process.cwd = "/link"' --arg rootfs "$rootfs"
    refused 'chdir to cwd' bash -c 'exec 7</ && exec "$@"' bash timeout 60 "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
}

# --- bind mounts and tmpfs ------------------------------------------------------------------------------------------

# sources: a folder and a file on the host, to be bound.
sources() {
    mkdir "$BATS_TEST_TMPDIR/source"
    echo 'of the host' >"$BATS_TEST_TMPDIR/source/file"
}

# bound OPTIONS TARGET SCRIPT: runs SCRIPT with the folder `source` (or what SOURCE says) bound to TARGET; a root that can
# be written.
bound() {
    rm -rf "$BATS_TEST_TMPDIR/rootfs-bound"
    own_rootfs bound
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", $script] | .mounts += [
        {destination: $target, type: "bind", source: $source, options: ($options | split(","))}]' \
        --arg rootfs "$rootfs" --arg script "$3" --arg target "$2" --arg options "$1" \
        --arg source "${SOURCE:-$BATS_TEST_TMPDIR/source}"
    run_container "$id" "$bundle"
}

@test "a bind mount shows a folder or a file of the host, read-only where that is asked for" {
    sources
    bound bind /mnt 'cat /mnt/file; echo x >/mnt/new'
    [ "$status" -eq 0 ]
    [ "$output" = 'of the host' ]
    [ "$(cat "$BATS_TEST_TMPDIR/source/new")" = x ]
    bound bind,ro /mnt 'cat /mnt/file; echo y >/mnt/new'
    [ "$status" -ne 0 ]
    [[ $output == 'of the host'*'Read-only file system'* ]]
    [ "$(cat "$BATS_TEST_TMPDIR/source/new")" = x ]
    SOURCE=$BATS_TEST_TMPDIR/source/file bound bind,ro /etc/issue 'cat /etc/issue; echo x >>/etc/issue'
    [[ $output == 'of the host'*'Read-only file system'* ]]
    [ "$(cat "$BATS_TEST_TMPDIR/source/file")" = 'of the host' ]
    bound bind,nosuid,nodev,noexec /mnt 'grep " /mnt " /proc/mounts'
    [[ $output == *nosuid,nodev,noexec* ]]
}

@test "the place of a bind mount is made where it is missing" {
    sources
    bound bind /a/b/c 'cat /a/b/c/file'
    [ "$output" = 'of the host' ]
    SOURCE=$BATS_TEST_TMPDIR/source/file bound bind /d/e/f 'cat /d/e/f'
    [ "$output" = 'of the host' ]
    # A source in the bundle may be relative to it.
    SOURCE=relative
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["cat", "/mnt/x"] |
        .mounts += [{destination: "/mnt", source: "inner", options: ["rbind"]}]' --arg rootfs "$rootfs"
    mkdir "$bundle/inner"
    echo inner >"$bundle/inner/x"
    run_container "$id" "$bundle"
    [ "$output" = inner ]
}

@test "a bind mount without its source, or of a file over a folder, fails and leaves nothing" {
    sources
    SOURCE=/nosuch/source bound bind /mnt true
    [ "$status" -eq 1 ]
    [[ $output == *'bind "/nosuch/source" on "/mnt"'*'No such file or directory'* ]]
    SOURCE=$BATS_TEST_TMPDIR/source/file bound bind /etc true
    echo "$output"
    [ "$status" -eq 1 ]
    [[ ${output,,} == *'not a directory'* ]] || [[ ${output,,} == *'is a directory'* ]]
    bound bind /etc/passwd true
    [ "$status" -eq 1 ]
    [[ ${output,,} == *'not a directory'* ]]
    [ -z "$(list_state "$ROOT")" ]
}

@test "rbind takes what is mounted below with it, bind does not, and rro reaches all of it" {
    in_private_mounts || return 0
    sources
    mkdir "$BATS_TEST_TMPDIR/source/sub"
    mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/source/sub"
    touch "$BATS_TEST_TMPDIR/source/sub/below"
    bound bind /mnt 'ls /mnt/sub'
    [ -z "$output" ]
    bound rbind /mnt 'ls /mnt/sub; touch /mnt/sub/x && echo written'
    [ "$output" = $'below\nwritten' ]
    bound rbind,ro /mnt 'touch /mnt/x 2>/dev/null || echo top is read-only; touch /mnt/sub/y && echo below is not'
    [ "$output" = $'top is read-only\nbelow is not' ]
    bound rbind,rro /mnt 'touch /mnt/x 2>/dev/null || echo top; touch /mnt/sub/y 2>/dev/null || echo below'
    [ "$output" = $'top\nbelow' ]
    umount "$BATS_TEST_TMPDIR/source/sub"
}

@test "what is mounted later reaches the container as far as the propagation says, and never the other way" {
    in_private_mounts || return 0
    mkdir "$BATS_TEST_TMPDIR/source"
    mount -t tmpfs --make-shared tmpfs "$BATS_TEST_TMPDIR/source"
    mkdir "$BATS_TEST_TMPDIR/source/sub"
    local word
    for word in rslave rprivate rshared; do
        start_script 'while [ ! -e /mnt/go ]; do sleep 0.05; done; ls /mnt/sub
            mkdir -p /mnt/own && mount -t tmpfs tmpfs /mnt/own; echo mounted; sleep 1000' \
            '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"]) | .mounts += [{destination: "/tmp", type: "bind",
                source: "'"$BATS_TEST_TMPDIR/source"'", options: ["rbind", "'$word'"]}] |
                .process.args[2] |= gsub("/mnt"; "/tmp")'
        mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/source/sub"
        touch "$BATS_TEST_TMPDIR/source/sub/later" "$BATS_TEST_TMPDIR/source/go"
        wait_until 5 output_has "$bundle" mounted
        if [ "$word" = rprivate ]; then run ! output_has "$bundle" later; else output_has "$bundle" later; fi
        run ! grep -q " $BATS_TEST_TMPDIR/source/own " /proc/self/mountinfo
        mrun delete --force "$id"
        umount "$BATS_TEST_TMPDIR/source/sub"
        rm "$BATS_TEST_TMPDIR/source/go"
    done
    umount "$BATS_TEST_TMPDIR/source"
}

@test "rootfsPropagation is what the root has in the end" {
    local word want
    for word in private slave shared unbindable rprivate rslave rshared; do
        case $word in
        *private) want='^-$' ;;
        *slave) want='^(-|master:[0-9]+)$' ;;
        *shared) want='^shared:[0-9]+$' ;;
        unbindable) want='^unbindable$' ;;
        esac
        run_script 'grep -E "^[0-9]+ [0-9]+ [^ ]+ [^ ]+ / " /proc/self/mountinfo | cut -d " " -f 7' \
            ".linux.rootfsPropagation = \"$word\""
        echo "$word: $output"
        [[ $output =~ $want ]]
    done
}

@test "a tmpfs has the size, the mode and the flags that were asked for" {
    run_script 'grep " /dev/shm " /proc/mounts; stat -c %a /dev/shm; head -c 200000 /dev/zero >/dev/shm/x || echo full' \
        '(.mounts[] | select(.destination == "/dev/shm")).options = ["nosuid", "noexec", "nodev", "mode=1750", "size=128k", "uid=5"]'
    [[ ${lines[0]} == *"rw,nosuid,nodev,noexec,relatime,size=128k,mode=1750,uid=5"* ]]
    [ "${lines[1]}" = 1750 ]
    [[ $output == *full* ]]
    new_id
    make_bundle "$id" '.mounts[1].options += ["size=nonsense"]'
    refused 'size' mrun run --bundle "$bundle" "$id"
    make_bundle "$id" '.mounts[1].options += ["nosuchoption"]'
    refused 'nosuchoption' mrun run --bundle "$bundle" "$id"
}

# --- images that mean harm ------------------------------------------------------------------------------------------

# victim: a folder of the host that must not change.
victim() {
    victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim" "$victim/sub"
    echo precious >"$victim/file"
    chmod 700 "$victim/sub"
    before=$(find "$victim" -printf '%p %y %m %U:%G %s %i\n' | sort)
}

# unharmed: fails when the victim has changed.
unharmed() {
    local after
    after=$(find "$victim" -printf '%p %y %m %U:%G %s %i\n' | sort)
    [ "$after" = "$before" ] || { diff <(echo "$before") <(echo "$after"); return 1; }
    [ "$(cat "$victim/file")" = precious ]
}

# links_to PATH: ways for a link at the top of a root to name a path of the host.
links_to() {
    printf '%s\n' "$1" "../../../../../../../../../..$1" "/proc/self/root$1" "/proc/1/root$1"
}

# in_time COMMAND...: it may fail or not, but must come back by itself, and neither crash.
in_time() {
    status=0
    output=$(timeout 20 "$@" 2>&1 </dev/null) || status=$?
    if [ "$status" -eq 124 ] || { [ "$status" -ge 128 ] && [ "$status" -ne 255 ]; }; then
        echo "exit status $status of: $*: $output" && return 1
    fi
}

@test "mounts on links of the image stay in the root" {
    victim
    sources
    local link target mount
    own_rootfs a
    while read -r link; do
        for target in /link /link/sub /link/new /link/new/deeper /link/file; do
            rm -rf "$rootfs/link"
            ln -s "$link" "$rootfs/link"
            for mount in '{type: "bind", source: ($source + "/source"), options: ["bind"]}' \
                '{type: "bind", source: ($source + "/source/file"), options: ["bind"]}' \
                '{type: "tmpfs", source: "tmpfs"}'; do
                new_id
                make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] |
                    .mounts += ['"$mount"' + {destination: $target}]' \
                    --arg rootfs "$rootfs" --arg target "$target" --arg source "$BATS_TEST_TMPDIR"
                in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
                unharmed
            done
        done
    done < <(links_to "$victim")
}

@test "masks, read-only paths and devices on links of the image stay in the root" {
    victim
    own_rootfs a
    local link
    while read -r link; do
        rm -rf "$rootfs/link"
        ln -s "$link" "$rootfs/link"
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] | .linux.maskedPaths = ["/link", "/link/sub", "/link/file"] |
            .linux.readonlyPaths = ["/link", "/link/file"]' --arg rootfs "$rootfs"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        unharmed
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] |
            .linux.devices = [{path: "/link/node", type: "c", major: 1, minor: 3}, {path: "/link/new/node", type: "p"}]' \
            --arg rootfs "$rootfs"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        unharmed
    done < <(links_to "$victim")
}

@test "an image whose /dev is a link gets nothing made in that folder of the host" {
    victim
    own_rootfs a
    local link filter
    while read -r link; do
        for filter in . 'del(.mounts[] | select(.destination | startswith("/dev")))' \
            'del(.mounts[] | select(.destination == "/dev"))'; do
            rm -rf "${rootfs:?}/dev"
            ln -s "$link" "$rootfs/dev"
            new_id
            make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] | '"$filter" --arg rootfs "$rootfs"
            in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
            unharmed
        done
    done < <(links_to "$victim")
}

@test "an image with another /dev/null cannot undo a mask, nor touch a file of the host" {
    victim
    own_rootfs a
    echo secret >"$rootfs/secret"
    local kind
    for kind in link-in-root link-to-host file missing folder fifo other-device; do
        rm -rf "${rootfs:?}/dev"
        mkdir "$rootfs/dev"
        case $kind in
        link-in-root) ln -s /secret "$rootfs/dev/null" ;;
        link-to-host) ln -s "$victim/file" "$rootfs/dev/null" ;;
        file) echo other >"$rootfs/dev/null" ;;
        missing) ;;
        folder) mkdir "$rootfs/dev/null" ;;
        fifo) mkfifo "$rootfs/dev/null" ;;
        other-device) mknod "$rootfs/dev/null" c 1 5 ;;
        esac
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["cat", "/secret", "/proc/kcore"] | .process.user = {uid: 1, gid: 1} |
            del(.mounts[] | select(.destination | startswith("/dev"))) | .linux.maskedPaths = ["/secret", "/proc/kcore"]' \
            --arg rootfs "$rootfs"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        echo "$kind: $status $output"
        [[ $output != *secret ]]
        # Either the masks are empty, or there is no container.
        [ -z "$output" ] || [ "$status" -ne 0 ]
        [ "$(cat "$rootfs/secret")" = secret ]
        [ "$(stat -c %u "$rootfs/secret")" -eq 0 ]
        unharmed
    done
}

@test "an image whose /proc or /sys is a link is refused" {
    own_rootfs a
    local path link
    for path in proc sys; do
        for link in /elsewhere elsewhere ../elsewhere "/dev/shm" "$BATS_TEST_TMPDIR"; do
            rm -rf "${rootfs:?}/$path"
            mkdir -p "$rootfs/elsewhere"
            ln -s "$link" "$rootfs/$path"
            new_id
            make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"]' --arg rootfs "$rootfs"
            refused "on \"/$path\"" mrun run --bundle "$bundle" "$id"
        done
        rm "$rootfs/$path"
        mkdir "$rootfs/$path"
    done
}

@test "nothing but a procfs is mounted on /proc, and nothing into it" {
    new_id
    local mount
    for mount in '{destination: "/proc", type: "tmpfs"}' '{destination: "/proc/self/attr", type: "tmpfs"}' \
        '{destination: "/proc/sys", type: "tmpfs"}' '{destination: "/proc/sys/kernel", type: "tmpfs"}' \
        '{destination: "/dev/../proc/self", type: "tmpfs"}' '{destination: "//proc//./1", type: "tmpfs"}' \
        '{destination: "/proc", type: "bind", source: "/tmp", options: ["bind"]}' \
        '{destination: "/proc/self/attr", type: "bind", source: "/tmp", options: ["bind"]}' \
        '{destination: "/proc/sys", type: "bind", source: "/tmp", options: ["rbind"]}' \
        '{destination: "/proc/1", type: "proc", source: "proc"}'; do
        make_bundle "$id" ".process.args = [\"true\"] | .mounts += [$mount]"
        refused '/proc' mrun run --bundle "$bundle" "$id"
    done
    # What lxcfs covers is fine.
    sources
    run_script 'cat /proc/uptime' '.mounts += [{destination: "/proc/uptime", type: "bind",
        source: "'"$BATS_TEST_TMPDIR/source/file"'", options: ["bind", "ro"]}]'
    [ "$output" = 'of the host' ]
}

@test "a link of the image does not lead a mount into /proc" {
    own_rootfs a
    ln -s /proc "$rootfs/link"
    local target
    for target in /link/self/attr /link/sys/kernel /link/1 /link/self; do
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", "cut -d \" \" -f 5 /proc/self/mountinfo"] |
            del(.linux.maskedPaths, .linux.readonlyPaths) | .mounts += [{destination: $target, type: "tmpfs"}]' \
            --arg rootfs "$rootfs" --arg target "$target"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        echo "$target: $status $output"
        [[ $output != */proc/* ]] || [ "$status" -ne 0 ]
    done
}

@test "a volume that changes under the runtime does not lead a mount out of the root" {
    command -v python3 >/dev/null || skip "needs python3"
    victim
    sources
    own_rootfs a
    mkdir -p "$BATS_TEST_TMPDIR/volume/folder"
    ln -s "../../../../../../../../../..$victim" "$BATS_TEST_TMPDIR/volume/link"
    # Exchanges a folder of a shared volume with a link to the victim, all the time.
    python3 -c 'import ctypes, sys
libc = ctypes.CDLL(None)
one, other = (sys.argv[1] + name for name in ("/folder", "/link"))
while libc.syscall(316, -100, one.encode(), -100, other.encode(), 2) == 0: pass' "$BATS_TEST_TMPDIR/volume" 3>&- &
    local attacker=$! round
    for ((round = 0; round < ${MRUN_ROUNDS:-25}; round++)); do
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] | .mounts += [
            {destination: "/volume", type: "bind", source: ($tmp + "/volume"), options: ["rbind"]},
            {destination: "/volume/folder/sub", type: "bind", source: ($tmp + "/source"), options: ["bind"]},
            {destination: "/volume/folder/new/file", type: "bind", source: ($tmp + "/source/file"), options: ["bind"]},
            {destination: "/volume/folder/tmp", type: "tmpfs"}]' --arg rootfs "$rootfs" --arg tmp "$BATS_TEST_TMPDIR"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        unharmed
    done
    kill -0 "$attacker"
    kill -KILL "$attacker"
}

# --- cgroups in the container ---------------------------------------------------------------------------------------

CGROUPS='.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}]'

@test "a cgroup mount shows the container's own cgroups, and cannot be written" {
    [ "$(cgroup_version)" -eq 1 ] || skip "looks at v1 hierarchies"
    local more
    for more in . '.linux.namespaces += [{type: "cgroup"}]'; do
        run_script 'cd /sys/fs/cgroup || exit 3
            echo "limit: $(cat memory/memory.limit_in_bytes)"
            echo "mine: $(grep -cx $$ freezer/cgroup.procs)"
            for d in memory freezer devices cpu unified .; do mkdir $d/x 2>/dev/null && echo "made $d/x"; done
            for f in memory/memory.limit_in_bytes devices/devices.allow freezer/cgroup.procs; do
                echo 1 2>/dev/null >$f && echo "wrote $f"; done
            find . -name release_agent; touch x 2>/dev/null && echo "wrote the tmpfs"; echo; ls' \
            "$CGROUPS | .linux.resources.memory.limit = 33554432 | $more"
        echo "$output"
        [ "$status" -eq 0 ]
        [ "${lines[0]}" = 'limit: 33554432' ]
        [ "${lines[1]}" = 'mine: 1' ]
        # What follows is the list of the hierarchies.
        [[ ${lines[2]} != made* ]] && [[ ${lines[2]} != wrote* ]] && [[ ${lines[2]} != */* ]]
        [[ $output == *$'\nmemory'* ]]
        # No other cgroup of the host is to be seen.
        [[ $output != *mrun* ]]
    done
}

@test "with a cgroup namespace the container is at the root of its cgroups" {
    run_script 'cat /proc/self/cgroup' '.linux.namespaces += [{type: "cgroup"}]'
    [ "$status" -eq 0 ]
    run ! grep -v ':/$' <<<"$output"
}

# --- the runtime itself ---------------------------------------------------------------------------------------------

# own_binary: a copy of mrun, in case that it is overwritten after all; sets `MRUN` and `sum`.
own_binary() {
    cp "$MRUN" "$BATS_TEST_TMPDIR/mrun"
    MRUN=$BATS_TEST_TMPDIR/mrun
    sum=$(sha256sum "$MRUN" && stat -c '%i %Y %Z %s' "$MRUN")
}

binary_is_whole() { [ "$(sha256sum "$MRUN" && stat -c '%i %Y %Z %s' "$MRUN")" = "$sum" ]; }

@test "the init of a container is no file of the host" {
    new_id
    make_bundle "$id" '.process.args = ["sleep", "1000"]'
    create_container "$id" "$bundle"
    [[ $(readlink "/proc/$(pid_of "$id")/exe") == '/memfd:'* ]]
    start_script 'sleep 1000' . --init
    [[ $(readlink "/proc/$(pid_of "$id")/exe") == '/memfd:'* ]]
    # It is sealed: not even root writes there.
    run ! sh -c "echo x >/proc/$(pid_of "$id")/exe"
}

@test "a container that executes /proc/self/exe gets nowhere near the binary" {
    own_binary
    own_rootfs a
    printf '#!/proc/self/exe\n' >"$rootfs/bin/again"
    chmod 755 "$rootfs/bin/again"
    local arguments
    for arguments in '["/proc/self/exe"]' '["/bin/again"]' '["/proc/1/exe"]' '["/proc/self/exe", "--version"]'; do
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = '"$arguments" --arg rootfs "$rootfs"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        [[ $output != *'mrun version'* ]]
        binary_is_whole
    done
    start_script 'sleep 1000' '.root = {path: "'"$rootfs"'"}'
    # What executes it is not in the container's pid namespace yet: its procfs has nothing to say of it.
    run -127 timeout 20 "$MRUN" --root "$ROOT" exec "$id" /proc/self/exe --version
    in_time "$MRUN" --root "$ROOT" exec "$id" /bin/again --version
    binary_is_whole
}

# watcher CAPABILITIES: a container that looks into every process that exec brings into it.
watcher() {
    start_script 'while :; do for p in /proc/[0-9]*; do
            exe=$(readlink $p/exe) || continue
            case $exe in /bin/busybox | "") continue ;; esac
            echo "exe $exe"
            for f in $p/fd/*; do echo "descriptor $(readlink $f)"; done
            # A process that has ended meanwhile shows nothing: the pattern comes back as it is.
            for place in root cwd; do
                [ -e $p/$place/bin/busybox ] && continue
                seen=$(echo $p/$place/*)
                [ "$seen" = "$p/$place/*" ] || echo "$place $seen"
            done
            # What cannot be written while it runs can be kept open until it has ended.
            (exec 9<$p/exe; for n in 1 2 3 4 5 6 7 8 9; do echo overwritten >/proc/self/fd/9 && break; usleep 2000; done)
        done 2>/dev/null; done' \
        "del(.linux.maskedPaths, .linux.readonlyPaths) | .process.capabilities |= map_values(. + $1)"
}

# many_execs: gives it something to see.
many_execs() {
    local round
    for ((round = 0; round < 30; round++)); do mrun exec "$id" true </dev/null >/dev/null 2>&1 || :; done
    sleep 0.2
    mrun kill "$id" KILL
    echo "seen: $(sort "$bundle/out" | uniq -c)"
}

@test "a container that lies in wait for exec sees nothing of the process that comes" {
    own_binary
    watcher '["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"]'
    many_execs
    binary_is_whole
    run ! grep -q -e '/mrun$' -e '^descriptor /' -e '^root' -e '^cwd' "$bundle/out"
}

@test "a container that may trace finds neither the binary nor the host's root in the process that exec brings" {
    own_binary
    watcher '["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]'
    many_execs
    binary_is_whole
    run ! grep -q -e '/mrun$' -e "^descriptor $BATS_RUN_TMPDIR/test" -e '^descriptor /sys' -e '^root' -e '^cwd' "$bundle/out"
}
