"""Judge rights that manifests give in a cluster: few, named, to the service's own account, in its own namespace. Pure.

After kubernetes.io, "Role Based Access Control Good Practices", "Kubernetes RBAC - privilege escalation risks". What
holds in a whole cluster (ClusterRole, ClusterRoleBinding) is no kind that a deploy may bring at all.
"""

from collections.abc import Iterator, Sequence

from shipseal.deploying.manifests import Manifest, Object, dig, entries, texts

_VERBS = {"escalate": "more rights than its own", "bind": "roles that it does not have", "impersonate": "other names"}
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_READ_TOO = frozenset({
    "secrets", "serviceaccounts/token", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers",
    "pods/proxy", "services/proxy", "nodes/proxy",
})  # fmt: skip
_NOT_WRITTEN = frozenset({
    "pods", "podtemplates", "replicationcontrollers", "deployments", "statefulsets", "daemonsets", "replicasets",
    "jobs", "cronjobs", "roles", "rolebindings", "clusterroles", "clusterrolebindings", "serviceaccounts",
    "namespaces", "networkpolicies", "persistentvolumes", "certificatesigningrequests",
})  # fmt: skip


def excesses(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what a Role or a RoleBinding gives away that could become the whole cluster, or hide what runs in it."""
    if manifest.kind == "Role":
        for rule in entries(manifest.body.get("rules")):
            yield from _rule(rule)
    if manifest.kind == "RoleBinding":
        yield from _binding(manifest, manifests)


def overreach(rule: Object) -> Iterator[str]:
    """Yield what no rule may hold, whoever it is for: a wildcard, or a verb that gives more than it says."""
    for field in ("apiGroups", "resources", "verbs"):
        if any("*" in each for each in texts(rule.get(field))):
            yield f"a rule's {field} hold a wildcard: name each"
    if rule.get("nonResourceURLs"):
        yield "a rule speaks of nonResourceURLs, which are the whole cluster's"
    verbs = texts(rule.get("verbs"))
    yield from (f"the verb {verb} gives {_VERBS[verb]}" for verb in sorted(verbs & _VERBS.keys()))


def _rule(rule: Object) -> Iterator[str]:
    verbs, resources = texts(rule.get("verbs")), texts(rule.get("resources"))
    yield from overreach(rule)
    yield from (f"rights on {each} are rights on the cluster" for each in sorted(resources & _READ_TOO))
    if verbs & _WRITES:
        yield from (f"who writes {each} decides what runs, unverified" for each in sorted(resources & _NOT_WRITTEN))


def _binding(manifest: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    role = dig(manifest.body, "roleRef")
    here = [each.name for each in manifests if (each.kind, each.namespace) == ("Role", manifest.namespace)]
    if (role.get("kind"), role.get("name")) != ("ClusterRole", "view") and (
        role.get("kind") != "Role" or role.get("name") not in here
    ):
        yield f"roleRef names {role.get('kind')} {role.get('name')}, which is not a Role here that could be judged"
    for subject in entries(manifest.body.get("subjects")):
        own = subject.get("kind") == "ServiceAccount" and subject.get("namespace") in (None, "", manifest.namespace)
        if not own:
            yield f"it gives rights to {subject.get('kind')} {subject.get('name')}: only to an account of its namespace"
