"""Judge rendered manifests before anything reaches a cluster. Pure.

Only kinds that are judged here may pass, none of them the whole cluster's, and all in one namespace; pods are judged
wherever they stand (`pods`, `rights`). Besides: a readiness probe, a NodePort in range, no secret, and no number of
replicas where an autoscaler owns it. `review` has the schemas say first whether the shapes are right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from shipseal.deploying.manifests import Manifest, Object, containers_of, dig, entries
from shipseal.deploying.pods import unconfined, weaknesses, writable_paths
from shipseal.deploying.rights import excesses
from shipseal.errors import SubjectFailed

_NODE_PORTS = range(30000, 32768)  # kube-apiserver, --service-node-port-range
_MAKE_PODS = {
    "v1": ("Pod", "PodTemplate", "ReplicationController"),
    "apps/v1": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "batch/v1": ("CronJob", "Job"),
}
# What a deploy may bring: objects of a namespace. What is the whole cluster's, or limits, admits, extends or reroutes,
# is an administrator's.
_KINDS = {
    **_MAKE_PODS,
    "v1": (
        *_MAKE_PODS["v1"],
        *("ConfigMap", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"),
    ),
    "autoscaling/v1": ("HorizontalPodAutoscaler",),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding"),
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with one object."""

    where: str
    what: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"{self.where}: {self.what}"


def problems(manifests: Sequence[Manifest]) -> tuple[Problem, ...]:
    """Return everything that is wrong with the manifests, in the order of the objects."""
    return tuple(
        Problem(manifest.title, what)
        for manifest in manifests
        for what in (*_alone(manifest), *_among(manifest, manifests))
    )


def require(found: Sequence[Problem]) -> None:
    """Raise `SubjectFailed` when there is any problem, with all of them."""
    if found:
        raise SubjectFailed(
            f"{len(found)} problem{'s' * (len(found) > 1)} in the rendered manifests",
            why=[str(problem) for problem in found],
            remedy="correct the files under the directory that [deploy] manifests names",
        )


def unmounted(manifests: Sequence[Manifest], container: str, writable: Sequence[str]) -> tuple[Problem, ...]:
    """Return where a container could write when its image was tried, and could not in the cluster.

    The other way round is no problem: what worked without a directory works with one.

    Args:
        manifests: what was rendered.
        container: the name of the service's container.
        writable: absolute paths of directories that it could write to (`smoke.writable`).
    """
    return tuple(
        Problem(manifest.title, f"container {container}: {path} is in smoke.writable, and no emptyDir is mounted there")
        for manifest in manifests
        for pod in manifest.pods()
        for each in containers_of(pod)
        if each.get("name") == container
        for path in sorted(writable)
        if PurePosixPath(path) not in map(PurePosixPath, writable_paths(pod, each))
    )


def _alone(manifest: Manifest) -> Iterator[str]:
    version = str(manifest.body.get("apiVersion"))
    if manifest.kind not in _KINDS.get(version, ()):
        yield f"{version} {manifest.kind} is not a kind that a deploy may bring: an administrator applies it, or nobody"
    elif not manifest.namespace:
        yield "it names no namespace, and would land in whichever one is current"
    if manifest.kind == "Secret":
        yield "a Secret would be kept as evidence for all to read: create it in the cluster by other means"
    if manifest.namespace.startswith("kube-"):
        yield "namespaces that begin with kube- are the cluster's own"
    if manifest.kind == "Service":
        yield from _service(manifest)
    if manifest.kind in _MAKE_PODS.get(version, ()) and not any(manifest.containers()):
        yield "it has no container"
    yield from unconfined(manifest.body)
    for pod in manifest.pods():
        yield from _pod(pod, manifest)


def _pod(pod: Object, manifest: Manifest) -> Iterator[str]:
    yield from weaknesses(pod)
    for container in entries(pod.get("containers")) if manifest.kind == "Deployment" else ():
        if not container.get("readinessProbe"):
            yield f"container {container.get('name')}: without a readinessProbe a broken rollout looks healthy"


def _service(manifest: Manifest) -> Iterator[str]:
    spec = dig(manifest.body, "spec")
    ports = entries(spec.get("ports"))
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield "it has no port"
    for port in ports:
        number = port.get("nodePort")
        if number is not None and number not in _NODE_PORTS:
            yield f"nodePort {number} is outside {_NODE_PORTS.start}-{_NODE_PORTS.stop - 1}"
    if spec.get("externalIPs"):
        yield "externalIPs take traffic that is meant for others (CVE-2020-8554)"


def _among(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what is wrong between objects: an autoscaler or a Service that points at nothing, or at a fixed number."""
    first = next((each.namespace for each in manifests if each.namespace), "")
    if manifest.namespace not in ("", first):
        yield f"it is in namespace {manifest.namespace}, and others are in {first}: a deploy changes one namespace"
    yield from excesses(manifest, manifests)
    neighbours = [other for other in manifests if other.namespace == manifest.namespace]
    spec = dig(manifest.body, "spec")
    if manifest.kind == "HorizontalPodAutoscaler":
        wanted = dig(spec, "scaleTargetRef")
        targets = [
            other for other in neighbours if (other.kind, other.name) == (wanted.get("kind"), wanted.get("name"))
        ]
        if not targets:
            yield f"scaleTargetRef names no object here: {wanted.get('kind')} {wanted.get('name')}"
        if any(dig(target.body, "spec").get("replicas") is not None for target in targets):
            yield "its target has a `replicas` field, and each apply would undo the autoscaler's work: leave it out"
    selector = dig(spec, "selector")
    if manifest.kind == "Service" and selector:
        pods = {"Pod": ("metadata", "labels"), "PodTemplate": ("template", "metadata", "labels")}
        labels = [
            dig(other.body, *pods.get(other.kind, ("spec", "template", "metadata", "labels"))) for other in neighbours
        ]
        if not any(all(each.get(key) == value for key, value in selector.items()) for each in labels):
            yield "its selector matches no pod here"
