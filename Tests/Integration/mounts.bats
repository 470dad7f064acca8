#!/usr/bin/env bats
# The mounts of a config: every type and option, owners, propagation, and what lies in the way of a mount.

load helpers

setup_file() { make_rootfs; }
setup() {
    begin
    SOURCE=$BATS_TEST_TMPDIR/source
}
teardown() { finish; }

# mounted SCRIPT ENTRY... [-- FILTER]: runs SCRIPT in a root that can be written (the last one's `rootfs`, if there is one),
# with these `mounts` entries after the usual ones; $source in them is a folder of the host.
mounted() {
    local script=$1 entries='' filter=.
    shift
    while [ $# -gt 0 ]; do
        if [ "$1" = -- ]; then filter=$2 && break; fi
        entries+=" | .mounts += [$1]"
        shift
    done
    [ -n "${rootfs:-}" ] || own_rootfs mounted
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", $script]'"$entries | $filter" \
        --arg rootfs "$rootfs" --arg script "$script" --arg source "$SOURCE"
    run_container "$id" "$bundle"
    echo "$status: $output"
}

# refused_mount WORDS ENTRY [FILTER]: the same must fail with one line that has these words.
refused_mount() {
    [ -n "${rootfs:-}" ] || own_rootfs mounted
    new_id
    make_bundle "$id" ".root = {path: \$rootfs} | .process.args = [\"true\"] | .mounts += [$2] | ${3:-.}" \
        --arg rootfs "$rootfs" --arg source "$SOURCE"
    refused "$1" mrun run --bundle "$bundle" "$id"
    # shellcheck disable=SC2153 # the state root
    [ -z "$(list_state "$ROOT")" ]
}

# source_folder: a folder on the host with a file and a link in it.
source_folder() {
    mkdir "$SOURCE"
    echo 'of the host' >"$SOURCE/file"
    ln -s file "$SOURCE/link"
}

# options_of PLACE: the options of that mount, and those of its file system, as the container sees them.
options_of() { printf "awk '\$5 == \"%s\" { print \$6, \$NF }' /proc/self/mountinfo" "$1"; }

# --- option words ---------------------------------------------------------------------------------------------------

@test "every word that says how a mount is used has its effect, alone and for all below" {
    source_folder
    local pair word want
    for pair in ro:ro nosuid:rw,nosuid,relatime nodev:rw,nodev,relatime noexec:rw,noexec,relatime noatime:rw,noatime \
        strictatime:rw nodiratime:rw,nodiratime,relatime nosymfollow:rw,relatime,nosymfollow rw:rw,relatime \
        suid:rw,relatime dev:rw,relatime exec:rw,relatime relatime:rw,relatime atime:rw,relatime diratime:rw,relatime \
        symfollow:rw,relatime norelatime:rw,relatime nostrictatime:rw,relatime; do
        word=${pair%%:*} want=${pair#*:}
        [ "$word" != ro ] || want=ro,relatime
        mounted "$(options_of /a); $(options_of /b); $(options_of /c)" \
            '{destination: "/a", type: "tmpfs", source: "x", options: ["'"$word"'", "size=64k"]}' \
            '{destination: "/b", type: "bind", source: $source, options: ["bind", "relatime", "'"$word"'"]}' \
            '{destination: "/c", type: "bind", source: $source, options: ["rbind", "relatime", "r'"$word"'"]}'
        [[ ${lines[0]} == "$want "* ]]
        [[ ${lines[1]} == "$want "* ]]
        [[ ${lines[2]} == "$want "* ]]
    done
}

@test "a bind keeps the source's attributes, unless a word takes them away" {
    in_private_mounts || return 0
    mkdir "$SOURCE"
    mount -t tmpfs -o nosuid,nodev,noexec,noatime tmpfs "$SOURCE"
    mounted "$(options_of /a); $(options_of /b)" '{destination: "/a", source: $source, options: ["bind"]}' \
        '{destination: "/b", source: $source, options: ["bind", "suid", "dev", "exec", "relatime"]}'
    [[ ${lines[0]} == 'rw,nosuid,nodev,noexec,noatime '* ]]
    [[ ${lines[1]} == 'rw,relatime '* ]]
    umount "$SOURCE"
}

@test "recursive words reach what is mounted below, others do not" {
    in_private_mounts || return 0
    mkdir "$SOURCE"
    mount -t tmpfs tmpfs "$SOURCE" && mkdir "$SOURCE/sub" && mount -t tmpfs tmpfs "$SOURCE/sub"
    local word
    for word in rro rnosuid rnodev rnoexec rnoatime rnosymfollow; do
        mounted "$(options_of /a); $(options_of /a/sub)" '{destination: "/a", source: $source, options: ["rbind", "'$word'"]}'
        [[ ${lines[0]} == *"${word#r}"* ]]
        [[ ${lines[1]} == *"${word#r}"* ]]
        mounted "$(options_of /a); $(options_of /a/sub)" '{destination: "/a", source: $source, options: ["rbind", "'${word#r}'"]}'
        [[ ${lines[0]} == *"${word#r}"* ]]
        [[ ${lines[1]} != *"${word#r}"* ]]
    done
    mounted "$(options_of /a); $(options_of /a/sub)" '{destination: "/a", source: $source, options: ["rbind", "rro", "rw"]}'
    [[ ${lines[0]} == ro,* ]] && [[ ${lines[1]} == ro,* ]]
    umount -R "$SOURCE"
}

@test "flags and parameters of a file system, in one word or many, and words that change nothing" {
    mounted "$(options_of /a); stat -c %a /a" '{destination: "/a", type: "tmpfs", source: "x", options: ["sync", "dirsync", "lazytime",
        "mand", "", "defaults", "iversion", "noiversion", "silent", "loud", "size=64k,mode=700", "nr_inodes=9"]}'
    [[ ${lines[0]} == *'rw,sync,dirsync,mand,lazytime,size=64k,nr_inodes=9,mode=700'* ]]
    [ "${lines[1]}" = 700 ]
    mounted "$(options_of /a)" '{destination: "/a", type: "tmpfs", options: ["sync", "async", "lazytime", "nolazytime", "mand", "nomand"]}'
    [[ $output == 'rw,relatime rw'* ]] && [[ $output != *sync* ]] && [[ $output != *lazytime* ]] && [[ $output != *mand* ]]
    # What is said of a file system says nothing of a bind.
    source_folder
    mounted 'cat /a/file' '{destination: "/a", type: "bind", source: $source, options: ["rbind", "", "sync", "dirsync", "async", "defaults", "lazytime"]}'
    [ "$output" = 'of the host' ]
}

@test "words that mean nothing are refused, in the kernel's words where it is asked" {
    source_folder
    refused_mount "tmpfs: Unknown parameter 'nosuch'" '{destination: "/a", type: "tmpfs", options: ["nosuch"]}'
    refused_mount "tmpfs: Bad value for 'size'" '{destination: "/a", type: "tmpfs", options: ["size=many"]}'
    refused_mount '"nosuchfs" is no file system' '{destination: "/a", type: "nosuchfs"}'
    refused_mount '/mounts/6/type' '{destination: "/a", type: "none", source: "none"}'
    refused_mount '/mounts/6/options: "size=1"' '{destination: "/a", source: $source, options: ["bind", "size=1"]}'
    refused_mount 'tmpcopyup' '{destination: "/a", source: $source, options: ["bind", "tmpcopyup"]}'
}

@test "a label needs SELinux" {
    [ ! -e /sys/fs/selinux/enforce ] || skip "SELinux is active"
    refused_mount 'labels need SELinux' '{destination: "/a", type: "tmpfs", options: ["context=\"u:r:t:s0:c1,c2\""]}'
    refused_mount '/linux/mountLabel: SELinux is not active' '{destination: "/a", type: "tmpfs"}' '.linux.mountLabel = "u:r:t:s0"'
    mounted true '{destination: "/a", type: "tmpfs"}' -- '.linux.mountLabel = ""'
    [ "$status" -eq 0 ]
}

# --- places ---------------------------------------------------------------------------------------------------------

@test "a relative destination lies below the root, and the root itself is none" {
    mounted 'grep " /a/b " /proc/mounts' '{destination: "a/b", type: "tmpfs", source: "x"}'
    [[ $output == 'x /a/b tmpfs '* ]]
    local path
    for path in '' / . .. /a/..; do refused_mount 'is the root' '{destination: "'$path'", type: "tmpfs"}'; done
}

@test "a tmpfs has the mode of the folder that it hides, unless it has one of its own" {
    own_rootfs mounted
    mkdir -m 1750 "$rootfs/there"
    mounted 'stat -c %a /there /own /new' '{destination: "/there", type: "tmpfs"}' \
        '{destination: "/own", type: "tmpfs", options: ["mode=711"]}' '{destination: "/new", type: "tmpfs"}'
    [ "$output" = $'1750\n711\n1777' ]
}

@test "what is to be read-only can still hold the places of other mounts" {
    mounted 'touch /a/x; touch /a/b/c/x && echo below; touch /dev/x; [ -c /dev/null ] && echo device' \
        '{destination: "/a", type: "tmpfs", options: ["ro"]}' '{destination: "/a/b/c", type: "tmpfs"}' -- \
        '(.mounts[] | select(.destination == "/dev")).options += ["ro"]'
    [ "$(grep -c 'Read-only file system' <<<"$output")" -eq 2 ]
    [[ $output == *below* ]] && [[ $output == *device* ]]
}

@test "a root that is read-only gets its mounts nevertheless" {
    source_folder
    mounted 'cat /a/b/file; touch /x; touch /t/x && echo writes' \
        '{destination: "/a/b", source: $source, options: ["bind"]}' '{destination: "/t", type: "tmpfs"}' -- '.root.readonly = true'
    [[ $output == *'of the host'* ]] && [[ $output == *'Read-only file system'* ]] && [[ $output == *writes* ]]
}

@test "a link as the source is followed, bound itself, or made again" {
    source_folder
    own_rootfs mounted
    mounted 'cat /f; readlink /f' '{destination: "/f", source: ($source + "/link"), options: ["bind"]}'
    [ "$output" = 'of the host' ]
    mounted 'readlink /g' '{destination: "/g", source: ($source + "/link"), options: ["bind", "src-nofollow"]}'
    [ "$output" = file ]
    mounted 'readlink /deep/h; grep -c /h /proc/mounts' '{destination: "/deep/h", source: ($source + "/link"), options: ["bind", "copy-symlink"]}'
    [ "$output" = $'file\n0' ]
    # Once more, now that it is there.
    mounted 'readlink /deep/h' '{destination: "/deep/h", source: ($source + "/link"), options: ["bind", "copy-symlink"]}'
    [ "$output" = file ]
    refused_mount 'something else' '{destination: "/etc/passwd", source: ($source + "/link"), options: ["bind", "copy-symlink"]}'
    # What is no link is bound.
    mounted 'cat /i' '{destination: "/i", source: ($source + "/file"), options: ["bind", "copy-symlink"]}'
    [ "$output" = 'of the host' ]
}

@test "a link as the place is followed inside the root, or covered itself" {
    source_folder
    own_rootfs mounted
    echo 'of the image' >"$rootfs/target"
    ln -s /target "$rootfs/link"
    mounted 'cat /link /target; readlink /link' '{destination: "/link", source: ($source + "/file"), options: ["bind"]}'
    [ "$output" = $'of the host\nof the host\n/target' ]
    mounted 'cat /link /target; readlink /link' '{destination: "/link", source: ($source + "/file"), options: ["bind", "dest-nofollow"]}'
    [ "$output" = $'of the host\nof the image' ]
}

@test "remount changes what is there: the mount, or with parameters the file system" {
    mounted "$(options_of /a); $(options_of /dev/shm)" '{destination: "/a", type: "tmpfs", source: "x", options: ["size=64k"]}' \
        '{destination: "/a", type: "tmpfs", options: ["remount", "ro", "nosuid", "size=128k"]}' \
        '{destination: "/dev/shm", options: ["remount", "bind", "ro"]}'
    [[ ${lines[0]} == 'ro,nosuid,relatime rw,size=128k'* ]]
    [[ ${lines[1]} == 'ro,nosuid,nodev,noexec,relatime rw,size=65536k'* ]]
    refused_mount 'nothing is mounted there' '{destination: "/etc", options: ["remount", "bind", "ro"]}'
    refused_mount 'nothing is mounted there' '{destination: "/etc", type: "tmpfs", options: ["remount", "size=1m"]}'
    refused_mount 'No such file' '{destination: "/nosuch", options: ["remount", "ro"]}'
}

# --- copying up -----------------------------------------------------------------------------------------------------

@test "tmpcopyup begins a tmpfs with all that the image has there" {
    own_rootfs mounted
    local cu=$rootfs/cu show
    mkdir -p "$cu/deep/er" "$cu/other"
    echo text >"$cu/deep/er/file" && ln "$cu/deep/er/file" "$cu/hard" && ln -s /nowhere "$cu/link"
    mkfifo "$cu/fifo" && mknod "$cu/node" c 1 3 && truncate -s 100M "$cu/holes" && echo end >>"$cu/holes"
    chown 5:6 "$cu/deep/er/file" && chmod 4711 "$cu/deep/er/file" && chown -h 7:8 "$cu/link" "$cu/fifo" && chmod 2770 "$cu/other"
    touch -d 2001-02-03 "$cu/deep/er/file" "$cu/deep/er" "$cu/deep" && touch -h -d 2002-03-04 "$cu/link" "$cu/fifo" "$cu/node"
    chmod 1755 "$cu" && touch -d 2003-04-05 "$cu"
    # busybox and coreutils agree on these.
    show='find . | sort | while read -r f; do stat -c "%n %f %u:%g %h %Y %t:%T" "$f"; [ -d "$f" ] || stat -c "%n %s" "$f"; done; tail -c 4 holes'
    mounted "cd /cu && $show; cat deep/er/file; du -k holes | cut -f 1; touch x && echo writes" \
        '{destination: "/cu", type: "tmpfs", options: ["tmpcopyup", "size=10m"]}' -- \
        '.process.capabilities |= map_values(. + ["CAP_DAC_OVERRIDE"])'
    [ "$output" = "$(cd "$cu" && eval "$show")"$'\ntext\n4\nwrites' ]
    [ ! -e "$cu/x" ]
    # Read-only afterwards; a place that is missing, or behind a link, is no obstacle.
    ln -s cu "$rootfs/lnk"
    mounted 'tail -c 4 /cu/holes; touch /cu/x; ls -A /new; mount | grep -c " /cu "' \
        '{destination: "/lnk", type: "tmpfs", options: ["tmpcopyup", "ro"]}' '{destination: "/new", type: "tmpfs", options: ["tmpcopyup"]}'
    [[ $output == $'end\n'*'Read-only file system'*$'\n1' ]]
    mounted 'stat -c %a:%u /cu' '{destination: "/cu", type: "tmpfs", options: ["tmpcopyup", "mode=700", "uid=9"]}'
    [ "$output" = 700:9 ]
}

@test "tmpcopyup keeps extended attributes" {
    command -v setcap >/dev/null || skip "needs setcap"
    own_rootfs mounted
    mkdir "$rootfs/cu" && cp "$rootfs/bin/busybox" "$rootfs/cu/tool" && setcap cap_net_raw+ep "$rootfs/cu/tool"
    [ -n "$(getcap "$rootfs/cu/tool")" ] || skip "no capabilities on files here"
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sleep", "1000"] |
        .mounts += [{destination: "/cu", type: "tmpfs", options: ["tmpcopyup"]}]' --arg rootfs "$rootfs"
    detach_container "$id" "$bundle"
    [[ $(getcap "/proc/$(pid_of "$id")/root/cu/tool") == *cap_net_raw=ep ]]
}

@test "tmpcopyup of a tree that leads to the host copies the links, and no more than fits" {
    own_rootfs mounted
    mkdir "$rootfs/cu" "$BATS_TEST_TMPDIR/victim"
    echo secret >"$BATS_TEST_TMPDIR/victim/secret"
    ln -s "$BATS_TEST_TMPDIR/victim" "$rootfs/cu/folder" && ln -s "$BATS_TEST_TMPDIR/victim/secret" "$rootfs/cu/file"
    mounted 'cat /cu/folder/secret /cu/file 2>/dev/null; ls /cu; readlink /cu/file' '{destination: "/cu", type: "tmpfs", options: ["tmpcopyup"]}'
    [ "$output" = $'file\nfolder\n'"$BATS_TEST_TMPDIR/victim/secret" ]
    head -c 200000 /dev/zero >"$rootfs/cu/large"
    refused_mount 'No space left' '{destination: "/cu", type: "tmpfs", options: ["tmpcopyup", "size=100k"]}'
    rm -rf "$rootfs/cu" && ln -s "$BATS_TEST_TMPDIR/victim" "$rootfs/cu"
    mounted 'ls /cu' '{destination: "/cu", type: "tmpfs", options: ["tmpcopyup"]}'
    [ -z "$output" ] || [ "$status" -ne 0 ]
}

# --- owners ---------------------------------------------------------------------------------------------------------

MAPS='uidMappings: [{containerID: 1000, hostID: 5, size: 1}, {containerID: 0, hostID: 0, size: 5}],
    gidMappings: [{containerID: 2000, hostID: 6, size: 1}, {containerID: 0, hostID: 0, size: 5}]'

@test "the owners of a bind mount are mapped as its entry says, both ways" {
    source_folder
    chown 1000:2000 "$SOURCE/file"
    local word
    for word in '' '"idmap",' '"ridmap",'; do
        mounted 'stat -c %u:%g /a/file /b/file; touch /a/new && chown 5:6 /a/new && stat -c %u:%g /a/new' \
            '{destination: "/a", source: $source, options: ['"$word"' "rbind"], '"$MAPS"'}' \
            '{destination: "/b", source: $source, options: ["rbind"]}' -- '.process.capabilities |= map_values(. + ["CAP_CHOWN"])'
        [ "$output" = $'5:6\n1000:2000\n5:6' ]
        [ "$(stat -c %u:%g "$SOURCE/new")" = 1000:2000 ]
        rm "$SOURCE/new"
    done
    # Ids outside of the ranges belong to nobody.
    chown 999:999 "$SOURCE/file"
    mounted 'stat -c %u:%g /a/file' '{destination: "/a", source: $source, options: ["bind"], '"$MAPS"'}'
    [ "$output" = 65534:65534 ]
    [ -z "$(pgrep -P $$ mrun || :)" ]
}

@test "the owners of a bind mount are mapped as its option says, as crun has it" {
    source_folder
    chown 1000:2000 "$SOURCE/file"
    mounted 'stat -c %u:%g /a/file /b' '{destination: "/a", source: $source,
        options: ["bind", "idmap=uids=1000-7-1#0-0-1;gids=2000-8-3"], '"$MAPS"'}' \
        '{destination: "/b", source: ($source + "/file"), options: ["bind", "ro", "idmap=uids=0-1-2000;gids=0-1-3000"]}'
    [ "$output" = $'7:8\n1001:2001' ]
    refused_mount '/mounts/6/options/1: "1-2"' '{destination: "/a", source: $source, options: ["bind", "idmap=uids=1-2;gids=0-0-1"]}'
    refused_mount "the container's user namespace" '{destination: "/a", source: $source, options: ["bind", "idmap"]}'
    refused_mount '/mounts/6/uidMappings' '{destination: "/a", source: $source, options: ["bind"],
        uidMappings: [{containerID: 0, hostID: 0, size: 1}]}'
    refused_mount 'only bind mounts' '{destination: "/a", type: "tmpfs", '"$MAPS"'}'
    # A file system that knows no owners of its own.
    refused_mount 'cannot be mounted with mapped owners' '{destination: "/a", source: "/proc/sys", options: ["bind"], '"$MAPS"'}'
}

