"""Give a local cluster's autoscaler figures to go by: a real metrics-server, which asks kwok what each pod uses.

What a pod uses is said by objects of kwok's, ClusterResourceUsage and ResourceUsage. All periods that decide how fast
the autoscaler follows are divided by one number; what its own object says is not touched, and whoever shortens the rest
divides that by the same. Each number that the autoscaler sets is in a log of the API server's, to the microsecond:
events and conditions tell whole seconds, in which a fast one does much.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shipseal.local.cluster_keys import METRICS_SERVER, CertificateAuthority, Pair, write
from shipseal.local.cluster_parts import ReadinessProbe, Server, free_ports

KINDS = ("Metric", "ClusterResourceUsage", "ResourceUsage")
"""The objects by which kwok is told what pods use, and how it tells."""

# Defaults of kube-controller-manager 1.35, in seconds ("kube-controller-manager" in Kubernetes' reference).
_PERIODS = {"sync-period": 15, "initial-readiness-delay": 30, "cpu-initialization-period": 300,
            "downscale-stabilization": 300}  # fmt: skip
_RESOLUTION = 15  # seconds between two looks at the nodes, in metrics-server's own manifests
# "Auditing" in Kubernetes' documentation: the numbers of pods that are set, and nothing else.
_AUDITED = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Request", "verbs": ["update"], "resources": [{"group": "apps", "resources": ["deployments/scale"]}]},
        {"level": "None"},
    ],
}


@dataclass(frozen=True)
class Usage:
    """What servers get besides, by name; one more server; and the file of what says to the API server where it is."""

    arguments: Mapping[str, tuple[str, ...]]
    server: Server
    registration: Path


def registration(directory: Path) -> Path:
    """Return where the file is that registers metrics-server, in a cluster that has one."""
    return directory / "metrics-server.json"


def audit_log(directory: Path) -> Path:
    """Return where it is written, one JSON object a line, how many pods an autoscaler has asked for and when."""
    return directory / "audit.log"


def usage(
    directory: Path, users: CertificateAuthority, proxies: CertificateAuthority, admin: tuple[Path, Pair], times: int
) -> Usage:
    """Make the keys, and say what is started besides.

    Args:
        directory: where everything of the cluster lies.
        users: certifies the servers, and the API server's clients.
        proxies: certifies the API server where it speaks for its clients.
        admin: how the administrator reaches the cluster, and is known.
        times: by which all periods are divided, at most 15: the shortest is then a second.
    """
    kubelets, port = free_ports(2)
    config, pair = admin
    serving, proxy = users.server("metrics-server"), proxies.client("proxy", "front-proxy")
    policy = write(directory / "audit.json", json.dumps(_AUDITED).encode())
    write(registration(directory), json.dumps(_registered(port, users.certificate)).encode())
    return Usage(
        {
            "kube-apiserver": (
                f"--proxy-client-cert-file={proxy.certificate}", f"--proxy-client-key-file={proxy.key}",
                f"--audit-policy-file={policy}", f"--audit-log-path={audit_log(directory)}",
            ),
            "kube-controller-manager": tuple(
                f"--horizontal-pod-autoscaler-{name}={_shorter(seconds, times)}" for name, seconds in _PERIODS.items()
            ),
            "kwok": (
                f"--enable-crds={','.join(KINDS)}", f"--server-address=127.0.0.1:{kubelets}",
                f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
            ),
        },
        Server(
            "metrics-server",
            (
                f"--kubeconfig={config}", f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}", "--bind-address=127.0.0.1", f"--secure-port={port}",
                f"--tls-cert-file={serving.certificate}", f"--tls-private-key-file={serving.key}",
                f"--kubelet-port={kubelets}", f"--kubelet-certificate-authority={users.certificate}",
                "--kubelet-preferred-address-types=InternalIP",
                f"--metric-resolution={_shorter(_RESOLUTION, times)}",
                f"--kubelet-request-timeout={_shorter(_RESOLUTION * 2 // 3, times)}",
            ),
            # /readyz says no for as long as no pod uses anything.
            ReadinessProbe(port, "/livez", users.certificate, pair),
        ),
        registration(directory),
    )  # fmt: skip


def _shorter(seconds: int, times: int) -> str:
    return f"{seconds * 1000 // times}ms"


def _registered(port: int, authority: Path) -> object:
    """Return what has the API server pass on what it is asked of `metrics.k8s.io` (kubernetes.io, "APIService v1")."""
    name, namespace = METRICS_SERVER
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        # No packet goes to a pod here, and no address of a Service leads anywhere.
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    group, version = "metrics.k8s.io", "v1beta1"
    registered = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "service": {"name": name, "namespace": namespace, "port": port},
            "caBundle": base64.b64encode(authority.read_bytes()).decode("ascii"),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, registered]}
