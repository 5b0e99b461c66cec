# shellcheck shell=bash
# One certificate authority, the certificates that it signs, and the kubeconfigs.

certificates() (
    mkdir -p "$VAR/pki"
    cd "$VAR/pki" || exit
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj /CN=alscope-cluster -keyout ca.key -out ca.crt
    local names="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    names+=",DNS:kubernetes.default.svc.cluster.local,DNS:localhost"
    certificate apiserver /CN=kube-apiserver "$names,IP:127.0.0.1,IP:$API_IP,IP:$NODE_IP"
    certificate admin /O=system:masters/CN=admin "DNS:admin"
    certificate kubelet /O=system:nodes/CN=system:node:node0 "DNS:node0,IP:$NODE_IP"
    openssl ecparam -name prime256v1 -genkey -noout -out sa.key
    openssl ec -in sa.key -pubout -out sa.pub
    kubeconfig admin https://127.0.0.1:6443 >admin.kubeconfig
    kubeconfig kubelet https://127.0.0.1:6443 >kubelet.kubeconfig
    chmod 600 ./*.key ./*.kubeconfig
)

# certificate NAME SUBJECT ALTERNATIVE-NAMES
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "$2" -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -days 30 -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
}

# kubeconfig USER SERVER: self-contained, so that it may be copied.
kubeconfig() {
    cat <<END
apiVersion: v1
kind: Config
current-context: alscope
clusters:
  - name: alscope
    cluster:
      server: $2
      certificate-authority-data: $(base64 -w 0 "$VAR/pki/ca.crt")
contexts:
  - name: alscope
    context: {cluster: alscope, user: $1}
users:
  - name: $1
    user:
      client-certificate-data: $(base64 -w 0 "$VAR/pki/$1.crt")
      client-key-data: $(base64 -w 0 "$VAR/pki/$1.key")
END
}
