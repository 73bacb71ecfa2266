"""Judge a specification of pods, in whatever object it stands. Pure.

The restricted Pod Security Standard (kubernetes.io, "Pod Security Standards"), which a dry run of a Deployment only
warns about, and what neither it nor the schemas ask for: images by digest, resources, a read-only root file system.
There is no schema of the standard: its own samples (`k8s.io/pod-security-admission`, in the version that is locked for
the local cluster) are what the tests hold these rules against.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from shipseal.deploying.manifests import Object, containers_of, dig, entries, image_of, texts

# The standard's lists: "Volume Types", "Sysctls", "SELinux"; the handlers are those of "Host Probes / Lifecycle Hooks".
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
)  # fmt: skip
_SELINUX = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES = ("RuntimeDefault", "Localhost")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"  # what it was before it was a field, and still counts
_PROBES, _HOOKS = ("livenessProbe", "readinessProbe", "startupProbe"), ("postStart", "preStop")
_HANDLERS = (*((name,) for name in _PROBES), *(("lifecycle", name) for name in _HOOKS))
_REQUIRED = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))


def weaknesses(pod: Object) -> Iterator[str]:
    """Yield everything that would make the pods weaker than a shared cluster allows, container by container at the end.

    No shape is trusted: what is no list or no mapping counts as not there. The schemas say so before.
    """
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"{field} gives the pod the node's own"
    yield from _node(pod)
    yield from (f"the pod's securityContext: {what}" for what in _for_all(dig(pod, "securityContext")))
    if pod.get("automountServiceAccountToken") is not False:
        yield "it gets a token for the cluster: set automountServiceAccountToken: false"
    for container in containers_of(pod):
        for check in _CONTAINER_CHECKS:
            yield from (f"container {container.get('name')}: {what}" for what in check(container, pod))


def unconfined(value: object) -> Iterator[str]:
    """Yield the annotations of an object, and of the pods that it makes, that take a container out of AppArmor."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if (
                str(key).startswith(_APPARMOR)
                and inner != "runtime/default"
                and not str(inner).startswith("localhost/")
            ):
                yield f"annotation {key} is neither runtime/default nor localhost/"
            yield from unconfined(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from unconfined(inner)


def writable_paths(pod: Object, container: Object) -> Iterator[str]:
    """Yield where a container may write: the paths of its volumes that are made for its pods, empty and their own."""
    own = {
        str(volume.get("name"))
        for volume in entries(pod.get("volumes"))
        if any(kind in volume for kind in ("emptyDir", "ephemeral", "persistentVolumeClaim"))
    }
    for mount in entries(container.get("volumeMounts")):
        if str(mount.get("name")) in own and not mount.get("readOnly"):
            yield str(mount.get("mountPath"))


def _node(pod: Object) -> Iterator[str]:
    for volume in entries(pod.get("volumes")):
        if "hostPath" in volume:
            yield f"volume {volume.get('name')} is a directory of the node"
        elif others := sorted({str(key) for key in volume} - _VOLUMES - {"name"}):
            yield f"volume {volume.get('name')} is of a kind that the standard forbids: {', '.join(others)}"
    for sysctl in entries(dig(pod, "securityContext").get("sysctls")):
        if sysctl.get("name") not in _SYSCTLS:
            yield f"sysctl {sysctl.get('name')} is none that the standard holds for safe"


def _image(container: Object, _pod: Object) -> Iterator[str]:
    if image_of(container) is None:
        yield f"image {str(container.get('image') or '')!r} is not by digest"


def _inherited(container: Object, pod: Object) -> Mapping[str, object]:
    """Return what holds for a container: its own, else the pod's. A null says nothing, as the API server has it."""
    own = {key: value for key, value in dig(container, "securityContext").items() if value is not None}
    return {**dig(pod, "securityContext"), **own}


def _privileges(container: Object, pod: Object) -> Iterator[str]:
    own, inherited = dig(container, "securityContext"), _inherited(container, pod)
    if inherited.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if inherited.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if dig(inherited, "seccompProfile").get("type") not in _PROFILES:
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    if own.get("privileged"):
        yield "privileged is true"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem is not true"
    if "ALL" not in texts(dig(own, "capabilities").get("drop")):
        yield "capabilities.drop does not hold ALL"
    if texts(dig(own, "capabilities").get("add")) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add holds more than NET_BIND_SERVICE"


def _host(container: Object, _pod: Object) -> Iterator[str]:
    for port in entries(container.get("ports")):
        if port.get("hostPort"):
            yield f"hostPort {port['hostPort']} is a port of the node"
    for handler in _HANDLERS:
        for kind in ("httpGet", "tcpSocket"):
            if host := dig(container, *handler, kind).get("host"):
                yield f"{'.'.join(handler)}.{kind}.host has the node ask {host}"


def _for_all(context: Object) -> Iterator[str]:
    """Yield what a pod must not say for its containers, though each may say otherwise: the pod itself is one more."""
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot is not true"
    if context.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if dig(context, "seccompProfile").get("type", "RuntimeDefault") not in _PROFILES:
        yield "seccompProfile is neither RuntimeDefault nor Localhost"
    yield from _loosened(context)


def _confinement(container: Object, _pod: Object) -> Iterator[str]:
    yield from _loosened(dig(container, "securityContext"))


def _loosened(context: Object) -> Iterator[str]:
    if dig(context, "appArmorProfile").get("type", "RuntimeDefault") not in _PROFILES:
        yield "appArmorProfile is neither RuntimeDefault nor Localhost"
    labels = dig(context, "seLinuxOptions")
    if labels.get("type") not in _SELINUX or labels.get("user") or labels.get("role"):
        yield "seLinuxOptions are others than a container's"
    if (context.get("procMount") or "Default") != "Default":
        yield "procMount is not Default"
    if dig(context, "windowsOptions").get("hostProcess"):
        yield "windowsOptions.hostProcess is true"


def _resources(container: Object, _pod: Object) -> Iterator[str]:
    for kind, resource in _REQUIRED:
        if dig(container, "resources", kind).get(resource) is None:
            yield f"resources.{kind}.{resource} is missing"


_CONTAINER_CHECKS: Sequence[Callable[[Object, Object], Iterator[str]]] = (
    _image,
    _privileges,
    _host,
    _confinement,
    _resources,
)