@test "owners are mapped below as well only where that is asked for" {
    in_private_mounts || return 0
    source_folder
    mkdir "$SOURCE/sub" && mount -t tmpfs tmpfs "$SOURCE/sub"
    touch "$SOURCE/sub/file" && chown 1000:2000 "$SOURCE/file" "$SOURCE/sub/file"
    mounted 'stat -c %u:%g /a/file /a/sub/file' '{destination: "/a", source: $source, options: ["rbind", "idmap"], '"$MAPS"'}'
    [ "$output" = $'5:6\n1000:2000' ]
    mounted 'stat -c %u:%g /a/file /a/sub/file' '{destination: "/a", source: $source, options: ["rbind", "ridmap"], '"$MAPS"'}'
    [ "$output" = $'5:6\n5:6' ]
    umount "$SOURCE/sub"
}

# In a user namespace whose ids begin at 100000 on the host.
USER='.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] |
    .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}]'

@test "in a user namespace idmap shows the owners as that maps them" {
    source_folder
    chown 0:7 "$SOURCE/file"
    chmod 777 "$SOURCE"
    own_rootfs mounted
    # The container's root may make nothing in there.
    mkdir "$rootfs/a" "$rootfs/b" "$rootfs/c"
    mounted 'stat -c %u:%g /a/file /b/file /c/file; touch /a/new; stat -c %u:%g /a/new' \
        '{destination: "/a", source: $source, options: ["bind", "idmap"]}' '{destination: "/b", source: $source, options: ["bind"]}' \
        '{destination: "/c", source: $source, options: ["bind", "idmap=uids=@0-5-1;gids=@7-6-1"]}' -- "$USER"
    [ "$output" = $'0:7\n65534:65534\n5:6\n0:0' ]
    [ "$(stat -c %u:%g "$SOURCE/new")" = 0:0 ]
    refused_mount "user namespace has no id 1000" '{destination: "/a", source: $source, options: ["bind", "idmap=uids=@0-1000-1;gids=0-0-1"]}' "$USER"
    # A folder that the container's root could not even get to.
    chmod 700 "$BATS_TEST_TMPDIR"
    mounted 'stat -c %u:%g /a/file' '{destination: "/a", source: $source, options: ["bind", "idmap"]}' -- "$USER"
    [ "$output" = 0:7 ]
    # The same in one that is joined.
    start_script 'sleep 1000' "$USER"
    local pid
    pid=$(pid_of "$id")
    mounted 'stat -c %u:%g /a/file' '{destination: "/a", source: $source, options: ["bind", "idmap"]}' -- \
        '.linux.namespaces += [{type: "user", path: "/proc/'"$pid"'/ns/user"}]'
    [ "$output" = 0:7 ]
}

