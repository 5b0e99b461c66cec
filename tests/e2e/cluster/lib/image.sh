# shellcheck shell=bash
# Builds images without a container engine: root file systems from Debian packages,
# archives by buildah. Each build has a storage of its own that is thrown away, so
# there is no state that an interrupted build could spoil.

# build_image ARCHIVE REFERENCE CONTAINERFILE CONTEXT [BASE-ARCHIVE]
build_image() {
    local archive=$1 reference=$2 containerfile=$3 context=$4 base=${5:-} work arguments=()
    work=$(mktemp -d "$CACHE/image.XXXXXX")
    TEMPORARY+=("$work")
    mkdir -p "$(dirname "$archive")"
    [ -z "$base" ] || arguments+=(--build-arg "BASE=oci-archive:$base")
    # Mounts that a build makes end with it, even when it is killed.
    local buildah=(unshare --mount --propagation private buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
    run_logged 300 "building $reference" "$work/log" env BUILDAH_ISOLATION=chroot TMPDIR="$work" \
        "${buildah[@]}" build --pull-never --timestamp 0 --layers=false "${arguments[@]}" \
        --file "$containerfile" --tag "$reference" "$context"
    run_logged 120 "writing $reference" "$work/log" env TMPDIR="$work" \
        "${buildah[@]}" push --disable-compression "$reference" "oci-archive:$work/archive:$reference"
    mv "$work/archive" "$archive"
    rm -rf "$work"
}

# debian_root DIRECTORY LIST: unpacks the packages that the list names, as the
# machine's own package sources serve and sign them; no installation script runs.
debian_root() {
    local directory=$1 list=$2 names work
    mapfile -t names < <(grep -vE '^(#|$)' "$list")
    work=$(mktemp -d "$CACHE/packages.XXXXXX")
    TEMPORARY+=("$work")
    download "$work" "${names[@]}"
    mkdir -p "$directory"
    find "$work" -name '*.deb' -exec dpkg-deb --extract {} "$directory" \;
    rm -rf "$work"
    (cd "$directory" && finish_root)
}

# The machine's lists of packages may be missing, or too old for what the mirror serves.
download() (
    cd "$1" || exit
    apt=(apt-get -o APT::Sandbox::User=root)
    timeout 300 "${apt[@]}" download "${@:2}" >log 2>&1 || {
        run_logged 300 "apt-get update" log "${apt[@]}" update || true
        run_logged 300 "fetching Debian packages" log "${apt[@]}" download "${@:2}"
    }
)

# What the packages' installation scripts would do, as far as images need it.
finish_root() {
    mkdir -p etc/ssl/certs tmp home/nonroot root var/lib run proc sys dev
    chmod 1777 tmp
    chown 65532:65532 home/nonroot
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >etc/passwd
    printf 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n' >etc/group
    printf 'hosts: files dns\n' >etc/nsswitch.conf
    if [ -d usr/share/ca-certificates ]; then
        find usr/share/ca-certificates -name '*.crt' -print0 | sort -z | xargs -0 cat >etc/ssl/certs/ca-certificates.crt
    fi
    if [ -e bin/busybox ]; then
        ln -s busybox bin/sh
    fi
    if [ -e usr/sbin/xtables-nft-multi ]; then
        local command
        for command in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
            ln -sf xtables-nft-multi "usr/sbin/$command"
        done
    fi
    rm -rf usr/share/doc usr/share/man usr/share/lintian usr/share/locale
}
