# shellcheck shell=bash
# The configuration files of what runs on the node.

configuration() (
    mkdir -p "$VAR/etc/cni"
    cd "$VAR/etc" || exit
    containerd_configuration >containerd.toml
    cni_configuration >cni/10-bridge.conflist
    kubelet_configuration >kubelet.yaml
    proxy_configuration >proxy.yaml
    audit_policy >audit.yaml
)

containerd_configuration() {
    cat <<END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "$RUN/containerd.sock"

# The default is in /opt of the host.
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/alscope/pause:1"
# Without it runc fails in small virtual machines: "can't get final child's PID
# from pipe", which is really "oom_score_adj: Permission denied".
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$VAR/etc/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
END
}

cni_configuration() {
    cat <<END
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "pods",
      "isGateway": true,
      "ipMasq": false,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": "$POD_CIDR"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
END
}

kubelet_configuration() {
    cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$RUN/containerd.sock
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $VAR/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $VAR/pki/kubelet.crt
tlsPrivateKeyFile: $VAR/pki/kubelet.key
clusterDomain: cluster.local
clusterDNS: [$DNS_IP]
resolvConf: ""
cgroupDriver: cgroupfs
failSwapOn: false
volumePluginDir: /var/lib/kubelet/volume-plugins
# Images come from archives and could not be pulled again.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {}
END
    if [ "$(cgroup_version)" = 1 ]; then
        cat <<END
# Hybrid or version 1 cgroups: the kubelet's own tree of QoS classes is for version 2.
failCgroupV1: false
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
END
    fi
}

proxy_configuration() {
    cat <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $VAR/pki/admin.kubeconfig}
hostnameOverride: node0
clusterCIDR: $CLUSTER_CIDR
mode: iptables
# These would change the whole machine's settings.
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
}

# Every write, by whom and to what: what tests hold the operator to.
audit_policy() {
    cat <<END
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
END
}