@test "in a user namespace the host's views stand in for what it may not have" {
    own_rootfs mounted
    local -r interfaces=$(find /sys/class/net -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')
    mounted 'ls /sys/class/net | sort | tr "\n" " "; touch /sys/x 2>/dev/null || echo " closed"' -- \
        "$USER | del(.linux.namespaces[] | select(.type == \"network\"))"
    [ "$output" = "$interfaces closed" ]
    # The terminals' group is none of its groups.
    mounted 'ls /dev/pts; echo x >/dev/null && stat -c %t:%T /dev/null' -- "$USER | .linux.gidMappings[0].size = 3"
    [ "$output" = $'ptmx\n1:3' ]
}

# --- propagation ----------------------------------------------------------------------------------------------------

# reaches FILTER [OPTION...]: whether what the container mounts in a shared volume is seen on the host, with rootfsPropagation
# and the like by FILTER; afterwards the host's mounts must be what they were.
reaches() {
    local filter=$1 options result=1 before
    shift
    options=$(printf ', "%s"' "$@")
    before=$(grep -cv " $SOURCE/own " /proc/self/mountinfo)
    start_script 'mount -t tmpfs tmpfs /tmp/own && touch /tmp/own/inside && echo mounted; sleep 1000' '.process.capabilities |=
        map_values(. + ["CAP_SYS_ADMIN"]) | .mounts += [{destination: "/tmp", type: "bind", source: "'"$SOURCE"'", options: ["rbind"'"$options"']}] |
        '"$filter"
    wait_until 5 output_has "$bundle" mounted
    [ ! -e "$SOURCE/own/inside" ] || result=0
    mrun delete --force "$id"
    umount "$SOURCE/own" 2>/dev/null || :
    [ "$(grep -c '' /proc/self/mountinfo)" -eq "$before" ] || { echo "the host's mounts have changed" && exit 1; }
    return "$result"
}

@test "what a container mounts reaches the host where root and mount are shared, and nowhere else" {
    in_private_mounts || return 0
    mkdir "$SOURCE" && mount -t tmpfs --make-shared tmpfs "$SOURCE" && mkdir "$SOURCE/own"
    reaches '.linux.rootfsPropagation = "rshared"' rshared
    reaches '.linux.rootfsPropagation = "shared"' rshared
    reaches '.linux.rootfsPropagation = "rshared"' shared
    reaches '.linux.rootfsPropagation = "rshared"'
    run ! reaches .
    run ! reaches . rshared
    # One that the parent opens, for its owners' sake, is no other.
    run ! reaches ".mounts[-1] += {$MAPS}"
    run ! reaches '.linux.rootfsPropagation = "rslave"' rshared
    run ! reaches '.linux.rootfsPropagation = "rshared" | '"$USER" rshared
    run ! reaches '.linux.rootfsPropagation = "rprivate"' rshared
    run ! reaches '.linux.rootfsPropagation = "rshared"' rprivate
    run ! reaches '.linux.rootfsPropagation = "rshared"' rslave
    umount "$SOURCE"
}

@test "a shared root neither shows nor takes from the host what is mounted in it" {
    in_private_mounts || return 0
    # All of the host is shared, as systemd has it.
    mount --make-rshared /
    own_rootfs shared
    mkdir "$rootfs/late"
    local before word
    before=$(sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | sort)
    for word in rshared shared rslave slave private unbindable runbindable; do
        start_script 'mount -t tmpfs tmpfs /tmp && umount /dev/shm && echo mounted; sleep 1000' '.process.capabilities |=
            map_values(. + ["CAP_SYS_ADMIN"]) | .linux.rootfsPropagation = "'$word'" | .root = {path: "'"$rootfs"'"}'
        wait_until 5 output_has "$bundle" mounted
        # Nor does it get what the host mounts in its folder.
        mount -t tmpfs tmpfs "$rootfs/late"
        run ! grep -q ' /late ' "/proc/$(pid_of "$id")/mountinfo"
        umount "$rootfs/late"
        [ "$(sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | sort)" = "$before" ]
        mrun delete --force "$id"
        [ "$(sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | sort)" = "$before" ]
    done
    mount --make-rprivate /
}

@test "a mount has the propagation of its words, whatever the root's is" {
    in_private_mounts || return 0
    mkdir "$SOURCE" && mount -t tmpfs --make-shared tmpfs "$SOURCE"
    local case root word want
    # shellcheck disable=SC2016 # for the shell in the container
    for case in :private:- :slave:master :shared:'shared master' :unbindable:unbindable :rprivate:- :rslave:master :rshared:'shared master' \
        :runbindable:unbindable rshared:rprivate:- rshared:rslave:master rshared:rshared:shared rslave:rshared:'shared master' \
        rslave:rprivate:- rprivate:rshared:shared runbindable:rshared:shared; do
        IFS=: read -r root word want <<<"$case"
        mounted 'grep " /a " /proc/self/mountinfo | sed "s/.*relatime \(.*\) - .*/\1/; s/.*relatime - .*/-/; s/:[0-9]*//g"' \
            '{destination: "/a", source: $source, options: ["rbind", "'"$word"'"]}' -- \
            "if \"$root\" == \"\" then . else .linux.rootfsPropagation = \"$root\" end"
        [ "$output" = "$want" ] || { echo "$case" && return 1; }
    done
    mounted 'grep -c " /a .* shared:.* master:" /proc/self/mountinfo' '{destination: "/a", source: $source, options: ["rbind", "rslave", "rshared"]}'
    [ "$output" = 1 ]
    umount "$SOURCE"
}

# --- file systems of the kernel -------------------------------------------------------------------------------------

@test "devpts, with options and without, is one of the container's own" {
    local options
    for options in '[]' '["newinstance"]' '["newinstance", "ptmxmode=0666", "mode=0620"]' '["gid=5", "ptmxmode=0666"]'; do
        mounted 'ls /dev/pts; stat -c %t:%T /dev/pts/ptmx; [ -e /dev/ptmx ] && echo there' -- \
            "(.mounts[] | select(.destination == \"/dev/pts\")).options = $options"
        [ "$output" = $'ptmx\n5:2\nthere' ]
    done
}

@test "sysfs without a network namespace shows the host's, mqueue that of the ipc namespace that is joined" {
    local -r interfaces=$(find /sys/class/net -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')
    run_script 'ls /sys/class/net | sort | tr "\n" " "' 'del(.linux.namespaces[] | select(.type == "network"))'
    [ "$output" = "$interfaces" ]
    start_script 'mkdir -p /dev/mqueue; : >/dev/mqueue/one; sleep 1000' '.root.readonly = false'
    wait_until 5 mrun exec "$id" test -e /dev/mqueue/one
    local pid
    pid=$(pid_of "$id")
    run_script 'ls /dev/mqueue' '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/'"$pid"'/ns/ipc" else . end)'
    [ "$output" = one ]
    run_script 'ls /dev/mqueue'
    [ -z "$output" ]
}

@test "an overlay, also of folders with long paths" {
    local deep
    deep=$BATS_TEST_TMPDIR/$(printf 'x%.0s' {1..200})/$(printf 'y%.0s' {1..100})
    mkdir -p "$deep/one" "$deep/two" "$deep/upper" "$deep/work" "$BATS_TEST_TMPDIR/short" "$BATS_TEST_TMPDIR/a,b"
    echo 1 >"$deep/one/one" && echo 2 >"$deep/two/two" && echo 3 >"$BATS_TEST_TMPDIR/short/three" && echo 4 >"$BATS_TEST_TMPDIR/a,b/four"
    mount_overlay() {
        mounted 'cat /o/*; touch /o/new && echo writes' '{destination: "/o", type: "overlay", source: "overlay", options: ['"$1"']}'
        if grep -q 'overlay.*Invalid argument' <<<"$output"; then skip "no overlay on this file system"; fi
    }
    mount_overlay '"lowerdir='"$BATS_TEST_TMPDIR"'/short", "upperdir='"$deep"'/upper,workdir='"$deep"'/work"'
    [ "$output" = $'3\nwrites' ]
    [ -e "$deep/upper/new" ] && rm "$deep/upper/new"
    mount_overlay '"lowerdir='"$deep/one:$deep/two:$BATS_TEST_TMPDIR"'/short,upperdir='"$deep"'/upper,workdir='"$deep"'/work"'
    [ "$output" = $'1\n3\n2\nwrites' ]
    mount_overlay '"lowerdir='"$BATS_TEST_TMPDIR/a\\\\,b:$BATS_TEST_TMPDIR"'/short"'
    [[ $output == $'4\n3\n'*'Read-only file system'* ]]
}

@test "a cgroup mount in a cgroup namespace begins at the container's cgroups" {
    [ "$(cgroup_version)" -eq 1 ] || skip "looks at v1 hierarchies"
    local mount='.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}]'
    run_script 'grep " /sys/fs/cgroup" /proc/self/mountinfo | cut -d " " -f 4,5,6; cat /sys/fs/cgroup/memory/memory.limit_in_bytes
        cat /sys/fs/cgroup/systemd/cgroup.procs | grep -cx $$' \
        "$mount | .linux.resources.memory.limit = 33554432 | .linux.namespaces += [{type: \"cgroup\"}]"
    echo "$output"
    [[ ${lines[0]} == '/ /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime' ]]
    [[ $output == *'/ /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime'* ]]
    [ "$(grep -c '^/[^ ]' <<<"$output")" -eq 0 ]
    [[ $output == *33554432* ]]
    # In one that is joined it begins where that does, and not at the container's own.
    start_script 'sleep 1000' '.linux.namespaces += [{type: "cgroup"}] | .linux.resources.memory.limit = 44040192'
    local pid
    pid=$(pid_of "$id")
    run_script 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes' \
        "$mount | .linux.namespaces += [{type: \"cgroup\", path: \"/proc/$pid/ns/cgroup\"}]"
    [ "$output" = 44040192 ]
}

# --- devices and masks ----------------------------------------------------------------------------------------------

@test "nothing is made in a /dev that is the host's" {
    mkdir "$SOURCE"
    mounted 'ls -A /dev; [ -c /x ] && echo device' '{destination: "/dev", type: "bind", source: $source, options: ["rbind"]}' -- \
        '.mounts |= map(select(.destination | startswith("/dev/") | not)) | .mounts |= map(select(.destination != "/dev" or .type == "bind")) |
        .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229}, {path: "/x", type: "c", major: 1, minor: 3}]'
    [ "$output" = device ]
    [ -z "$(ls -A "$SOURCE")" ]
}

