#!/bin/sh
# Installs K3s on this machine without the internet, the way K3s's own script from https://get.k3s.io does: same variables, same
# files, same words (docs.k3s.io/installation/configuration). Releases are taken from $INSTALL_K3S_RELEASES, one folder each.
#
#   INSTALL_K3S_VERSION=v1.36.5+k3s1 install-k3s.sh                 a server
#   K3S_URL=https://server:6443 K3S_TOKEN=… install-k3s.sh          an agent that joins it
#   install-k3s.sh server --disable=traefik                         a server with flags
#
# INSTALL_K3S_VERSION CHANNEL EXEC NAME TYPE SKIP_DOWNLOAD SKIP_ENABLE SKIP_START FORCE_RESTART SYMLINK BIN_DIR BIN_DIR_READ_ONLY
# SYSTEMD_DIR; variables that begin with K3S_ are kept for the service.
set -eu
set -o noglob

RELEASES=${INSTALL_K3S_RELEASES:-/opt/k3s-releases}
BIN_DIR=${INSTALL_K3S_BIN_DIR:-/usr/local/bin}
SYSTEMD_DIR=${INSTALL_K3S_SYSTEMD_DIR:-/etc/systemd/system}
IMAGES=${K3S_DATA_DIR:-/var/lib/rancher/k3s}/agent/images

info() { echo "[INFO]  $*"; }
fatal() {
    echo "[ERROR]  $*" >&2
    exit 1
}
is_true() { [ "${1:-}" = true ]; }

# --- a word as the shell would read it back
quote() {
    printf '%s\n' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"
}

# --- which command, which names, which files
choose() {
    case ${1:-} in
    -* | '')
        command=server
        if [ -n "${K3S_URL:-}" ]; then
            [ -n "${K3S_TOKEN:-}${K3S_TOKEN_FILE:-}" ] ||
                fatal "Defaulted k3s exec command to 'agent' because K3S_URL is defined, but K3S_TOKEN or K3S_TOKEN_FILE is not defined."
            command=agent
        fi
        ;;
    *)
        command=$1
        shift
        ;;
    esac
    case ${K3S_URL:-} in
    '' | https://*) ;;
    *) fatal "Only https:// URLs are supported for K3S_URL (have $K3S_URL)" ;;
    esac
    arguments=$command
    for word in "$@"; do
        arguments="$arguments \\
	$(quote "$word")"
    done
    name=k3s
    [ "$command" = server ] || name=k3s-$command
    [ -z "${INSTALL_K3S_NAME:-}" ] || name=k3s-$INSTALL_K3S_NAME
    case $name in *[!A-Za-z0-9.:@_-]*) fatal "Invalid characters for system name: $name" ;; esac
    unit=$SYSTEMD_DIR/$name.service
    uninstall=$BIN_DIR/$name-uninstall.sh
    killall=$BIN_DIR/k3s-killall.sh
    ! is_true "${INSTALL_K3S_BIN_DIR_READ_ONLY:-}" || INSTALL_K3S_SKIP_DOWNLOAD=true
}

# --- what is installed now, to see whether something changes
fingerprint() { sha256sum "$BIN_DIR/k3s" "$unit" "$unit.env" 2>/dev/null || true; }

# --- the releases there are, the newest last
releases() { ls "$RELEASES" 2>/dev/null | grep '^v' | sort -V; }

take_release() {
    case ${INSTALL_K3S_SKIP_DOWNLOAD:-} in
    true | binary)
        info 'Skipping k3s download and verify'
        [ -x "$BIN_DIR/k3s" ] || fatal "Executable k3s binary not found at $BIN_DIR/k3s"
        return
        ;;
    esac
    version=${INSTALL_K3S_VERSION:-}
    if [ -z "$version" ]; then
        info "Finding release for channel ${INSTALL_K3S_CHANNEL:-stable}"
        version=$(releases | tail -n 1)
    fi
    [ -f "$RELEASES/$version/k3s" ] && [ -n "$version" ] ||
        fatal "There is no release ${version:-at all} in $RELEASES. There are: $(releases | tr '\n' ' ')"
    info "Using $version as release"
    if cmp -s "$RELEASES/$version/k3s" "$BIN_DIR/k3s"; then
        info 'Skipping binary downloaded, installed k3s matches hash'
    else
        info "Installing k3s to $BIN_DIR/k3s"
        install -D -m 755 "$RELEASES/$version/k3s" "$BIN_DIR/.k3s.new"
        mv -f "$BIN_DIR/.k3s.new" "$BIN_DIR/k3s"
    fi
    # Images for machines without the internet (docs.k3s.io/installation/airgap).
    for folder in "$RELEASES/images" "$RELEASES/$version/images"; do
        [ ! -d "$folder" ] || { mkdir -p "$IMAGES" && cp -a -u "$folder/." "$IMAGES/"; }
    done
}

link_tools() {
    [ "${INSTALL_K3S_SYMLINK:-}" != skip ] || return 0
    for tool in kubectl crictl ctr; do
        there=$(command -v "$tool" 2>/dev/null || true)
        if [ "${INSTALL_K3S_SYMLINK:-}" = force ] || { [ ! -e "$BIN_DIR/$tool" ] && [ -z "$there" ]; }; then
            info "Creating $BIN_DIR/$tool symlink to k3s"
            ln -sf k3s "$BIN_DIR/$tool"
        elif [ -e "$BIN_DIR/$tool" ]; then
            info "Skipping $BIN_DIR/$tool symlink to k3s, already exists"
        else
            info "Skipping $BIN_DIR/$tool symlink to k3s, command exists in PATH at $there"
        fi
    done
}

