# shellcheck shell=bash disable=SC2034 # variables are for the scripts that source this
# Where the things of the local cluster are. Every script begins with this file.

set -euo pipefail
shopt -s inherit_errexit
umask 022
# A closed standard input would hand its number to the next file that is opened.
[ -e /proc/self/fd/0 ] || exec </dev/null

# tests/e2e/cluster, and the clone that it is part of.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CLONE=$(cd "$HERE/../../.." && pwd -P)

# The cluster of a clone is named by the clone's path. Paths of Unix sockets must
# stay below 107 bytes, so the directories are short; nothing is inside the clone.
ID=$(printf %s "$CLONE" | sha256sum | cut -c1-8)
RUNS=/run/alscope
VARS=/var/lib/alscope
RUN=$RUNS/$ID
VAR=$VARS/$ID
# The cache, and the tools in it that this cluster was started with: links, so that
# reaching a running cluster needs no Go to compute a key.
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/alscope
TOOLS=$VAR/tools

# The network inside, which has no link to the outside.
NODE_IP=10.244.255.1
POD_CIDR=10.244.0.0/24
CLUSTER_CIDR=10.244.0.0/16
SERVICE_CIDR=10.96.0.0/16
API_IP=10.96.0.1
DNS_IP=10.96.0.10

# The search path inside; `start` mounts the tools there.
INNER_PATH=$VAR/bin/kubernetes:$VAR/bin/wheels:/usr/sbin:/usr/bin:/sbin:/bin

# shellcheck source=lib/progress.sh
. "$HERE/lib/progress.sh"