@test "without the privilege to make nodes the host's devices are bound, and no others" {
    own_rootfs mounted
    new_id
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", $script] | .linux.devices = [{path: "/dev/pipe", type: "p"}]' \
        --arg rootfs "$rootfs" --arg script 'stat -c "%n %t:%T" /dev/null /dev/tty; cut -d " " -f 5 /proc/self/mountinfo | grep -c "^/dev/[nzfrut][a-z]*$"
            echo x >/dev/null && [ -p /dev/pipe ] && echo works'
    run setpriv --bounding-set -mknod --inh-caps -mknod "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id" </dev/null
    echo "$output"
    [ "$output" = $'/dev/null 1:3\n/dev/tty 5:0\n6\nworks' ]
    make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["true"] | .linux.devices = [{path: "/dev/zero", type: "c", major: 1, minor: 3}]' \
        --arg rootfs "$rootfs"
    refused 'is not the device' setpriv --bounding-set -mknod --inh-caps -mknod "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
}

@test "devices that cannot be are refused with their place" {
    new_id
    local device
    for device in '{path: "/dev/x", type: "p", major: 1, minor: 0}' '{path: "/dev/x", type: "c", major: 4096, minor: 0}' \
        '{path: "/dev/x", type: "c", major: 1}' '{path: "/", type: "c", major: 1, minor: 3}' '{path: "/dev/../../x", type: "c", major: 1, minor: 3}' \
        '{path: "dev/x", type: "c", major: 1, minor: 3}' '{path: "/dev/x", type: "x", major: 1, minor: 3}'; do
        make_bundle "$id" ".linux.devices = [$device]"
        refused '/linux/devices/0' mrun create --bundle "$bundle" "$id"
    done
}

