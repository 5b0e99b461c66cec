# shellcheck shell=bash
# Relays: an address inside the cluster made reachable at the host's 127.0.0.1.
#
#   client -> 127.0.0.1:PORT, socat in the host's network
#          -> $RUN/relays/NAME.sock, a Unix socket on the shared file system
#          -> socat in the cluster's network -> TARGET
#
# Both halves are born in the cluster's pid namespace, so they end with it at once.
# $RUN/relays/NAME holds the identity of the host's half, then "PORT TARGET";
# $RUN/relays/NAME.inner holds the identity of the half inside.

# add_relay NAME TARGET: prints the port on the host; one that exists is kept.
add_relay() {
    local name=$1 target=$2 file=$RUN/relays/$1 port
    [[ $name =~ ^[a-z0-9-]{1,40}$ ]] || fail "the name of a relay is [a-z0-9-], not: $name"
    [[ $target =~ ^[0-9.]+:[0-9]+$ ]] || fail "the target of a relay is IP:PORT, not: $target"
    if is_alive "$file" && is_alive "$file.inner" && [ "$(relay_target "$name")" = "$target" ]; then
        relay_port "$name"
        return 0
    fi
    remove_relay "$name"
    mkdir -p "$RUN/relays"
    relay_process "$file.inner" --net "UNIX-LISTEN:$file.sock,fork,backlog=128" "TCP:$target,connect-timeout=5"
    # Of the cluster's namespaces the outer half joins all but the network.
    relay_process "$file.outer" --ipc "TCP-LISTEN:0,bind=127.0.0.1,fork,backlog=128" "UNIX-CONNECT:$file.sock"
    wait_until 10 "the relay $name" test -S "$file.sock" || return 1
    wait_until 10 "the relay $name" grep -q 'listening on' "$file.outer.log" || return 1
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$file.outer.log" | head -n 1)
    printf '%s %s\n' "$port" "$target" >>"$file.outer"
    mv "$file.outer" "$file"
    printf '%s\n' "$port"
}

# relay_process FILE NAMESPACE SOCAT-ADDRESS SOCAT-ADDRESS: starts one half and
# writes its identity as the host sees it. It is an orphan of the cluster's first
# process; its number there is translated.
relay_process() {
    local file=$1 namespace=$2 init inner pid
    init=$(init_pid) || fail "the cluster has no first process"
    # shellcheck disable=SC2016 # for the inner shell
    inner=$(nsenter --target "$init" --mount --pid "$namespace" -- sh -c '
        log=$1; shift
        setsid socat -d -d -t 30 "$@" </dev/null >"$log" 2>&1 &
        echo $!' sh "$file.log" "${@:3}")
    for pid in $(pgrep --ns "$init" --nslist pid); do
        if [ "$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status" 2>/dev/null)" = "$inner" ]; then
            identity "$pid" >"$file"
            return 0
        fi
    done
    fail "socat ended at once: $(cat "$file.log")"
}

relay_port() { sed -n '2s/ .*//p' "$RUN/relays/$1"; }
relay_target() { sed -n '2s/.* //p' "$RUN/relays/$1"; }

remove_relay() {
    local file=$RUN/relays/$1
    kill_identity "$file"
    kill_identity "$file.inner"
    kill_identity "$file.outer"
    rm -f "$file" "$file".*
}

list_relays() {
    local file name
    for file in "$RUN"/relays/*; do
        name=${file##*/}
        case $name in *.* | '*') continue ;; esac
        if is_alive "$file" && is_alive "$file.inner"; then
            printf '%-17s 127.0.0.1:%s -> %s\n' "$name" "$(relay_port "$name")" "$(relay_target "$name")"
        fi
    done
}

# The API server's relay, and the kubeconfig that goes by it.
relay_api() {
    local port
    port=$(add_relay api 127.0.0.1:6443) || return 1
    (umask 077 && kubeconfig admin "https://127.0.0.1:$port" >"$VAR/host.kubeconfig.new")
    mv "$VAR/host.kubeconfig.new" "$VAR/host.kubeconfig"
}
