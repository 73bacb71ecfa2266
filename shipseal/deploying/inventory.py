"""Know which objects of a namespace are a deploy's own, so that those it brings no more can be deleted. Pure.

By the ApplySet convention of kubectl (KEP-3659, "Design Details: ApplySet Specification"; k8s.io/kubectl v0.35.4,
pkg/cmd/apply/applyset.go): a parent object, here a ConfigMap, says which kinds are in the set, and each member carries
a label with the set's identifier. So other tools see whose the objects are, and `kubectl` refuses to touch the set.

Before an apply the parent names the kinds of before and of now, and after the deletion those of now alone: a run that
is killed between them leaves no object that nobody looks for.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Iterable

from shipseal.deploying.manifests import Manifest, Object, dig, entries
from shipseal.deploying.unstructured import said, text, uid_of
from shipseal.errors import SubjectFailed

_SPECIFICATION = "applyset.kubernetes.io/"
_ID = f"{_SPECIFICATION}id"
PART_OF = f"{_SPECIFICATION}part-of"
_TOOLING = f"{_SPECIFICATION}tooling"
_KINDS = f"{_SPECIFICATION}contains-group-kinds"
# KIND or KIND.GROUP, with a group as RFC 1123 has it.
_KIND = re.compile(r"([A-Z][A-Za-z0-9]{0,62})(?:\.([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?))?")
_MOST_KINDS = 100


def identifier(name: str, namespace: str) -> str:
    """Return the identifier of the set whose parent is a ConfigMap, which is the value of a label."""
    hashed = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(hashed).decode().rstrip('=')}-v1"


def kind_of(manifest: Manifest) -> str:
    """Return how a parent names the kind of an object: `Service`, `Deployment.apps`."""
    kind, group, *_ = _key(manifest.body)
    return f"{kind}.{group}" if group else kind


def parent(name: str, namespace: str, tooling: str, kinds: Iterable[str]) -> Manifest:
    """Return the parent of a set.

    Args:
        name: of the ConfigMap.
        namespace: its own and its members'.
        tooling: whose the set is, `NAME/VERSION`; tools of another name leave it alone.
        kinds: of all members, as `kind_of` names them.
    """
    annotations = {_TOOLING: tooling, _KINDS: ",".join(sorted(set(kinds)))}
    labels = {_ID: identifier(name, namespace)}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
    return Manifest({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def member(manifest: Manifest, identifier: str) -> Manifest:
    """Return an object as a member of a set: the label is its own, and not that of the pods which it makes.

    Raises:
        SubjectFailed: its own manifest says that it is of another set.
    """
    labels = dig(manifest.body, "metadata", "labels")
    if labels.get(PART_OF) not in (None, identifier):
        raise SubjectFailed(
            f"{manifest.title} says that it is of another set of objects",
            why=f"its label {PART_OF} is {said(labels.get(PART_OF)) or 'no text'}",
            remedy="remove the label from its manifest: a deploy sets it",
        )
    metadata = {**dig(manifest.body, "metadata"), "labels": {**labels, PART_OF: identifier}}
    return Manifest({**manifest.body, "metadata": metadata})


def refusal(body: Object, wanted: Manifest) -> str:
    """Return why a ConfigMap of the cluster is not the parent that `wanted` would be; empty when it is."""
    labels, annotations = dig(body, "metadata", "labels"), dig(body, "metadata", "annotations")
    wanted_id = dig(wanted.body, "metadata", "labels")[_ID]
    if labels.get(_ID) != wanted_id:
        return f"its label {_ID} is not {wanted_id}"
    tooling = text(annotations.get(_TOOLING))
    if _tool(tooling) != _tool(dig(wanted.body, "metadata", "annotations")[_TOOLING]):
        return f"its annotation {_TOOLING} says that it is of {said(tooling) or 'nobody'}"
    return ""


def _tool(tooling: str) -> str:
    return tooling.rpartition("/")[0] or tooling


def kinds_of(parent_body: Object) -> tuple[tuple[str, str], ...]:
    """Return the kinds that a parent names, each with its group, empty for the core's; what is no kind is left out.

    Anybody who may change the ConfigMap may have written it: what is named here need not be a kind of a deploy.
    """
    named = text(dig(parent_body, "metadata", "annotations").get(_KINDS)).split(",")[:_MOST_KINDS]
    found = [_KIND.fullmatch(each) for each in named]
    return tuple(dict.fromkeys((each[1], each[2] or "") for each in found if each))


def strays(listed: Iterable[Object], identifier: str, kept: Collection[Manifest]) -> tuple[Object, ...]:
    """Return the objects that carry a set's label and are not in it any more.

    Args:
        listed: objects of the cluster, each with `kind` and `apiVersion`, which the API's lists leave out. One without
            kind, name or uid is no stray: nobody could say what would be deleted. Nor is one that another object owns:
            controllers hand labels on, those of a Service to its EndpointSlices.
        identifier: of the set.
        kept: all that the set holds now, members or not yet.
    """
    keys = {_key(each.body) for each in kept}
    return tuple(each for each in listed if _is_member(each, identifier) and _key(each) not in keys)


def _is_member(body: object, identifier: str) -> bool:
    kind, _, _, name = _key(body)
    marked = dig(body, "metadata", "labels").get(PART_OF) == identifier
    return bool(marked and kind and name and uid_of(body)) and not entries(dig(body, "metadata").get("ownerReferences"))


def _key(body: object) -> tuple[str, str, str, str]:
    """Return what an object is told from others by: kind, group, namespace, name. Its version is none of it."""
    metadata, group = dig(body, "metadata"), text(dig(body).get("apiVersion")).rpartition("/")[0]
    return text(dig(body).get("kind")), group, text(metadata.get("namespace")), text(metadata.get("name"))