@test "all masked folders are one file system, which nobody can write" {
    own_rootfs mounted
    mkdir "$rootfs/one" "$rootfs/two" && touch "$rootfs/one/x" "$rootfs/file"
    mounted 'stat -c "%d" /one /two; ls -A /one /two; mount -o remount,rw /one; touch /one/x; wc -c </file' -- \
        '.linux.maskedPaths = ["/one", "/two", "/file"] | .process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
    [ "${lines[0]}" = "${lines[1]}" ]
    # A second file would need a second inode, of which there is none.
    [[ $output == *'No space left on device'* ]]
    [ "${lines[-1]}" = 0 ]
}

# --- images and volumes that mean harm ------------------------------------------------------------------------------

# victim: a folder of the host that must not change, and whose secret must not be seen.
victim() {
    victim=$BATS_TEST_TMPDIR/victim
    mkdir "$victim" "$victim/sub"
    echo secret >"$victim/file"
    before=$(find "$victim" -printf '%p %y %m %U:%G %s %i %T@\n' | sort)
}

unharmed() {
    [ "$(find "$victim" -printf '%p %y %m %U:%G %s %i %T@\n' | sort)" = "$before" ] || return 1
    [[ $output != *secret* ]]
}

# in_time COMMAND...: it may fail or not, but must come back by itself, and not crash.
in_time() {
    status=0
    output=$(timeout 20 "$@" 2>&1 </dev/null) || status=$?
    if [ "$status" -eq 124 ] || [ "$status" -ge 128 ]; then echo "exit status $status of: $*: $output" && return 1; fi
}

