# shellcheck shell=bash
# What is built once and kept, and the key of each piece: a hash of all that it is
# made from, so that a piece is never older than its sources.

# shellcheck source=../versions
. "$HERE/versions"

# fingerprint FILE…: names (below tests/e2e/cluster) and contents.
fingerprint() {
    (cd "$HERE" && sha256sum -- "$@") | sha256sum | cut -c1-12
}

# A key is computed once a script run.
declare -A KEYS=()
key() {
    case $1 in
    kubernetes) with_toolchain kubernetes/go.mod kubernetes/go.sum kubernetes/main.go kubernetes/coredns/main.go ;;
    istio) with_toolchain istio/go.mod istio/go.sum ;;
    flat-node) with_toolchain flat-node/go.mod flat-node/go.sum flat-node/main.go ;;
    wheels) printf %s "$ENVOY_SHA256 $HELM_KUBECTL_SHA256" | sha256sum | cut -c1-12 ;;
    esac
}

with_toolchain() {
    printf '%s %s %s' "$(fingerprint versions build "$@")" "$(GOTOOLCHAIN=local go env GOVERSION)" "$(uname -m)" |
        sha256sum | cut -c1-12
}

# shellcheck disable=SC2034 # KEYS is read by the functions below
compute_keys() {
    local piece
    for piece in kubernetes istio flat-node wheels; do KEYS[$piece]=$(key "$piece"); done
}

kubernetes_directory() { printf '%s\n' "$CACHE/kubernetes-${KEYS[kubernetes]}"; }
istio_directory() { printf '%s\n' "$CACHE/istio-${KEYS[istio]}"; }
flat_node_directory() { printf '%s\n' "$CACHE/flat-node-${KEYS[flat-node]}"; }
wheels_directory() { printf '%s\n' "$CACHE/wheels-${KEYS[wheels]}"; }

# image_file NAME: the archive of one of the cluster's own images (images/NAME.Containerfile).
image_file() {
    local name=$1 parts=("images/$1.Containerfile" lib/image.sh) of=''
    [ ! -e "$HERE/images/$name.packages" ] || parts+=("images/$name.packages")
    case $name in
    coredns) of=${KEYS[kubernetes]} ;;
    pilot) of=${KEYS[istio]} ;;
    proxyv2) of="${KEYS[istio]} ${KEYS[flat-node]} ${KEYS[wheels]}" ;;
    esac
    printf '%s/images/%s-%s.tar\n' "$CACHE" "$name" \
        "$(printf '%s %s' "$(fingerprint "${parts[@]}")" "$of" | sha256sum | cut -c1-12)"
}

# used FILE-OR-DIRECTORY: marks it as used today. What nobody used for two weeks
# is removed by prune.
used() {
    touch --no-create "$1"
}

prune_cache() {
    find "$CACHE" -mindepth 1 -maxdepth 1 -type d -name '*-*' -mtime +14 -exec rm -rf {} +
    find "$CACHE/images" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} + 2>/dev/null || true
}

compute_keys
