# The profile of podman, as podman hands it on in a config: without what is for other architectures, or for
# capabilities that the container does not have.
#
#   jq -f podman-seccomp.jq /usr/share/containers/seccomp.json
def chosen($arch; $caps):
    select((.includes.arches // [$arch]) | index($arch))
    | select((.includes.caps // []) - $caps == [])
    | select((.excludes.caps // []) as $not | $not - $caps == $not);
{
    defaultAction, defaultErrnoRet,
    architectures: (.archMap[] | select(.architecture == "SCMP_ARCH_X86_64") | [.architecture] + .subArchitectures),
    syscalls: [
        .syscalls[]
        | chosen("amd64"; ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
            "SETPCAP", "SETUID", "SYS_CHROOT"] | map("CAP_" + .))
        | {names, action, errnoRet, args: (.args | if . == [] then null else . end)}
        | with_entries(select(.value != null))
    ]
}
