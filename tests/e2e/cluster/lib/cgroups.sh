# shellcheck shell=bash
# Control groups: all of a cluster below one parent, on machines with version 1 or
# hybrid hierarchies and on those with version 2 alone. Inside, a cgroup namespace
# and mounts of its own make that parent look like the root, so that neither
# kubelet nor containerd can reach any other group.

cgroup_version() {
    if [ "$(stat --file-system --format %T /sys/fs/cgroup)" = cgroup2fs ]; then echo 2; else echo 1; fi
}

# Every mounted hierarchy: directory, type, and the option that names it.
cgroup_mounts() {
    local directory type options
    while read -r _ directory type options _; do
        case $type in
        cgroup) printf '%s %s %s\n' "$directory" "$type" "$(hierarchy "$options")" ;;
        cgroup2) printf '%s %s -\n' "$directory" "$type" ;;
        esac
    done </proc/mounts
}

# Of the options of a mount, those that say which controllers it is for.
hierarchy() {
    tr , '\n' <<<"$1" |
        grep -vE '^(rw|ro|relatime|noatime|nosuid|nodev|noexec|clone_children|xattr|release_agent=.*)$' | paste -sd ,
}

# The directories of one cluster: one in every hierarchy, all below "alscope".
cgroup_directories() {
    local directory
    while read -r directory _; do printf '%s\n' "$directory/alscope/$1"; done < <(cgroup_mounts)
}

# enter_cgroups ID: moves this process into the cluster's groups. A cgroup namespace
# that it makes now has them as its roots.
enter_cgroups() {
    local directory
    while read -r directory; do
        mkdir -p "$directory"
        if [ -e "$directory/cgroup.controllers" ]; then
            give_controllers "$(dirname "$(dirname "$directory")")"
            give_controllers "$(dirname "$directory")"
        elif [ -e "$directory/cpuset.mems" ]; then
            inherit_cpuset "$(dirname "$directory")"
            inherit_cpuset "$directory"
        fi
        echo $$ >"$directory/cgroup.procs"
    done < <(cgroup_directories "$1")
}

# enter_leaf ID: once the namespace is made, moves this process one step down in
# version 2, where a group with members of its own can give its children nothing.
enter_leaf() {
    local directory
    while read -r directory; do
        [ -e "$directory/cgroup.controllers" ] || continue
        mkdir -p "$directory/root"
        echo $$ >"$directory/root/cgroup.procs"
        give_controllers "$directory"
    done < <(cgroup_directories "$1")
}

# In version 1 a new group has no processors and no memory nodes, and takes nobody.
inherit_cpuset() {
    local file
    for file in cpuset.cpus cpuset.mems; do
        [ -n "$(<"$1/$file")" ] || cat "$(dirname "$1")/$file" >"$1/$file"
    done
}

give_controllers() {
    local controller
    for controller in cpu cpuset io memory pids; do
        echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true
    done
}

# In the new namespaces: mounts the hierarchies anew, rooted at the cluster's groups.
mount_cgroups() {
    local mounts directory type which
    mounts=$(cgroup_mounts)
    umount --recursive /sys/fs/cgroup
    mount -t sysfs sysfs /sys
    if [ "$1" = 1 ]; then mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup; fi
    while read -r directory type which; do
        mkdir -p "$directory"
        if [ "$which" = - ]; then
            mount -t "$type" "$type" "$directory"
        else
            mount -t "$type" -o "$which" "$type" "$directory"
            name_controllers "$directory" "$which"
        fi
    done <<<"$mounts"
}

# Of controllers mounted together, each is also looked for under its own name.
name_controllers() {
    local controller
    for controller in ${2//,/ }; do
        case $controller in name=*) continue ;; esac
        [ -e "$(dirname "$1")/$controller" ] || ln -s "$1" "$(dirname "$1")/$controller"
    done
}

# Ends every process in a group and below, then removes the groups.
remove_cgroups() {
    local pids
    pids=$(find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u) || true
    # shellcheck disable=SC2086 # a list
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    find "$1" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ ! -d "$1" ]
}
