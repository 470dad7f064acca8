#!/bin/bash
# Builds, installs, shows and tests mrun. Say `./install.sh help`.
set -euo pipefail

usage() {
    cat <<'END'
usage: ./install.sh [COMMAND] [OPTION...]

  install    build mrun and install it (the default)
               --prefix DIR   where to (default: /usr/local)
  uninstall  remove just what `install` put there
               --prefix DIR   the same as for `install`
  demo       build mrun and run a Mesos task with it, step by step (needs root)
  test       build mrun and run all its tests (needs root)
               [unit|init|integration|vm]...   only these
  help       this text

Each command installs what it needs and is missing, by apt-get (as root or through sudo), and nothing else.
Swift 6.2 or newer is looked for in PATH and the usual places; SWIFT=/path/to/swift names one.
MRUN=/path/to/mrun makes `demo` and `test` use that binary instead of building one.
END
}

# --- small tools ----------------------------------------------------------------------------------------------------

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

step() { echo "==> $*"; }

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || fail "$1 needs root: it makes namespaces, mounts and cgroups. Try: sudo ./install.sh $1"
}

# --- what must be there ---------------------------------------------------------------------------------------------

# The compiler comes with Swift; what it links against and what SwiftPM runs on does not.
build_packages=(binutils libc6-dev libgcc-12-dev libstdc++-12-dev pkg-config git ca-certificates
    libseccomp-dev libcap-dev libjson-c-dev
    libcurl4 libxml2 libsqlite3-0 libncurses6 libedit2 zlib1g)
demo_packages=(procps jq)
test_packages=(bats podman conmon jq procps python3 iproute2 util-linux uidmap strace busybox-static qemu-system-x86 cpio
    golang-github-containers-common)

# Other releases of Debian have another gcc, and have renamed a library.
if [ -r /etc/os-release ] && ! grep -q '^VERSION_CODENAME=bookworm' /etc/os-release; then
    build_packages=(binutils libc6-dev g++ pkg-config git ca-certificates
        libseccomp-dev libcap-dev libjson-c-dev libcurl4 libxml2-dev libsqlite3-0 libncurses6 libedit2 zlib1g)
fi

is_installed() { # PACKAGE
    case $(dpkg-query --show --showformat '${db:Status-Abbrev}' "$1" 2>/dev/null) in ?i*) ;; *) return 1 ;; esac
}

