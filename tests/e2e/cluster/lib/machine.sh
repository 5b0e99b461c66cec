# shellcheck shell=bash
# Whether a machine is as it was before: its mounts, network namespaces, network
# devices and kernel settings, and no process of ours. Others may work on the machine
# meanwhile, so a process is ours by its environment, which carries MACHINE_MARK, or
# by its cgroup. A network namespace lives as long as a process, a mount or a name in
# /run/netns holds it.

# record_machine DIRECTORY
record_machine() {
    mkdir -p "$1"
    sort /proc/self/mountinfo >"$1/mounts"
    ls /run/netns 2>/dev/null >"$1/netns" || true
    ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' >"$1/links"
    sysctl kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom net.ipv4.ip_forward \
        kernel.keys.root_maxkeys kernel.keys.root_maxbytes net.netfilter.nf_conntrack_max \
        >"$1/settings" 2>/dev/null || true
}

# our_processes CLUSTER: pid and command line of each. Bash alone
# does it: a program called meanwhile would find itself.
our_processes() {
    local directory environment groups command name
    for directory in /proc/[0-9]*; do
        environment=() command=() groups=''
        mapfile -d '' environment <"$directory/environ" || continue
        mapfile -d '' command <"$directory/cmdline" || continue
        groups=$(<"$directory/cgroup") || continue
        for name in "${environment[@]}"; do
            if [ "$name" = "MACHINE_MARK=$MACHINE_MARK" ]; then groups+="/alscope/$1"; fi
        done
        case $groups in */alscope/"$1"*)
            printf '%s %s\n' "${directory#/proc/}" "${command[*]:-a process that just ended}"
            ;;
        esac
    done 2>/dev/null
}

# same_machine DIRECTORY CLUSTER: compares with what was recorded.
same_machine() {
    local before=$1 after same=yes name processes
    after=$(mktemp -d)
    record_machine "$after"
    processes=$(our_processes "$2")
    if [ -n "$processes" ]; then
        echo "processes that were not there before:"
        printf '%s\n' "$processes"
        same=no
    fi
    for name in mounts netns links settings; do
        diff "$before/$name" "$after/$name" || {
            echo "the $name differ"
            same=no
        }
    done
    rm -rf "$after"
    [ "$same" = yes ]
}
