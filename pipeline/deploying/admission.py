"""Judge rendered manifests before anything reaches a cluster.

The restricted Pod Security Standard (kubernetes.io, "Pod Security Standards"), which a dry run of a Deployment only
warns about, and what neither it nor the schemas ask for: images by digest, resources, a read-only root file system, a
readiness probe, a NodePort in range, no secret, and no number of replicas where an autoscaler owns it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.deploying.manifests import Manifest, Object, dig, image_of
from pipeline.errors import SubjectFailed

_NODE_PORTS = range(30000, 32768)  # kube-apiserver, --service-node-port-range
# The standard's lists: "Volume Types", "Sysctls", "SELinux"; the handlers are those of "Host Probes / Lifecycle Hooks".
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
}  # fmt: skip
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
_PROBES, _HOOKS = ("livenessProbe", "readinessProbe", "startupProbe"), ("postStart", "preStop")
_HANDLERS = (*((name,) for name in _PROBES), *(("lifecycle", name) for name in _HOOKS))
_REQUIRED = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))


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
            do="correct the files under the directory that [deploy] manifests names",
        )


def _alone(manifest: Manifest) -> Iterator[str]:
    if manifest.kind == "Secret":
        yield "a Secret would be kept as evidence for all to read: create it in the cluster by other means"
    for port in manifest.body.get("spec", {}).get("ports") or () if manifest.kind == "Service" else ():
        if port.get("nodePort", _NODE_PORTS.start) not in _NODE_PORTS:
            yield f"nodePort {port['nodePort']} is outside {_NODE_PORTS.start}-{_NODE_PORTS.stop - 1}"
    if manifest.pod:
        yield from _pod(manifest)
        for container in manifest.containers():
            for check in _CONTAINER_CHECKS:
                yield from (f"container {container['name']}: {what}" for what in check(container, manifest.pod))


def _pod(manifest: Manifest) -> Iterator[str]:
    if not manifest.namespace:
        yield "it names no namespace, and would land in whichever one is current"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if manifest.pod.get(field):
            yield f"{field} gives the pod the node's own"
    yield from _node(manifest.pod)
    if manifest.pod.get("automountServiceAccountToken") is not False:
        yield "it gets a token for the cluster: set automountServiceAccountToken: false"
    for container in manifest.pod.get("containers") or ():
        if manifest.kind == "Deployment" and not container.get("readinessProbe"):
            yield f"container {container['name']}: without a readinessProbe a broken rollout looks healthy"


def _node(pod: Object) -> Iterator[str]:
    for volume in pod.get("volumes") or ():
        if "hostPath" in volume:
            yield f"volume {volume['name']} is a directory of the node"
        elif others := sorted(set(volume) - _VOLUMES - {"name"}):
            yield f"volume {volume['name']} is of a kind that the standard forbids: {', '.join(others)}"
    for sysctl in dig(pod, "securityContext").get("sysctls") or ():
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']} is none that the standard holds for safe"


def _image(container: Object, _pod: Object) -> Iterator[str]:
    if image_of(container) is None:
        yield f"image {container.get('image', '')!r} is not by digest"


def _privileges(container: Object, pod: Object) -> Iterator[str]:
    own = dig(container, "securityContext")
    inherited = {**dig(pod, "securityContext"), **own}
    if inherited.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if inherited.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if dig(inherited, "seccompProfile").get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    if own.get("privileged"):
        yield "privileged is true"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem is not true"
    if "ALL" not in (dig(own, "capabilities").get("drop") or ()):
        yield "capabilities.drop does not hold ALL"
    if set(dig(own, "capabilities").get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add holds more than NET_BIND_SERVICE"


def _host(container: Object, _pod: Object) -> Iterator[str]:
    for port in container.get("ports") or ():
        if port.get("hostPort"):
            yield f"hostPort {port['hostPort']} is a port of the node"
    for handler in _HANDLERS:
        for kind in ("httpGet", "tcpSocket"):
            if host := dig(container, *handler, kind).get("host"):
                yield f"{'.'.join(handler)}.{kind}.host has the node ask {host}"


def _confinement(container: Object, pod: Object) -> Iterator[str]:
    inherited = {**dig(pod, "securityContext"), **dig(container, "securityContext")}
    if dig(inherited, "appArmorProfile").get("type", "RuntimeDefault") not in {"RuntimeDefault", "Localhost"}:
        yield "appArmorProfile is neither RuntimeDefault nor Localhost"
    labels = dig(inherited, "seLinuxOptions")
    if labels.get("type", "") not in _SELINUX or labels.get("user") or labels.get("role"):
        yield "seLinuxOptions are others than a container's"
    if inherited.get("procMount", "Default") != "Default":
        yield "procMount is not Default"
    if dig(inherited, "windowsOptions").get("hostProcess"):
        yield "windowsOptions.hostProcess is true"


def _resources(container: Object, _pod: Object) -> Iterator[str]:
    for kind, resource in _REQUIRED:
        if resource not in dig(container, "resources", kind):
            yield f"resources.{kind}.{resource} is missing"


_CONTAINER_CHECKS: Sequence[Callable[[Object, Object], Iterator[str]]] = (
    _image,
    _privileges,
    _host,
    _confinement,
    _resources,
)


def _among(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what is wrong between objects: an autoscaler or a Service that points at nothing, or at a fixed number."""
    neighbours = [other for other in manifests if other.namespace == manifest.namespace]
    spec = dig(manifest.body, "spec")
    if manifest.kind == "HorizontalPodAutoscaler":
        wanted = dig(spec, "scaleTargetRef")
        targets = [
            other for other in neighbours if (other.kind, other.name) == (wanted.get("kind"), wanted.get("name"))
        ]
        if not targets:
            yield f"scaleTargetRef names no object here: {wanted.get('kind')} {wanted.get('name')}"
        if any("replicas" in dig(target.body, "spec") for target in targets):
            yield "its target has a `replicas` field, and each apply would undo the autoscaler's work: leave it out"
    if manifest.kind == "Service" and spec.get("selector"):
        pods = {"Pod": ("metadata", "labels")}
        labels = [
            dig(other.body, *pods.get(other.kind, ("spec", "template", "metadata", "labels"))) for other in neighbours
        ]
        if not any(spec["selector"].items() <= each.items() for each in labels):
            yield "its selector matches no pod here"
