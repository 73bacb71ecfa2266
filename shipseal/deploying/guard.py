"""Have the API server itself admit one image repository by digest, one service account and known ports. Pure.

What a namespace may run follows from its own manifests and from the name of the image, so that a deploy and the cluster
never disagree. Source: kubernetes.io, "Validating Admission Policy", and "Common Expression Language in Kubernetes".
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shipseal.deploying.manifests import Manifest, Object, dig, entries
from shipseal.errors import SubjectFailed

_VERSION = "admissionregistration.k8s.io/v1"
_MAKE_PODS = (
    ([""], ["pods", "pods/ephemeralcontainers", "replicationcontrollers"]),
    (["apps"], ["daemonsets", "deployments", "replicasets", "statefulsets"]),
    (["batch"], ["cronjobs", "jobs"]),
)
_POD = (  # dyn: one policy for all kinds, and the server checks each expression against each kind
    "has(dyn(object).spec.jobTemplate) ? dyn(object).spec.jobTemplate.spec.template.spec : "
    "has(dyn(object).spec.template) ? dyn(object).spec.template.spec : dyn(object).spec"
)
_CONTAINERS = " + ".join(
    f"(has(variables.pod.{group}) ? variables.pod.{group} : [])"
    for group in ("containers", "initContainers", "ephemeralContainers")
)


@dataclass(frozen=True)
class Guarded:
    """What may run in a namespace.

    Args:
        namespace: the namespace.
        repository: of the image, `HOST/PATH`, compared letter by letter.
        also: further images by digest, each to the letter ([deploy] also-images).
        accounts: the service accounts that pods run as.
        ports: what containers may listen on.
        node_ports: what Services may open on every node.
    """

    namespace: str
    repository: str
    also: tuple[str, ...]
    accounts: tuple[str, ...]
    ports: tuple[int, ...]
    node_ports: tuple[int, ...]


def guarded(manifests: Sequence[Manifest], repository: str, also: Sequence[str]) -> Guarded:
    """Return what rendered manifests need.

    Raises:
        SubjectFailed: they are of several namespaces, have no pods, or leave to the cluster what is to be known.
    """
    pods = [pod for each in manifests for pod in each.pods()]
    found = list(_left_open(manifests, pods))
    if found:
        raise SubjectFailed(
            "no admission policy can be made of the manifests",
            why=found,
            remedy="say it in the files under the directory that [deploy] manifests names",
        )
    containers = [each for manifest in manifests for each in manifest.containers()]
    return Guarded(
        next(each.namespace for each in manifests),
        repository,
        tuple(sorted(also)),
        tuple(sorted({str(pod["serviceAccountName"]) for pod in pods})),
        _numbers("containerPort", (port for each in containers for port in entries(each.get("ports")))),
        _numbers("nodePort", _service_ports(manifests)),
    )


def policies(what: Guarded) -> Mapping[str, tuple[Manifest, Manifest]]:
    """Return a ValidatingAdmissionPolicy with its binding for pods, and one for Services, by what they are for."""
    pods, services = f"{what.namespace}-pods", f"{what.namespace}-services"
    return {
        "pods": (_policy(pods, _MAKE_PODS, _pod_variables(what), _pod_rules(what)), _binding(pods, what)),
        "services": (
            _policy(services, (([""], ["services"]),), _service_variables(what), _service_rules(what)),
            _binding(services, what),
        ),
    }


def _left_open(manifests: Sequence[Manifest], pods: Sequence[Object]) -> Iterator[str]:
    namespaces = sorted({each.namespace for each in manifests})
    if len(namespaces) != 1 or not namespaces[0]:
        yield f"they are in {len(namespaces)} namespaces, and a policy guards one: {', '.join(namespaces)}"
    if not pods:
        yield "none of them makes a pod"
    if any(not pod.get("serviceAccountName") for pod in pods):
        yield "a pod names no serviceAccountName, and would run as whatever `default` may do"
    for manifest in manifests:
        opens = manifest.kind == "Service" and dig(manifest.body, "spec").get("type") in {"NodePort", "LoadBalancer"}
        if opens and any(not port.get("nodePort") for port in _service_ports([manifest])):
            yield f"{manifest.title}: a port names no nodePort, and the cluster would choose one"


def _service_ports(manifests: Sequence[Manifest]) -> Iterator[Object]:
    for manifest in manifests:
        if manifest.kind == "Service":
            yield from entries(dig(manifest.body, "spec").get("ports"))


def _numbers(key: str, ports: Iterator[Object]) -> tuple[int, ...]:
    return tuple(sorted({port[key] for port in ports if isinstance(port.get(key), int)}))


def _pod_variables(what: Guarded) -> Iterator[tuple[str, str]]:
    ours = f"^{re.escape(what.repository)}(:[^/@]*)?(@.*)?$"
    also = f"c.image in {_list(what.also)} || " if what.also else ""
    yield "pod", _POD
    yield "containers", _CONTAINERS
    yield "strange", f"variables.containers.filter(c, !({also}c.image.matches({_text(ours)})))"
    yield "loose", "variables.containers.filter(c, !c.image.matches('^[^@]+@sha256:[0-9a-f]{64}$'))"
    yield "tagged", "variables.containers.filter(c, c.image.split('@')[0].matches(':[^/]*$'))"
    yield "account", "has(variables.pod.serviceAccountName) ? string(variables.pod.serviceAccountName) : 'default'"
    wrong = f"!(p.containerPort in {list(what.ports)}) || (has(p.hostPort) && p.hostPort != 0)"
    yield "listening", f"variables.containers.filter(c, has(c.ports) && c.ports.exists(p, {wrong}))"


def _pod_rules(what: Guarded) -> Iterator[tuple[str, str, str]]:
    named = "variables.{0}.map(c, string(c.name) + ' (' + string(c.image) + ')').join(', ')"
    ours = f"images come from {what.repository} alone; another case, host or port is another repository"
    yield "size(variables.strange) == 0", ours, named.format("strange")
    yield "size(variables.loose) == 0", "images are named by digest: NAME@sha256:…", named.format("loose")
    tagged = "an image has no tag beside its digest: :latest and every other can be moved"
    yield "size(variables.tagged) == 0", tagged, named.format("tagged")
    accounts = f"pods run as {' or '.join(what.accounts)}"
    yield f"variables.account in {_list(what.accounts)}", accounts, "variables.account"
    ports = f"containers listen on {' and '.join(map(str, what.ports)) or 'no port'}, and never on the node's own"
    yield "size(variables.listening) == 0", ports, named.format("listening")


def _service_variables(what: Guarded) -> Iterator[tuple[str, str]]:
    ports = "has(object.spec.ports) ? object.spec.ports : []"
    wrong = f"has(p.nodePort) && p.nodePort != 0 && !(p.nodePort in {list(what.node_ports)})"
    yield "opened", f"({ports}).filter(p, {wrong})"


def _service_rules(what: Guarded) -> Iterator[tuple[str, str, str]]:
    ports = f"Services open {' and '.join(map(str, what.node_ports)) or 'no port'} on the nodes"
    yield "size(variables.opened) == 0", ports, "variables.opened.map(p, string(p.nodePort)).join(', ')"


def _policy(
    name: str,
    resources: Sequence[tuple[list[str], list[str]]],
    variables: Iterator[tuple[str, str]],
    rules: Iterator[tuple[str, str, str]],
) -> Manifest:
    matched = [
        {"apiGroups": groups, "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": kinds}
        for groups, kinds in resources
    ]
    spec: dict[str, object] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": matched},
        "variables": [{"name": variable, "expression": expression} for variable, expression in variables],
        "validations": [
            {"expression": expression, "message": message, "messageExpression": f"{_text(message + ': ')} + {shown}"}
            for expression, message, shown in rules
        ],
    }
    kind = "ValidatingAdmissionPolicy"
    return Manifest({"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})


def _binding(name: str, what: Guarded) -> Manifest:
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": what.namespace}}}
    spec = {"policyName": name, "validationActions": ["Deny", "Audit"], "matchResources": here}
    kind = "ValidatingAdmissionPolicyBinding"
    return Manifest({"apiVersion": _VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    """Return a text as CEL writes it; its escapes are a superset of JSON's (language definition, "String Literals")."""
    return json.dumps(text, ensure_ascii=False)