# need PACKAGE...: installs those that are missing.
need() {
    local package missing=() as_root=()
    if ! command -v dpkg-query >/dev/null; then
        step "this is not a Debian: taking it that these are here in some form: $*"
        return
    fi
    for package; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "missing packages, and neither root nor sudo: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    step "installing ${missing[*]}"
    apt_get() {
        ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 "$@" </dev/null >"$log" 2>&1
    }
    local log
    log=$(mktemp)
    # A fresh machine has no lists, another one may have old ones: then fetch them, and try once more.
    apt_get install --yes --no-install-recommends "${missing[@]}" ||
        { apt_get update && apt_get install --yes --no-install-recommends "${missing[@]}"; } ||
        { cat "$log" >&2 && rm -f "$log" && fail "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
}

# The version of a swift as MAJOR.MINOR, nothing when it does not run.
swift_version() { "$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1; }

# find_swift: sets `swift`.
find_swift() {
    local candidate version home=$HOME seen=
    # Under sudo, the toolchain may be in the home directory of who called it.
    [ -z "${SUDO_USER:-}" ] || home=$(getent passwd "$SUDO_USER" | cut -d : -f 6)
    for candidate in "${SWIFT:-}" "$(command -v swift || :)" /opt/swift/usr/bin/swift /usr/local/swift*/usr/bin/swift \
        "$home"/.local/share/swiftly/bin/swift "$home"/swift*/usr/bin/swift; do
        if [ -z "$candidate" ] || [ ! -x "$candidate" ]; then continue; fi
        version=$(swift_version "$candidate")
        if [ -n "$version" ] && [ "$(printf '%s\n' 6.2 "$version" | sort -V | head -n 1)" = 6.2 ]; then
            swift=$candidate
            step "using Swift $version ($swift)"
            return
        fi
        seen+=" $candidate (${version:-does not run})"
    done
    cat >&2 <<END
install.sh: mrun is built with Swift 6.2 or newer, and none was found${seen:+ but these:$seen}.
  - Take the toolchain for Debian 12 from https://www.swift.org/install/linux and unpack it in /opt/swift, or
  - take swiftly from the same page, and say: swiftly install latest, or
  - name the one you have: SWIFT=/path/to/swift ./install.sh
END
    exit 1
}

# build: sets `mrun` to the release binary.
build() {
    if [ -n "${MRUN:-}" ]; then
        mrun=$(readlink -f "$MRUN")
        [ -x "$mrun" ] || fail "MRUN: $MRUN is not a program"
        step "using $mrun"
        return
    fi
    need "${build_packages[@]}"
    find_swift
    step "building mrun (release)"
    "$swift" build --package-path "$repo" --configuration release --product mrun </dev/null
    mrun=$("$swift" build --package-path "$repo" --configuration release --show-bin-path)/mrun
}

# --- install and uninstall ------------------------------------------------------------------------------------------

# What was installed, files and the directories made for them, one a line, is listed here below the prefix.
list=share/mrun/installed

# note PATH: puts it on the list, once.
note() { grep -qxF -e "$1" "$prefix/$list" 2>/dev/null || echo "$1" >>"$prefix/$list"; }

# directory PATH: makes it and notes each part of it that was not there.
directory() {
    local path=$prefix part made=()
    local IFS=/
    for part in $1; do
        path+=/$part
        [ -d "$path" ] || { mkdir "$path" && made+=("${path#"$prefix"/}"); }
    done
    for part in ${made[@]+"${made[@]}"}; do pending+=("$part"); done
}

# place SOURCE PATH MODE: puts a file there; one that is there, and maybe running, is replaced in one step.
place() {
    directory "$(dirname "$2")"
    install -m "$3" "$1" "$prefix/$2.new"
    mv -f "$prefix/$2.new" "$prefix/$2"
    pending+=("$2")
}

install_mrun() {
    local work pending=() entry shell path
    mkdir -p "$prefix" 2>/dev/null || :
    if [ ! -d "$prefix" ] || [ ! -w "$prefix" ]; then
        fail "cannot write to $prefix: run as root, or choose another place by --prefix ~/.local"
    fi
    prefix=$(cd "$prefix" && pwd)
    build
    step "installing in $prefix"
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # its value of now
    trap "rm -rf '$work'" EXIT
    for shell in bash zsh fish; do
        "$mrun" completion "$shell" >"$work/$shell" || fail "mrun completion $shell failed"
    done
    directory "$(dirname "$list")"
    place "$mrun" bin/mrun 755
    place "$work/bash" share/bash-completion/completions/mrun 644
    place "$work/zsh" share/zsh/site-functions/_mrun 644
    place "$work/fish" share/fish/vendor_completions.d/mrun.fish 644
    for entry in "${pending[@]}"; do note "$entry"; done
    for path in bin/mrun share/bash-completion/completions/mrun share/zsh/site-functions/_mrun \
        share/fish/vendor_completions.d/mrun.fish; do echo "    $prefix/$path"; done
    case :$PATH: in *":$prefix/bin:"*) ;; *) step "note that $prefix/bin is not in PATH" ;; esac
}

