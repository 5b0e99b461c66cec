# shellcheck shell=bash
# The life of a cluster: whether it runs, how to reach into it, how to end it,
# and how to clear away what a dead one left.
#
#   $RUNS/ID.lock   who is changing the cluster just now
#   $RUNS/ID/root   the one process under which everything runs
#   $RUNS/ID/ready  written when the cluster was complete: what it was made from
#   $VARS/ID/       etcd, containerd, kubelet, certificates, logs

root_is_alive() {
    is_alive "$RUN/root"
}

# The first process of the cluster's pid namespace, as seen from the host.
init_pid() {
    local root pid
    root_is_alive || return 1
    root=$(head -n 1 "$RUN/root")
    pid=$(pgrep --parent "${root%% *}" --oldest) || return 1
    # Before it makes the namespace, the root has passing children of another kind.
    [ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ] || return 1
    printf '%s\n' "$pid"
}

require_cluster() {
    root_is_alive || fail "no cluster of $CLONE is running; start it with: make cluster"
}

# admin COMMAND…: kubectl by way of the cluster's network alone, with this
# machine's files; it needs no relay.
admin() {
    local init
    init=$(init_pid) || fail "the cluster has no first process"
    nsenter --target "$init" --net -- \
        "$TOOLS/wheels/kubectl" --kubeconfig "$VAR/pki/admin.kubeconfig" --request-timeout=20s "$@"
}

# end_cluster ID: ends all processes of that clone's cluster and removes all it left.
end_cluster() {
    local id=$1 directory begin=$SECONDS
    [[ $id =~ ^[0-9a-f]{8}$ ]] || fail "not a cluster: $id"
    kill_identity "$RUNS/$id/root"
    while read -r directory; do
        [ -d "$directory" ] || continue
        # Whatever is still in there is ours: it was born there.
        until remove_cgroups "$directory"; do
            ((SECONDS - begin < 30)) || fail "cannot empty the cgroup $directory"
            sleep 0.1
        done
        rmdir --ignore-fail-on-non-empty "$(dirname "$directory")" 2>/dev/null || true
    done < <(cgroup_directories "$id")
    # What a killed `up` was asking of containerd is no child of the cluster, and would wait for its answer.
    pkill -KILL --full -- "--address $RUNS/$id/containerd.sock" || true
    rm -rf --one-file-system "${RUNS:?}/$id" "${VARS:?}/$id"
    rmdir --ignore-fail-on-non-empty "$VARS" 2>/dev/null || true
}

# Clears away clusters of other clones whose root process is gone.
reclaim_others() {
    local id
    for id in $(known_clusters); do
        [ "$id" != "$ID" ] || continue
        ! is_alive "$RUNS/$id/root" || continue
        # Somebody may be starting it at this moment: then it is not dead.
        claim "$RUNS/$id.lock" $$ "clearing away the dead cluster $id, process $$" >/dev/null || continue
        if ! is_alive "$RUNS/$id/root"; then
            say "clearing away the dead cluster $id of $(cat "$VARS/$id/clone" 2>/dev/null || echo 'an unknown clone')"
            end_cluster "$id"
        fi
        rm -f "$RUNS/$id.lock"
    done
}

# Every cluster that left a trace: a directory, a data directory or a cgroup.
known_clusters() {
    {
        find "$RUNS" "$VARS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null || true
        cgroup_directories '*' | while read -r pattern; do
            compgen -G "$pattern" | sed 's,.*/,,' || true
        done
    } | grep -xE '[0-9a-f]{8}' | sort -u || true
}
