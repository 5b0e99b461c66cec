# shellcheck shell=bash
# Which process is which, and who holds a lock.

# A pid alone is worthless: it is given out again. What counts is the pid with
# the time it started at, within one boot of the machine.
identity() {
    local pid=$1 stat fields
    stat=$(<"/proc/$pid/stat") || return 1
    # The second field is the name in brackets, with anything inside.
    read -r -a fields <<<"${stat##*) }"
    # A dead process that its parent has not yet buried runs no more; of one that ends
    # at this moment the file may be empty.
    case ${fields[0]:-X} in Z | X) return 1 ;; esac
    printf '%s %s %s\n' "$pid" "${fields[19]}" "$(</proc/sys/kernel/random/boot_id)"
} 2>/dev/null

# is_alive FILE: the process whose identity is the file's first line still runs.
is_alive() {
    local recorded pid
    recorded=$(head -n 1 "$1" 2>/dev/null) || return 1
    pid=${recorded%% *}
    [ -n "$pid" ] && [ "$(identity "$pid")" = "$recorded" ]
}

# claim FILE PID TEXT: writes down that the process holds the file, unless a
# living process already does; then prints that holder's text and returns 1.
# The guard is held only for this moment, so that no child can inherit it.
claim() (
    file=$1 pid=$2 text=$3
    mkdir -p "$RUNS"
    exec 9>>"$RUNS/guard"
    flock --timeout 30 9 || fail "the guard $RUNS/guard is stuck"
    if is_alive "$file"; then
        sed -n 2p "$file"
        return 1
    fi
    mkdir -p "$(dirname "$file")"
    printf '%s\n%s\n' "$(identity "$pid")" "$text" >"$file.new"
    mv "$file.new" "$file"
)

LOCKS=()

# lock FILE SECONDS PURPOSE: one caller at a time; a second one waits and says for whom.
lock() {
    local file=$1 limit=$2 text begin=$SECONDS holder told='' again=0
    text="$3, process $$ in $CLONE, since $(date +%H:%M:%S)"
    until holder=$(claim "$file" $$ "$text"); do
        ((SECONDS - begin < limit)) || fail "waited $limit s for: $holder (lock $file)"
        if ((SECONDS >= again)) || [ "$told" != "$holder" ]; then
            say "waiting for: $holder"
            told=$holder again=$((SECONDS + 60))
        fi
        sleep 0.3
    done
    LOCKS+=("$file")
}

release_locks() {
    local file
    for file in "${LOCKS[@]}"; do
        if [ "$(head -n 1 "$file" 2>/dev/null)" = "$(identity $$)" ]; then rm -f "$file"; fi
    done
    LOCKS=()
}

# kill_identity FILE: kills the process that the file names, if it still is that
# one, and waits until it is gone.
kill_identity() {
    local file=$1 begin=$SECONDS pid
    is_alive "$file" || return 0
    pid=$(head -n 1 "$file")
    kill -KILL "${pid%% *}" 2>/dev/null || true
    while is_alive "$file"; do
        ((SECONDS - begin < 20)) || fail "process ${pid%% *} of $file does not end"
        sleep 0.05
    done
}
