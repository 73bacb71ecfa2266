"""Say which servers a local cluster is made of, and how each is started.

Everything listens on loopback, asks for a certificate, and keeps what it knows in one directory.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from shipseal.local.cluster_keys import CertificateAuthority, Pair, kubeconfig, private_key
from shipseal.local.cluster_parts import ReadinessProbe, Server, free_ports
from shipseal.local.cluster_usage import usage

_PROXY = "--requestheader-"


@dataclass(frozen=True)
class Trusted:
    """The certificates of those who certify the API server's clients, its proxies, and the members of its storage."""

    clients: Path
    proxies: Path
    storage: Path


def deployers_kubeconfig(directory: Path) -> Path:
    """Return where `plan` writes how somebody in the group of deployers reaches the cluster."""
    return directory / "deployer.kubeconfig"


def plan(directory: Path, deployers: str = "", autoscaler: int = 0) -> tuple[Path, list[Server]]:
    """Make keys and certificates in a directory; return the administrator's kubeconfig, and the servers in order.

    Where a group of deployers is named, a kubeconfig of somebody in it is made as well. With a number for the
    autoscaler there is a metrics-server, and periods are shorter by that (see `cluster_usage`).
    """
    etcd, peer, api, manager, scheduler = free_ports(5)
    authority, proxies, storage = (
        CertificateAuthority(directory, name) for name in ("cluster", "front-proxy", "storage")
    )
    serving, member = authority.server("server"), storage.server("etcd")
    tokens = private_key(directory / "service-accounts.key")
    users = {
        "admin": authority.client("admin", "admin", "system:masters"),
        "manager": authority.client("manager", "system:kube-controller-manager"),
        "scheduler": authority.client("scheduler", "system:kube-scheduler"),
    }
    if deployers:
        users["deployer"] = authority.client("deployer", "deployer", deployers)
    configs = {
        name: kubeconfig(directory / f"{name}.kubeconfig", f"https://127.0.0.1:{api}", authority.certificate, pair)
        for name, pair in users.items()
    }
    trusted = Trusted(authority.certificate, proxies.certificate, storage.certificate)

    def asked(port: int, path: str) -> ReadinessProbe:
        return ReadinessProbe(port, path, trusted.clients, users["admin"])

    servers = [
        Server("etcd", _etcd(directory, etcd, peer, trusted.storage, member),
               ReadinessProbe(etcd, "/readyz", trusted.storage, member)),
        Server("kube-apiserver", _api_server(api, etcd, trusted, serving, member, tokens), asked(api, "/readyz")),
        Server("kube-controller-manager", (
            *_component(configs["manager"], manager, serving), *_controllers(tokens, trusted.clients)
        ), asked(manager, "/healthz")),
        Server("kube-scheduler", _component(configs["scheduler"], scheduler, serving), asked(scheduler, "/healthz")),
        Server("kwok", (
            f"--kubeconfig={configs['admin']}", "--manage-all-nodes=true", "--node-ip=127.0.0.1",
            "--enable-crds=Stage", "--config=/dev/null",
            "--cidr=198.18.0.0/15",  # RFC 2544: what is asked of a pod reaches nobody's machine
            "--node-lease-duration-seconds=40",  # as a kubelet's; otherwise there are none, and nodes are soon lost
        )),
    ]  # fmt: skip
    if autoscaler:
        more = usage(directory, authority, proxies, (configs["admin"], users["admin"]), autoscaler)
        given = {each.name: (*each.arguments, *more.arguments.get(each.name, ())) for each in servers}
        servers = [*(replace(each, arguments=given[each.name]) for each in servers), more.server]
    return configs["admin"], servers


def _controllers(tokens: Path, authority: Path) -> tuple[str, ...]:
    return (
        "--use-service-account-credentials=true", f"--service-account-private-key-file={tokens}",
        f"--root-ca-file={authority}", "--controllers=*,-nodeipam,-cloud-node-lifecycle",
        "--kube-api-qps=500", "--kube-api-burst=1000",  # at its own pace a rollout takes seconds
    )  # fmt: skip


def _etcd(directory: Path, port: int, peer_port: int, authority: Path, pair: Pair) -> tuple[str, ...]:
    url, peer = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{peer_port}"
    return (
        "--name=local", f"--data-dir={directory / 'etcd'}", "--log-level=warn",
        "--unsafe-no-fsync",  # what it holds need not survive this machine's end
        f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=local={peer}",
        *(
            argument
            for side in ("", "peer-")
            for argument in (f"--{side}cert-file={pair.certificate}", f"--{side}key-file={pair.key}",
                             f"--{side}trusted-ca-file={authority}", f"--{side}client-cert-auth")
        ),
    )  # fmt: skip


def _api_server(
    port: int, etcd_port: int, trusted: Trusted, serving: Pair, member: Pair, tokens: Path
) -> tuple[str, ...]:
    return (
        f"--etcd-servers=https://127.0.0.1:{etcd_port}", f"--etcd-cafile={trusted.storage}",
        f"--etcd-certfile={member.certificate}", f"--etcd-keyfile={member.key}",
        "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}",
        "--endpoint-reconciler-type=none",  # it would not have loopback for an endpoint
        f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={trusted.clients}",
        # An authority of its own: one that also certifies users would let each of them say that it is another.
        f"{_PROXY}client-ca-file={trusted.proxies}", f"{_PROXY}allowed-names=front-proxy",
        f"{_PROXY}username-headers=X-Remote-User",
        f"{_PROXY}group-headers=X-Remote-Group", f"{_PROXY}extra-headers-prefix=X-Remote-Extra-",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={tokens}", f"--service-account-signing-key-file={tokens}",
        "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=Node,RBAC", "--anonymous-auth=false",
        "--enable-admission-plugins=NodeRestriction",  # besides the default ones, of which PodSecurity is one
        "--allow-privileged=true", "--profiling=false",
    )  # fmt: skip


def _component(config: Path, port: int, serving: Pair) -> tuple[str, ...]:
    """Return what the controller manager and the scheduler have in common."""
    return (
        f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1", f"--secure-port={port}", "--leader-elect=false", "--profiling=false",
        f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
    )  # fmt: skip
