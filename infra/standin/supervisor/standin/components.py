"""The flags that each Kubernetes component gets: K3s's own (pkg/daemons/control/server.go, pkg/daemons/agent/agent_linux.go),
and those that make a small cluster quick.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import encryption, layout
from .config import Config
from .files import write

TLS = layout.TLS


def api_server(config: Config) -> dict[str, str]:
    issuer = f"https://kubernetes.default.svc.{config.one('cluster-domain')}"
    return {
        "etcd-servers": f"unix://{layout.KINE_SOCKET}",
        "storage-backend": "etcd3",
        "bind-address": "0.0.0.0",  # noqa: S104 - as K3s
        "secure-port": "6443",
        "advertise-address": config.one("advertise-address") or config.node_ip,
        "allow-privileged": "true",
        "anonymous-auth": "false",
        "enable-bootstrap-token-auth": "true",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "api-audiences": f"{issuer},k3s",
        "service-account-issuer": issuer,
        "service-account-key-file": f"{TLS}/service.key",
        "service-account-signing-key-file": f"{TLS}/service.current.key",
        "service-cluster-ip-range": config.one("service-cidr"),
        "service-node-port-range": config.one("service-node-port-range"),
        "cert-dir": f"{TLS}/temporary-certs",
        "client-ca-file": f"{TLS}/client-ca.crt",
        "tls-cert-file": f"{TLS}/serving-kube-apiserver.crt",
        "tls-private-key-file": f"{TLS}/serving-kube-apiserver.key",
        "kubelet-certificate-authority": f"{TLS}/server-ca.crt",
        "kubelet-client-certificate": f"{TLS}/client-kube-apiserver.crt",
        "kubelet-client-key": f"{TLS}/client-kube-apiserver.key",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "requestheader-client-ca-file": f"{TLS}/request-header-ca.crt",
        "requestheader-allowed-names": "system:auth-proxy",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "proxy-client-cert-file": f"{TLS}/client-auth-proxy.crt",
        "proxy-client-key-file": f"{TLS}/client-auth-proxy.key",
        "profiling": "false",
        "v": config.one("v"),
        **_encryption(config),
    }


def _encryption(config: Config) -> dict[str, str]:
    if not config.on("secrets-encryption"):
        return {}
    return {"encryption-provider-config": str(encryption.config_file()), "encryption-provider-config-automatic-reload": "true"}


def controller_manager(config: Config) -> dict[str, str]:
    kubeconfig = f"{layout.CRED}/controller.kubeconfig"
    return {
        "controllers": "*,tokencleaner",
        "kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "service-account-private-key-file": f"{TLS}/service.current.key",
        "allocate-node-cidrs": "true",
        "service-cluster-ip-range": config.one("service-cidr"),
        "cluster-cidr": config.one("cluster-cidr"),
        "root-ca-file": f"{TLS}/server-ca.crt",
        "authentication-skip-lookup": "true",  # it would ask the API server, which is not there yet
        "client-ca-file": f"{TLS}/client-ca.crt",
        "tls-cert-file": f"{TLS}/kube-controller-manager/kube-controller-manager.crt",
        "tls-private-key-file": f"{TLS}/kube-controller-manager/kube-controller-manager.key",
        "bind-address": "127.0.0.1",
        "use-service-account-credentials": "true",
        "cluster-signing-kube-apiserver-client-cert-file": f"{TLS}/client-ca.nochain.crt",
        "cluster-signing-kube-apiserver-client-key-file": f"{TLS}/client-ca.key",
        "cluster-signing-kubelet-client-cert-file": f"{TLS}/client-ca.nochain.crt",
        "cluster-signing-kubelet-client-key-file": f"{TLS}/client-ca.key",
        "cluster-signing-kubelet-serving-cert-file": f"{TLS}/server-ca.nochain.crt",
        "cluster-signing-kubelet-serving-key-file": f"{TLS}/server-ca.key",
        "cluster-signing-legacy-unknown-cert-file": f"{TLS}/server-ca.nochain.crt",
        "cluster-signing-legacy-unknown-key-file": f"{TLS}/server-ca.key",
        "leader-elect": "false",
        "profiling": "false",
        "v": config.one("v"),
        # It makes one token per controller when it starts; its own throttle would spread that over many seconds.
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
    }


def scheduler(config: Config) -> dict[str, str]:
    kubeconfig = f"{layout.CRED}/scheduler.kubeconfig"
    return {
        "kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authentication-skip-lookup": "true",
        "client-ca-file": f"{TLS}/client-ca.crt",
        "tls-cert-file": f"{TLS}/kube-scheduler/kube-scheduler.crt",
        "tls-private-key-file": f"{TLS}/kube-scheduler/kube-scheduler.key",
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
        "profiling": "false",
        "v": config.one("v"),
        "kube-api-qps": "200",
        "kube-api-burst": "400",
    }


def kubelet(config: Config) -> dict[str, str]:
    labels = ["node.kubernetes.io/instance-type=k3s", *config.all("node-label")]
    return {
        "config-dir": str(layout.KUBELET_CONFIG),
        "kubeconfig": f"{layout.AGENT}/kubelet.kubeconfig",
        "hostname-override": config.node_name,
        "node-ip": config.node_ip,
        "node-labels": ",".join(labels),
        "register-with-taints": ",".join(config.all("node-taint")),
        "read-only-port": "0",
        "v": config.one("v"),
    }


def write_kubelet_config(config: Config) -> None:
    """The kubelet's defaults, where K3s has them: a student's own file in the same folder changes them."""
    settings = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": "0.0.0.0",  # noqa: S104 - as K3s
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "2m0s"},
            "x509": {"clientCAFile": f"{layout.AGENT}/client-ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [config.cluster_dns],
        "clusterDomain": config.one("cluster-domain"),
        "containerRuntimeEndpoint": f"unix://{layout.CONTAINERD_SOCKET}",
        "evictionHard": {"imagefs.available": "5%", "nodefs.available": "5%"},
        "evictionMinimumReclaim": {"imagefs.available": "10%", "nodefs.available": "10%"},
        "failCgroupV1": False,  # the course also runs on older hosts
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "providerID": f"k3s://{config.node_name}",
        "resolvConf": config.one("resolv-conf") or resolv_conf(),
        "serializeImagePulls": False,
        "staticPodPath": f"{layout.AGENT}/pod-manifests",
        "tlsCertFile": f"{layout.AGENT}/serving-kubelet.crt",
        "tlsPrivateKeyFile": f"{layout.AGENT}/serving-kubelet.key",
        "logging": {"verbosity": int(config.one("v"))},
        # A learner looks at a pod right after changing it; the defaults save requests that a small cluster can afford.
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }
    (layout.AGENT / "pod-manifests").mkdir(parents=True, exist_ok=True)
    write(layout.KUBELET_CONFIG / "00-k3s-defaults.conf", json.dumps(settings, indent=1).encode())


def kube_proxy(config: Config) -> dict[str, str]:
    return {
        "kubeconfig": f"{layout.AGENT}/kubeproxy.kubeconfig",
        "proxy-mode": "nftables",  # K3s: iptables; nftables asks least of the host
        "cluster-cidr": config.one("cluster-cidr"),
        "hostname-override": config.node_name,
        "healthz-bind-address": "127.0.0.1",
        "conntrack-max-per-core": "0",
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
        "v": config.one("v"),
    }


def resolv_conf() -> str:
    """The resolver file that pods with dnsPolicy Default get; one that names only this machine itself is of no use to them
    (pkg/agent/config/config.go, locateOrGenerateResolvConf)."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        if path.exists():
            servers = [line.split()[1] for line in path.read_text().splitlines() if line.startswith("nameserver ")]
            if servers and not any(server.startswith("127.") or server == "::1" for server in servers):
                return str(path)
    generated = layout.AGENT / "etc" / "resolv.conf"
    write(generated, b"nameserver 8.8.8.8\n", 0o644)
    return str(generated)
