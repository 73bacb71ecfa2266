"""Read what an administrator has prepared for deploys: one namespace, and the rights in it. Pure.

The rights are those of every Role that a RoleBinding gives to a group. They stand in the manifests and nowhere else: a
deploy asks the cluster for each of them, and brings no object that they do not allow.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shipseal.deploying.admission import Problem
from shipseal.deploying.manifests import Manifest, Object, dig, entries, texts
from shipseal.deploying.rights import overreach
from shipseal.errors import SubjectFailed

_POD_SECURITY = "pod-security.kubernetes.io/"
_WHOLE_STANDARD = 25  # Kubernetes 1.25, the first in which pod security admission is stable
# What the server asks of whoever applies: it reads, makes what is not there, and changes what is (kubernetes.io,
# "Server-Side Apply").
_TO_APPLY = ("create", "get", "patch")


@dataclass(frozen=True, order=True)
class Right:
    """One thing that may be done: a verb, on one resource (`pods/log` is one), in one namespace, to all or one name."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Return it as `kubectl auth can-i` takes it: `patch deployments.apps`, and where."""
        resource, slash, below = self.resource.partition("/")
        kind = f"{resource}.{self.group}" if self.group else resource
        return f"{self.verb} {kind}{slash}{below}{f' {self.name}' if self.name else ''} in {self.namespace}"

    @property
    def attributes(self) -> Mapping[str, str]:
        """Return `spec.resourceAttributes` of a SelfSubjectAccessReview (authorization.k8s.io/v1)."""
        resource, _, below = self.resource.partition("/")
        asked = {"namespace": self.namespace, "verb": self.verb, "group": self.group, "resource": resource}
        return {**asked, "subresource": below, "name": self.name}


@dataclass(frozen=True)
class ClusterPlatform:
    """The namespace that deploys change, and what they may do there and elsewhere."""

    namespace: str
    rights: frozenset[Right]

    def outside(self, manifests: Sequence[Manifest]) -> tuple[Problem, ...]:
        """Return where a manifest is in another namespace, or of a kind that whoever deploys may not apply."""
        return tuple(Problem(each.title, what) for each in manifests for what in self._outside(each))

    def _outside(self, manifest: Manifest) -> Iterator[str]:
        if manifest.namespace != self.namespace:
            yield f"it is in namespace {manifest.namespace or '(none)'}, and a deploy changes {self.namespace} alone"
        group, resource = resource_of(manifest)
        if lacking := [verb for verb in _TO_APPLY if Right(self.namespace, group, resource, verb) not in self.rights]:
            yield (
                f"whoever deploys has no right to {', '.join(lacking)} {resource}: an administrator adds it to the "
                "Role of the platform, or applies the object"
            )


def resource_of(manifest: Manifest) -> tuple[str, str]:
    """Return the API group and the resource of an object."""
    group, slash, _ = manifest.api_version.partition("/")
    return group if slash else "", resource(manifest.kind)


def resource(kind: str) -> str:
    """Return the resource of a kind, by the rule of `meta.UnsafeGuessKindToResource`."""
    name = kind.lower()
    return f"{name}es" if name.endswith("s") else f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def read(manifests: Sequence[Manifest]) -> ClusterPlatform:
    """Return what rendered manifests of a platform give.

    Raises:
        SubjectFailed: they make no one namespace of the restricted standard, or give no group rights to ask for.
    """
    namespaces = [each for each in manifests if each.kind == "Namespace"]
    found = [Problem(each.title, what) for each in namespaces for what in _namespace(each)]
    if len(namespaces) != 1:
        found.append(Problem("the platform", f"it makes {len(namespaces) or 'no'} namespaces, and deploys need one"))
    given = frozenset[Right]()
    for binding in (each for each in manifests if each.kind == "RoleBinding" and _for_a_group(each)):
        rules = _rules(binding, manifests)
        found += [Problem(binding.title, what) for what in _unusable(rules)]
        given |= frozenset(right for rule in rules for right in _rights(binding.namespace, rule))
    if not given and not found:
        found.append(Problem("the platform", "no RoleBinding of it gives a group any right"))
    if found:
        raise SubjectFailed(
            "nothing can be deployed upon this platform",
            why=[str(each) for each in found],
            remedy="correct the files under the directory that [deploy] platform names",
        )
    return ClusterPlatform(namespaces[0].name, given)


def _for_a_group(binding: Manifest) -> bool:
    return any(each.get("kind") == "Group" for each in entries(binding.body.get("subjects")))


def _rules(binding: Manifest, manifests: Sequence[Manifest]) -> tuple[Object, ...]:
    role = dig(binding.body, "roleRef")
    wanted = (role.get("kind"), role.get("name"), binding.namespace)
    return tuple(
        rule
        for each in manifests
        if (each.kind, each.name, each.namespace) == wanted
        for rule in entries(each.body.get("rules"))
    )


def _unusable(rules: Sequence[Object]) -> Iterator[str]:
    if not rules:
        yield "its roleRef names no Role here that has rules"
    for rule in rules:
        yield from overreach(rule)


def _rights(namespace: str, rule: Object) -> Iterator[Right]:
    for group in texts(rule.get("apiGroups")):
        for resource in texts(rule.get("resources")):
            for verb in texts(rule.get("verbs")):
                for name in texts(rule.get("resourceNames")) or {""}:
                    yield Right(namespace, group, resource, verb, name)


def _namespace(manifest: Manifest) -> Iterator[str]:
    """Yield where a Namespace asks for less than the restricted standard, or for that of long ago."""
    labels = dig(manifest.body, "metadata", "labels")
    if manifest.name.startswith("kube-"):
        yield "namespaces that begin with kube- are the cluster's own"
    if labels.get(f"{_POD_SECURITY}enforce") is None:
        yield f"{_POD_SECURITY}enforce: restricted is missing, and nothing keeps pods of root out"
    for label, value in labels.items():
        mode = str(label).removeprefix(_POD_SECURITY)
        if mode == label or value is None:
            continue
        if not mode.endswith("-version"):
            if value != "restricted":
                yield f"{label}: {value} is weaker than restricted"
        elif value != "latest" and not _since(str(value)):
            yield f"{label}: {value} is a standard of before v1.{_WHOLE_STANDARD}"


def _since(version: str) -> bool:
    minor = version.removeprefix("v1.")
    return minor != version and minor.isdecimal() and int(minor[:4]) >= _WHOLE_STANDARD