write_killall() {
    info "Creating killall script $killall"
    cat > "$killall" << 'END'
#!/bin/sh
# Ends K3s and every container, and takes their network away. What is on disk stays.
[ "$(id -u)" -eq 0 ] || exec sudo --preserve-env=K3S_DATA_DIR "$0" "$@"
data=${K3S_DATA_DIR:-/var/lib/rancher/k3s}
for service in /etc/systemd/system/k3s*.service; do
    [ ! -s "$service" ] || systemctl stop "${service##*/}"
done
# Containers outlive K3s: each has a containerd-shim, and its processes are below that.
tree() {
    echo "$1"
    for child in $(ps -o pid= --ppid "$1"); do tree "$child"; done
}
for shim in $(ps -e -o pid= -o args= | awk -v data="$data" '$2 ~ "^(" data "/data/[^/]*|/opt/k3s-standin)/bin/containerd-shim" { print $1 }'); do
    kill -9 $(tree "$shim") 2> /dev/null
done
for place in /run/k3s /var/lib/kubelet/pods /var/lib/kubelet/plugins /run/netns/cni-; do
    awk -v place="$place" 'index($2, place) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r path; do
        umount -f "$path" 2> /dev/null || umount -l "$path"
        rm -rf "$path"
    done
done
ip netns list 2> /dev/null | awk '/^cni-/ { print $1 }' | xargs -r -n 1 ip netns delete 2> /dev/null
ip -o link show master cni0 2> /dev/null | awk -F '[ :@]+' '{ print $2 }' | xargs -r -n 1 ip link delete 2> /dev/null
for link in cni0 flannel.1 kube-ipvs0; do
    ip link delete "$link" 2> /dev/null
done
ip route flush proto 107
for table in 'ip kube-proxy' 'ip6 kube-proxy' 'ip k3s-standin' 'inet cni_hostport'; do
    nft delete table $table 2> /dev/null
done
for family in iptables ip6tables; do
    if command -v $family-save > /dev/null; then
        $family-save | grep -v KUBE- | grep -v CNI- | grep -iv flannel | $family-restore
    fi
done
rm -rf /var/lib/cni/* /run/flannel
END
    chmod 755 "$killall"
}

write_uninstall() {
    info "Creating uninstall script $uninstall"
    cat > "$uninstall" << END
#!/bin/sh
# Ends K3s and removes what its installation made. /etc/rancher/node, the machine's password, stays, as in K3s.
[ "\$(id -u)" -eq 0 ] || exec sudo --preserve-env=K3S_DATA_DIR "\$0" "\$@"
data=\${K3S_DATA_DIR:-/var/lib/rancher/k3s}
$killall
systemctl disable $name
systemctl reset-failed $name 2> /dev/null
rm -f $unit $unit.env
systemctl daemon-reload
rm -f $uninstall
if ls $SYSTEMD_DIR/k3s*.service > /dev/null 2>&1; then
    echo 'Additional k3s services installed, skipping uninstall of k3s'
    exit
fi
for tool in kubectl crictl ctr; do
    [ ! -L $BIN_DIR/\$tool ] || rm -f $BIN_DIR/\$tool
done
rm -rf /etc/rancher/k3s /run/k3s /run/flannel "\$data"
find /var/lib/kubelet -mindepth 1 -delete 2> /dev/null
rm -f $BIN_DIR/k3s $killall
END
    chmod 755 "$uninstall"
}

write_environment() {
    info "env: Creating environment file $unit.env"
    mkdir -p "$SYSTEMD_DIR"
    (umask 077 && : > "$unit.env")
    chmod 600 "$unit.env"
    export -p | sed -n 's/^export //p' | grep -E '^(K3S_|CONTAINERD_|(NO|HTTP|HTTPS|no|http|https)_(PROXY|proxy)=)' > "$unit.env" || true
}

write_unit() {
    info "systemd: Creating service file $unit"
    cat > "$unit" << END
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=${INSTALL_K3S_TYPE:-notify}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-$unit.env
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=$BIN_DIR/k3s \\
    $arguments
END
}

start_service() {
    ! is_true "${INSTALL_K3S_SKIP_ENABLE:-}" || return 0
    info "systemd: Enabling $name unit"
    systemctl enable --quiet "$unit"
    systemctl daemon-reload
    ! is_true "${INSTALL_K3S_SKIP_START:-}" || return 0
    if [ "$before" = "$(fingerprint)" ] && ! is_true "${INSTALL_K3S_FORCE_RESTART:-}"; then
        info 'No change detected so skipping service start'
        return 0
    fi
    info "systemd: Starting $name"
    systemctl restart "$name"
}

if [ "$(id -u)" -ne 0 ]; then
    # As K3s's script, which uses sudo where it is needed: what the learner set goes along.
    exec sudo --preserve-env="$(env | grep -oE '^(K3S|INSTALL_K3S|CONTAINERD)_[A-Z0-9_]*' | tr '\n' ',')PATH" -- "$0" "$@"
fi
# Words of INSTALL_K3S_EXEC come before those of the command line; only quotes in it mean something.
eval "set -- $(printf '%s' "${INSTALL_K3S_EXEC:-}" | sed 's/[][!#$&()*;<>?\\`{|}]/\\&/g') $(for word in "$@"; do quote "$word" | tr '\n' ' '; done)"
choose "$@"
before=$(fingerprint)
take_release
if ! is_true "${INSTALL_K3S_BIN_DIR_READ_ONLY:-}"; then
    link_tools
    write_killall
    write_uninstall
fi
write_environment
write_unit
start_service
