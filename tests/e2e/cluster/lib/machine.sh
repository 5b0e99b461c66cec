# shellcheck shell=bash
# Whether a machine is as it was before: its processes, mounts, network namespaces,
# network devices and kernel settings.

# record_machine DIRECTORY
record_machine() {
    mkdir -p "$1"
    all_processes >"$1/processes"
    sort /proc/self/mountinfo >"$1/mounts"
    ls /run/netns 2>/dev/null >"$1/netns" || true
    ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' >"$1/links"
    kernel_settings >"$1/settings"
}

# Pid and start time of every living process that is not a thread of the kernel.
all_processes() {
    local directory stat fields
    for directory in /proc/[0-9]*; do
        stat=$(<"$directory/stat") || continue
        read -r -a fields <<<"${stat##*) }"
        # State, and parent: process 2 is the kernel's own.
        if [ "${fields[0]}" = Z ] || [ "${fields[1]}" = 2 ]; then continue; fi
        printf '%s %s\n' "${directory#/proc/}" "${fields[19]}"
    done 2>/dev/null
}

kernel_settings() {
    sysctl kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom net.ipv4.ip_forward \
        kernel.keys.root_maxkeys kernel.keys.root_maxbytes net.netfilter.nf_conntrack_max 2>/dev/null || true
}

# same_machine DIRECTORY: compares with what was recorded. Others may work on this
# machine meanwhile: of new processes only those count that no older process but
# the first is an ancestor of, for those of the cluster are on their own.
same_machine() {
    local before=$1 after same=yes name
    after=$(mktemp -d)
    record_machine "$after"
    new_orphans "$before/processes" >"$after/orphans"
    while read -r pid _; do
        printf '%s %s %s\n' "$pid" "$(readlink "/proc/$pid/ns/net")" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
    done <"$after/orphans" >"$after/commands" 2>/dev/null
    if [ -s "$after/commands" ]; then
        echo "processes that were not there before:"
        cat "$after/commands"
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

# Processes that are not in the list and whose ancestors are not either.
new_orphans() {
    local list=$1 line pid parent
    all_processes | sort | comm -23 - <(sort "$list") | while read -r line; do
        pid=${line%% *} parent=${line%% *}
        while ((parent > 1)); do
            parent=$(awk '/^PPid:/ { print $2 }' "/proc/$parent/status" 2>/dev/null) || break
            [ -n "$parent" ] || break
            if ((parent > 1)) && grep -q "^$parent " "$list"; then continue 2; fi
        done
        [ ! -d "/proc/$pid" ] || printf '%s\n' "$line"
    done
}
