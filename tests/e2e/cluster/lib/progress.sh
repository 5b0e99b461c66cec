# shellcheck shell=bash
# How a script reports, waits and ends. Progress goes to standard error, results to
# standard output.

say() {
    printf 'cluster: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# stage NAME COMMAND…: runs the command and prints its seconds.
stage() {
    local stage_name=$1 stage_begin=$EPOCHREALTIME
    shift
    "$@"
    say_seconds "$stage_name" "$stage_begin"
}

say_seconds() {
    say "$(printf '%-46s %6s s' "$1" "$(seconds_since "$2")")"
}

seconds_since() {
    local now=$EPOCHREALTIME
    printf '%d.%d' $(((${now/./} - ${1/./}) / 1000000)) $(((${now/./} - ${1/./}) / 100000 % 10))
}

# wait_until SECONDS WHAT COMMAND…: repeats the command until it succeeds. Says
# every ten seconds what it waits for. At the deadline it shows the last answer and
# returns 1; it does so at once when the test MUST_LIVE fails or a program is broken.
MUST_LIVE=true
wait_until() {
    local limit=$1 what=$2 begin=$SECONDS told=0 answer waited
    shift 2
    until answer=$("$@" 2>&1); do
        waited=$((SECONDS - begin))
        if ((waited >= limit)); then
            say "waited $limit s for $what, in vain; the last answer:"
            tail -n 20 <<<"$answer" >&2
            return 1
        fi
        if [ -s "$VAR/failed" ] || ! "$MUST_LIVE"; then
            say "while waiting for $what: $(cat "$VAR/failed" 2>/dev/null || echo "the cluster's root process ended")"
            return 1
        fi
        if ((waited >= told + 10)); then
            told=$waited
            say "waiting for $what ($waited of $limit s): $(tail -n 1 <<<"$answer")"
        fi
        sleep 0.2
    done
}

# run_logged SECONDS WHAT LOG COMMAND…: runs something long with its output in a
# log. Says every half minute how it goes; shows the log's end when it fails.
run_logged() {
    local limit=$1 what=$2 log=$3 begin=$SECONDS told=0 code=0 child
    shift 3
    mkdir -p "$(dirname "$log")"
    # timeout gives it a process group of its own and hands a signal on to all of it.
    timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null &
    child=$!
    while kill -0 "$child" 2>/dev/null; do
        if ((SECONDS - begin >= told + 30)); then
            told=$((SECONDS - begin))
            say "$what: $told s, $(wc -l <"$log") lines of log, the last: $(tail -n 1 "$log" | cut -c1-100)"
        fi
        sleep 0.1
    done
    wait "$child" || code=$?
    if ((code != 0)); then
        say "$what failed (exit code $code; 124 means longer than $limit s); the end of $log:"
        tail -n 30 "$log" >&2
        return 1
    fi
}

# child COMMAND…: runs another script so that a signal to this one ends both.
child() {
    "$@" &
    wait "$!"
}

# What a script does when it ends, however it ends: its running children end too, and
# the files that it listed are removed. It may have a function before_exit, which is
# given the exit code.
TEMPORARY=()
finish() {
    local code=$? children
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    children=$(jobs -pr)
    # shellcheck disable=SC2086 # a list
    [ -z "$children" ] || kill $children 2>/dev/null
    if declare -F before_exit >/dev/null; then before_exit "$code"; fi
    ((${#TEMPORARY[@]} == 0)) || rm -rf -- "${TEMPORARY[@]}"
    if declare -F release_locks >/dev/null; then release_locks; fi
    exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