uninstall_mrun() {
    local entry entries
    if [ ! -e "$prefix/$list" ]; then
        step "nothing of mrun is installed in $prefix"
        return
    fi
    [ -w "$prefix/$list" ] || fail "cannot write to $prefix: run as root"
    step "removing mrun from $prefix"
    mapfile -t entries < <(tac "$prefix/$list")
    rm -f "$prefix/$list"
    for entry in "${entries[@]}"; do
        case $entry in '' | /* | *..*) continue ;; esac
        # A directory goes when it is empty: others may have put something in since.
        if [ -d "$prefix/$entry" ]; then
            rmdir --ignore-fail-on-non-empty "$prefix/$entry"
        else
            rm -f "$prefix/$entry"
        fi
    done
}

# --- demo -----------------------------------------------------------------------------------------------------------

heading() { printf '\n=== %s\n\n' "$*"; }

# show COMMAND...: prints it as one would type it, and runs it.
show() {
    echo "\$ $*"
    "$@"
}

# mrun_ as `mrun`: the functions below echo what they call, so the name must be the real one.
mrun() { "$mrun" --root "$work/state" "$@"; }

# cat_cgroup CONTROLLER FILE...: what the kernel says about the demo's container.
cat_cgroup() {
    local directory=/sys/fs/cgroup/$1/mesos/$id file
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || directory=/sys/fs/cgroup/mesos/$id
    shift
    for file; do show cat "$directory/$file"; done
}

cgroups_of_demo() { find /sys/fs/cgroup -type d -path "*/mesos/$id*" 2>/dev/null; }

# ended SECONDS: whether the container ends within that time.
ended() { timeout "$1" "$mrun" --root "$work/state" wait "$id" >/dev/null; }

demo_cleanup() {
    [ -z "$id" ] || mrun delete --force "$id" >/dev/null 2>&1 </dev/null || :
    [ -z "$work" ] || rm -rf "$work"
}

demo() {
    need_root demo
    need "${demo_packages[@]}"
    build
    local version=1
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || version=2
    work=$(mktemp -d /tmp/mrun-demo.XXXXXX)
    id=demo-$$
    trap demo_cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir "$work/bundle" "$work/sandbox"
    local task=$repo/bundles/seed-task/task-1.json

    heading "A Mesos task: half a cpu, 100 MiB, a shell command"
    show cat "$task"

    heading "It becomes an OCI bundle"
    show mrun translate --isolation cgroups/cpu,cgroups/mem,namespaces/pid --container-id "$id" \
        --sandbox "$work/sandbox" --bundle "$work/bundle" "$task"
    echo "\$ jq '{args, namespaces, cgroupsPath, resources}' $work/bundle/config.json   (in short)"
    jq '{args: .process.args, namespaces: [.linux.namespaces[].type], cgroupsPath: .linux.cgroupsPath,
        resources: (.linux.resources | del(.devices))}' "$work/bundle/config.json"

    heading "create: everything is set up, the task waits"
    echo "\$ mrun create --bundle $work/bundle $id >$work/out"
    mrun create --bundle "$work/bundle" "$id" >"$work/out" 2>&1 </dev/null || { cat "$work/out" && return 1; }
    show mrun state "$id"

    heading "What the kernel says: 100 MiB and 0.5 cpu, and for the executor 32 MiB and 0.1 cpu more"
    if [ "$version" -eq 1 ]; then
        cat_cgroup memory memory.limit_in_bytes
        cat_cgroup cpu cpu.shares
    else
        cat_cgroup memory memory.max
        cat_cgroup cpu cpu.weight
    fi

    heading "start: the task runs, and its ps sees its own processes only"
    show mrun start "$id"
    local try
    for try in {1..100}; do
        ! grep -q 'command running' "$work/out" || break
        [ "$try" -lt 100 ] || { cat "$work/out" && fail "the task did not say that it runs"; }
        sleep 0.1
    done
    show head -n 40 "$work/out"

    heading "exec: another process in the same container"
    show mrun exec "$id" ps -e -o pid,args

    heading "pause and resume"
    show mrun pause "$id"
    if [ "$version" -eq 1 ]; then cat_cgroup freezer freezer.state; else cat_cgroup "" cgroup.freeze cgroup.events; fi
    echo "\$ mrun state $id | jq .status"
    mrun state "$id" | jq .status
    show mrun resume "$id"
    if [ "$version" -eq 1 ]; then cat_cgroup freezer freezer.state; else cat_cgroup "" cgroup.freeze cgroup.events; fi

    heading "kill, and what became of it"
    show mrun kill "$id" TERM
    if ! ended 10; then
        echo "(it did not heed TERM for 10 s)"
        show mrun kill "$id" KILL
        ended 10 || fail "it does not end"
    fi
    show mrun wait "$id"

    heading "delete, and nothing is left"
    show mrun delete "$id"
    show mrun list
    echo "\$ find /sys/fs/cgroup -path '*/mesos/$id*'"
    if [ -n "$(cgroups_of_demo)" ]; then
        cgroups_of_demo
        fail "cgroups are left"
    fi
    id=
    echo
    step "the demo is through"
}

# --- test -----------------------------------------------------------------------------------------------------------

total_passed=0 total_failed=0 total_skipped=0
tally=()

# count NAME STATUS PASSED FAILED SKIPPED: a suite that failed, or ran nothing, has failed once at least.
count() {
    local name=$1 status=$2 passed=$3 failed=$4 skipped=$5
    if [ "$failed" -eq 0 ]; then
        if [ "$status" -ne 0 ]; then
            echo "$name: exit status $status without a failed test"
            failed=1
        elif [ "$passed" -eq 0 ]; then
            echo "$name: no test ran"
            failed=1
        fi
    fi
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
    tally+=("$name: $passed passed, $failed failed, $skipped skipped")
}

# logged COMMAND...: runs it, shows and keeps what it prints; its status in `status`.
logged() {
    status=0
    "$@" </dev/null 2>&1 | tee "$work/log" || status=${PIPESTATUS[0]}
    # The outer pipeline fails with the command; what tee does is of no interest.
}

matches() { grep -cE -e "$1" "$work/log" || :; } # PATTERN

test_unit() {
    step "unit tests"
    logged "$swift" test --package-path "$repo"
    # "Test run with ..." is the summary; a suite's line begins with "Suite", an argument's with "Test case".
    local passed failed skipped
    passed=$(grep -E '^[^ ]+ Test .* passed after [0-9.]+ seconds' "$work/log" | grep -cvE '^[^ ]+ Test (run|case) ' || :)
    failed=$(grep -E '^[^ ]+ Test .* failed after [0-9.]+ seconds' "$work/log" | grep -cvE '^[^ ]+ Test (run|case) ' || :)
    skipped=$(matches '^[^ ]+ Test .* skipped(:|\.)')
    count unit "$status" "$passed" "$failed" "$skipped"
}

