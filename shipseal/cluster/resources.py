"""Say where in the API an object is (kubernetes.io, "API concepts", Resource URIs). Pure."""

from urllib.parse import quote

from shipseal.deploying.manifests import Manifest
from shipseal.deploying.platform import resource_of
from shipseal.errors import UsageError

# The versions that a deploy speaks, for what is known by its group alone. All are stable since 1.23 at the latest.
_VERSIONS = {
    "": "v1",
    "apps": "v1",
    "authorization.k8s.io": "v1",
    "autoscaling": "v2",
    "batch": "v1",
    "coordination.k8s.io": "v1",
    "networking.k8s.io": "v1",
    "policy": "v1",
    "rbac.authorization.k8s.io": "v1",
    "scheduling.k8s.io": "v1",
}


def path(manifest: Manifest) -> str:
    """Return where an object is, or will be: what a patch, a get and a delete go to."""
    return member(collection_of(manifest), manifest.name)


def collection_of(manifest: Manifest) -> str:
    """Return where the objects of a manifest's kind and namespace are, in the version that it is written in."""
    _, resource = resource_of(manifest)
    return _collection(manifest.api_version, manifest.namespace, resource)


def is_known(group: str) -> bool:
    """Say whether it is known which version of an API group is spoken."""
    return group in _VERSIONS


def collection(namespace: str, group: str, resource: str) -> str:
    """Return where the objects of a kind are: in a namespace, or of the whole cluster where it is empty.

    Raises:
        UsageError: nobody has said which version of that group is spoken here.
    """
    if group not in _VERSIONS:
        known = ", ".join(each or "core" for each in _VERSIONS)
        raise UsageError(f"no version is known of the API group {group!r}", remedy=f"take one of these: {known}")
    version = f"{group}/{_VERSIONS[group]}" if group else _VERSIONS[group]
    return _collection(version, namespace, resource)


def member(collection: str, name: str, *below: str) -> str:
    """Return where one object of a collection is, or what is below it: `log`, `proxy` and a path, `status`."""
    return "/".join((collection, *(quote(each, safe="") for each in (name, *below))))


def _collection(api_version: str, namespace: str, resource: str) -> str:
    group, slash, version = api_version.rpartition("/")
    root = ("apis", group, version) if slash else ("api", version)
    where = ("namespaces", namespace) if namespace else ()
    return "/" + "/".join(quote(each, safe="") for each in (*root, *where, resource))
