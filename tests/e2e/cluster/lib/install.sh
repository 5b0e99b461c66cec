# shellcheck shell=bash
# What is put into a started cluster, and when it counts as Ready. Every step waits
# with a deadline; it runs under `set -e`, so the first that is missed ends it.

install() {
    stage "containerd answers" wait_until 60 "containerd" containerd_answers
    import_own_images &
    local import=$!
    stage "API server is ready" wait_until 120 "the API server" api_answers
    stage "CoreDNS and Istio's definitions applied" first_manifests
    stage "node is Ready" wait_until 120 "the node" node_is_ready
    stage "images imported" wait "$import"
    stage "CoreDNS is Ready" wait_until 120 "CoreDNS" available kube-system coredns
    install_chart istiod istio-system "$HERE/manifests/istiod.yaml"
    stage "istiod is Ready" wait_until 180 "istiod" available istio-system istiod
    stage "the injection webhook is registered" wait_until 60 "the injection webhook" webhook_is_ready
    install_chart gateway istio-ingress "$HERE/manifests/gateway.yaml" istio-ingressgateway
    stage "the gateway is Ready" wait_until 120 "the gateway" available istio-ingress istio-ingressgateway
}

containerd_answers() {
    ctr --address "$RUN/containerd.sock" version
}

api_answers() {
    admin get --raw /readyz
}

first_manifests() {
    admin apply --server-side -f "$HERE/manifests/coredns.yaml" >/dev/null
    install_chart base istio-system
}

node_is_ready() {
    admin wait --for=condition=Ready node/node0 --timeout=0s
}

available() {
    admin -n "$1" rollout status "deployment/$2" --watch=false &&
        admin -n "$1" wait --for=condition=Available "deployment/$2" --timeout=0s
}

webhook_is_ready() {
    local bundles
    bundles=$(admin get mutatingwebhookconfiguration istio-sidecar-injector \
        -o 'jsonpath={range .webhooks[*]}[{.clientConfig.caBundle}]{end}') || return 1
    # One that istiod has not yet filled in holds a line end only.
    [ -n "$bundles" ] && [[ $bundles != *'[]'* ]] && [[ $bundles != *'[Cg==]'* ]]
}

# install_chart CHART NAMESPACE [VALUES] [RELEASE]
install_chart() {
    local chart=$1 namespace=$2 values=${3:-} release=${4:-} arguments=()
    [ -n "$release" ] || release=${chart/base/istio-base}
    [ -z "$values" ] || arguments+=(--values "$values")
    stage "chart $chart installed" run_logged 120 "installing the chart $chart" "$VAR/log/helm-$chart.log" \
        nsenter --target "$(init_pid)" --net -- env HELM_CACHE_HOME="$VAR/helm" HELM_CONFIG_HOME="$VAR/helm" \
        HELM_DATA_HOME="$VAR/helm" "$TOOLS/wheels/helm" --kubeconfig "$VAR/pki/admin.kubeconfig" \
        install "$release" "$TOOLS/istio/charts/$chart" \
        --namespace "$namespace" --create-namespace "${arguments[@]}"
}

import_own_images() {
    local name
    for name in pause coredns pilot proxyv2; do import_image "$(image_file "$name")" || return 1; done
}

# import_image ARCHIVE: into the running containerd.
import_image() {
    run_logged 180 "importing $(basename "$1")" "$VAR/log/import-$(basename "$1" .tar).log" \
        ctr --address "$RUN/containerd.sock" --namespace k8s.io images import "$1"
}

# everything_ready SECONDS: node, CoreDNS, istiod and gateway.
everything_ready() {
    wait_until "$1" "the API server" api_answers &&
        wait_until "$1" "the node" node_is_ready &&
        wait_until "$1" "CoreDNS" available kube-system coredns &&
        wait_until "$1" "istiod" available istio-system istiod &&
        wait_until "$1" "the gateway" available istio-ingress istio-ingressgateway
}
