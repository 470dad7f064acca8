#!/bin/bash
# Refuses what has hurt this kind of program before. Every ban names the bug or the advisory that it prevents.
#
#   scripts/check-bans.sh [DIRECTORY]     default: this repository
#
# A line is excused by `// ok: reason` at its end or on the line before. Comments are not looked at.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

found=0
checked=0

# ban PATTERN REASON FILE...: PATTERN is an extended regular expression.
ban() {
    local pattern=$1 reason=$2
    shift 2
    [ $# -gt 0 ] || return 0
    checked=$((checked + 1))
    PATTERN=$pattern REASON=$reason awk '
        BEGIN { pattern = ENVIRON["PATTERN"]; reason = ENVIRON["REASON"] }
        FNR == 1 { excused = 0 }
        /^[[:space:]]*\/\// { excused = /\/\/ ok: [^ ]/; next }
        {
            code = $0
            sub(/[[:space:]]\/\/([^"]*)$/, "", code)
            if (code ~ pattern && !excused && $0 !~ /\/\/ ok: [^ ]/) {
                text = $0
                sub(/^[[:space:]]+/, "", text)
                printf "%s:%d: %s\n    %s\n", FILENAME, FNR, text, reason
                bad = 1
            }
            excused = 0
        }
        END { exit bad }
    ' "$@" >&2 || found=1
}

# files GLOB-EXPRESSION...: the source files for find's tests; sets `files`.
files() { mapfile -t files < <(find Sources -type f "$@" | LC_ALL=C sort); }

word='(^|[^._A-Za-z0-9])'

files -name '*.swift'
ban 'try\?' \
    'try? hides why a step failed, and a security step may not fail quietly (a mask that was skipped: CVE-2025-31133). Say ignoring(_:because:), or handle the error' \
    "${files[@]}"
ban 'try!' \
    'try! turns an input into a crash (the class of CVE-2018-1330): throw' "${files[@]}"
ban '(^|[^A-Za-z0-9_])as!' \
    'as! turns an input into a crash (the class of CVE-2018-1330): use as? and throw' "${files[@]}"
ban "$word"'(fatalError|preconditionFailure)\(' \
    'a crash leaves cgroups and mounts behind, and tells the caller nothing (the class of CVE-2018-1330): throw' "${files[@]}"
ban '_ = (try )?checked\(' \
    'an answer that is checked and thrown away is not checked: a security step may not fail quietly' "${files[@]}"
ban "$word"'(mount|umount|umount2|chroot|pivot_root|mknod|mkdir|symlink|chown)\("?/' \
    'a call by path follows what the image put there (CVE-2021-30465, CVE-2024-45310, CVE-2026-41579): go through Root and detached mounts' \
    "${files[@]}"
ban "$word"'(dup|dup2|pipe|accept|epoll_create|inotify_init)\(' \
    'makes a descriptor that an exec passes on (CVE-2016-9962, CVE-2024-21626): use the variant that takes O_CLOEXEC' "${files[@]}"
ban "$word"'(fork|vfork|system|popen)\(' \
    'a child is made by the one clone3 in CKernel, known by its pidfd; a shell reads more than it was meant to' "${files[@]}"
ban '/proc/self/exe' \
    'the binary of the runtime, opened again from inside a container, can be overwritten there (CVE-2019-5736): run the sealed mrun-init' \
    "${files[@]}"

files -name '*.swift' -not -path 'Sources/Kernel/*'
ban "$word"'sys_(mount|umount2?)\(' \
    'mount(2) shows a mount before its flags are set, and at a path that can be swapped (CVE-2021-30465): Kernel has detached mounts' \
    "${files[@]}"

files -name '*.swift' -not -path 'Sources/mrun/*' -not -path 'Sources/CommandLine/*' -not -path 'Sources/embed-init/*'
ban "$word"'(print|debugPrint|dump)\(' \
    'what a library prints lands in the log of the container, whose descriptors these are: throw, or return it' "${files[@]}"
ban "$word"'(exit|_exit|abort)\(' \
    'only the command line ends the process: the Runtime is a library too. Throw' "${files[@]}"

files \( -name '*.c' -o -name '*.h' \)
ban "$word"'(gets|strcpy|strcat|sprintf|vsprintf|strncpy|alloca|system|popen)\(' \
    'a length that nobody checks (the class of CVE-2021-43784): bound it' "${files[@]}"

if [ "$checked" -eq 0 ]; then
    echo "no source files in $PWD/Sources: nothing was checked" >&2
    found=1
fi
exit "$found"