test_init() {
    if [ ! -e "$repo/Tests/Init/test_init.py" ]; then return; fi
    step "tests of mrun-init"
    PATH=$(dirname "$swift"):$PATH logged python3 "$repo/Tests/Init/test_init.py"
    local summary ran failed passed skipped
    summary=$(grep -E '^(OK|FAILED)( \(.*\))?$' "$work/log" | tail -n 1 || :)
    ran=$(sed -nE 's/^Ran ([0-9]+) tests? in .*/\1/p' "$work/log" | tail -n 1)
    failed=$(($(field failures "$summary") + $(field errors "$summary") + $(field 'unexpected successes' "$summary")))
    skipped=$(field skipped "$summary")
    # An error in a class's set-up is an error, but no test that ran.
    passed=$((${ran:-0} - failed - skipped))
    count init "$status" $((passed > 0 ? passed : 0)) "$failed" "$skipped"
}

# field NAME SUMMARY: the number there, in "FAILED (failures=1, skipped=2)"; 0 when it does not stand there.
field() {
    if [[ ${2//expected failures=/} =~ [\(\ ]$1=([0-9]+) ]]; then echo "${BASH_REMATCH[1]}"; else echo 0; fi
}

# count_tap NAME: from the log of something that prints TAP.
count_tap() {
    local skipped planned ok not_ok
    skipped=$(grep -ciE '^ok [0-9]+.* # skip' "$work/log" || :)
    ok=$(matches '^ok [0-9]+')
    not_ok=$(matches '^not ok [0-9]+')
    planned=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$work/log" | tail -n 1)
    if [ "${planned:-0}" -gt $((ok + not_ok)) ]; then
        echo "$1: $((planned - ok - not_ok)) planned tests did not run"
        not_ok=$((planned - ok))
    fi
    count "$1" "$status" $((ok - skipped)) "$not_ok" "$skipped"
}

test_integration() {
    step "integration tests"
    MRUN=$mrun logged bats --tap --timing "$repo"/Tests/Integration/*.bats
    count_tap integration
}

test_vm() {
    step "cgroup v2 tests, in a virtual machine"
    MRUN=$mrun logged "$repo/Tests/VM/run"
    count_tap vm
    local layout
    for layout in unified hybrid; do
        step "tests with systemd, cgroups $layout, in a virtual machine"
        MRUN=$mrun MACHINE=systemd CGROUPS=$layout logged "$repo/Tests/VM/run"
        count_tap "vm, systemd, $layout"
    done
}

run_tests() {
    local suites=("$@") suite line
    [ ${#suites[@]} -gt 0 ] || suites=(unit init integration vm)
    for suite in "${suites[@]}"; do
        case $suite in unit | init | integration | vm) ;; *) fail "no such tests: $suite (unit, init, integration, vm)" ;; esac
    done
    need_root test
    need "${test_packages[@]}"
    build
    case " ${suites[*]} " in *" unit "* | *" init "*)
        if [ -z "${swift:-}" ]; then
            need "${build_packages[@]}"
            find_swift
        fi
        ;;
    esac
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    for suite in "${suites[@]}"; do "test_$suite"; done

    echo
    for line in "${tally[@]}"; do echo "$line"; done
    line="$total_passed passed, $total_failed failed"
    [ "$total_skipped" -eq 0 ] || line+=", $total_skipped skipped"
    echo "$line"
    [ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
}

# --- the command line -----------------------------------------------------------------------------------------------

prefix=/usr/local

main() {
    local command=install words=()
    case ${1:-} in '' | -*) ;; *) command=$1 && shift ;; esac
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) command=help ;;
        --prefix=?*) prefix=${1#*=} ;;
        --prefix)
            [ -n "${2:-}" ] || fail "--prefix wants a directory"
            prefix=$2
            shift
            ;;
        -*) fail "no such option: $1 (see ./install.sh help)" ;;
        *) words+=("$1") ;;
        esac
        shift
    done
    [ "$command" = test ] || [ ${#words[@]} -eq 0 ] || fail "$command takes no argument: ${words[0]} (see ./install.sh help)"

    case $command in
    install) install_mrun ;;
    uninstall) uninstall_mrun ;;
    demo) demo ;;
    test) run_tests ${words[@]+"${words[@]}"} ;;
    help) usage ;;
    *)
        usage >&2
        fail "no such command: $command"
        ;;
    esac
}

# The checks take the functions from here.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
