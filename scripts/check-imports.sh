#!/bin/bash
# Reads the import lines of every module in Sources and refuses those that the architecture does not allow.
#
#   scripts/check-imports.sh [DIRECTORY]     default: this repository
#
# SwiftPM itself does not refuse the import of a module that another dependency brought along.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# Imports point one way: mrun → Runtime → Plan, Cgroups → OCI, Mesos → JSON → Kernel → CKernel.
declare -A allowed=(
    [Kernel]="CKernel Glibc"
    [JSON]="CJSON Kernel"
    [OCI]="JSON Kernel"
    [Mesos]="OCI JSON Kernel"
    [Plan]="OCI Kernel"
    [CommandLine]="JSON Kernel CGetopt Glibc Synchronization"
    [Cgroups]="OCI JSON Kernel CKernel Glibc"
    [InitBinary]=""
    [Runtime]="Plan Cgroups OCI JSON Kernel CKernel CSeccomp CCap InitBinary Glibc"
    [mrun]="Runtime Mesos Cgroups OCI JSON Kernel CommandLine CKernel CStart Glibc"
    [embed-init]="Glibc"
)

# Why a module is kept out wherever it is not allowed; the first pattern that matches "MODULE imports IMPORT" speaks.
reason() { # MODULE IMPORT
    case $1:$2 in
    *:ArgumentParser) echo "it brings Foundation along, and costs every call 1.3 ms and 5 MB" ;;
    *:Foundation | *:FoundationEssentials) echo "it makes a static binary of 8 MB one of 14 to 59 MB, and every call start slower" ;;
    *:Dispatch | *:_Concurrency) echo "it starts threads, and a process with threads can neither enter a user namespace nor run Swift in a clone" ;;
    *:CJSON) echo "json-c has one user, JSON: no pointer of it is seen anywhere else" ;;
    *:CSeccomp | *:CCap) echo "privileges are given up in one place, Runtime" ;;
    JSON:* | OCI:* | Mesos:* | Plan:*)
        case $2 in
        Glibc | CKernel) echo "JSON, OCI, Mesos and Plan do no I/O, so that they are tested without root, in milliseconds" ;;
        *) echo "imports point one way: mrun, Runtime, Plan and Cgroups, OCI and Mesos, JSON, Kernel, CKernel" ;;
        esac
        ;;
    Runtime:Mesos) echo "the Runtime knows OCI alone; what Mesos means is said in the bundle" ;;
    *) echo "imports point one way: mrun, Runtime, Plan and Cgroups, OCI and Mesos, JSON, Kernel, CKernel" ;;
    esac
}

found=0
refuse() {
    echo "$1" >&2
    found=1
}

# Every import line as "FILE:LINE:MODULE": past attributes and access levels, `import struct A.B`, `import A.B`.
imports_of() { # DIRECTORY
    grep -rnE '^[[:space:]]*(@[A-Za-z_]+(\([^)]*\))?[[:space:]]+)*((public|package|internal|fileprivate|private)[[:space:]]+)?import[[:space:]]' \
        --include='*.swift' "$1" |
        sed -E 's/^([^:]*:[0-9]+:).*import[[:space:]]+((typealias|struct|class|enum|protocol|let|var|func)[[:space:]]+)?([A-Za-z_0-9]+).*/\1\4/' || :
}

modules=0
for directory in Sources/*/; do
    module=$(basename "$directory")
    [ -n "$(find "$directory" -name '*.swift' -print -quit)" ] || continue
    modules=$((modules + 1))
    if [ -z "${allowed[$module]+known}" ]; then
        refuse "$directory: the module $module is not in the table of scripts/check-imports.sh: say there what it may import"
        continue
    fi
    while IFS=: read -r file line import; do
        case " ${allowed[$module]} $module " in
        *" $import "*) ;;
        *) refuse "$file:$line: $module may not import $import: $(reason "$module" "$import")" ;;
        esac
    done < <(imports_of "$directory")
done
if [ "$modules" -eq 0 ]; then refuse "no modules in $PWD/Sources: nothing was checked"; fi
exit "$found"