# entries PATH: mounts of every kind whose way leads through PATH.
entries() {
    jq -nc --arg path "$1" --arg source "$SOURCE" '$path | (
        {destination: (., . + "/sub", . + "/new/er"), type: "tmpfs", options: (["tmpcopyup"], ["ro"], [])},
        {destination: (. + "/made", . + "/sub/made", . + "/new/made"), source: ($source + "/link"), options: ["bind", "copy-symlink"]},
        {destination: (., . + "/file", . + "/new"), source: ($source + "/file"), options: (["bind"], ["bind", "dest-nofollow"])},
        {destination: (., . + "/sub"), options: ["remount", "bind", "ro"]},
        {destination: ., type: "cgroup", source: "cgroup"})'
}

@test "links of the image lead no kind of mount out of the root, and show nothing of the host" {
    victim
    source_folder
    own_rootfs mounted
    local link entry
    for link in "$victim" "../../../../../../../../../..$victim" "/proc/self/root$victim" "/proc/1/root$victim"; do
        while read -r entry; do
            rm -rf "${rootfs:?}/link" && ln -s "$link" "$rootfs/link"
            new_id
            make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", "cat /link/* /link/*/*"] | .mounts += [$entry]' \
                --arg rootfs "$rootfs" --argjson entry "$entry"
            in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
            unharmed || { echo "$link $entry: $output" && return 1; }
        done < <(entries /link)
    done
}

@test "a volume that changes under the runtime leads no kind of mount, device or mask out of the root" {
    command -v python3 >/dev/null || skip "needs python3"
    victim
    source_folder
    own_rootfs mounted
    local volume=$BATS_TEST_TMPDIR/volume attacker round
    mkdir -p "$volume/folder/sub" "$volume/parent/deep/sub" && touch "$volume/folder/file"
    ln -s "../../../../../../../../../..$victim" "$volume/link" && ln -s "../../../../../../../../../..$victim" "$volume/other"
    # Exchanges folders of the volume with links to the victim, all the time.
    python3 -c 'import ctypes, sys
libc = ctypes.CDLL(None)
pairs = [[(sys.argv[1] + name).encode() for name in pair] for pair in (("/folder", "/link"), ("/parent", "/other"))]
while all(libc.syscall(316, -100, one, -100, other, 2) == 0 for one, other in pairs): pass' "$volume" 3>&- &
    attacker=$!
    for ((round = 0; round < ${MRUN_ROUNDS:-25}; round++)); do
        new_id
        make_bundle "$id" '.root = {path: $rootfs} | .process.args = ["sh", "-c", "cat /volume/*/* /volume/*/*/*"] |
            .mounts += [{destination: "/volume", source: $volume, options: ["rbind"]}] + $entries[$round:$round + 1] |
            if $round % 3 == 0 then .linux.devices = [{path: "/volume/folder/node", type: "c", major: 1, minor: 3}, {path: "/volume/parent/deep/er/pipe", type: "p"}] else . end |
            if $round % 3 == 1 then .linux.maskedPaths = ["/volume/folder/file", "/volume/folder", "/volume/parent/deep"] else . end |
            if $round % 3 == 2 then .linux.readonlyPaths = ["/volume/folder", "/volume/parent/deep/sub"] else . end' \
            --arg rootfs "$rootfs" --arg volume "$volume" --argjson round "$round" \
            --argjson entries "$({ entries /volume/folder && entries /volume/parent/deep; } | jq -sc '. + . + .')"
        in_time "$MRUN" --root "$ROOT" run --bundle "$bundle" "$id"
        unharmed || { echo "round $round: $output" && kill -KILL "$attacker" && return 1; }
    done
    kill -0 "$attacker"
    kill -KILL "$attacker"
}
