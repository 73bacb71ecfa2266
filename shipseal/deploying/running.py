"""Compare the images that pods say they run with those that were verified. Pure.

What counts is `imageID` of a container's status (core/v1 ContainerStatus), which the kubelet fills with what its
runtime holds (`image_ref` of the CRI's ContainerStatus). It is proof only where it names the digest of a manifest:
equal, different, or unproven, and nothing is assumed. Runtimes write it as:

- `REPOSITORY@sha256:…`, containerd and CRI-O: the digest that was pulled, of an index or of one manifest;
- `docker-pullable://REPOSITORY@sha256:…`, dockershim and cri-dockerd: the same;
- `sha256:…`, `docker://sha256:…` or the bare digits: the image's configuration, when it was loaded and not pulled.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shipseal.deploying.manifests import Object, dig, entries
from shipseal.deploying.unstructured import name_of, said, text, uid_of
from shipseal.digest import Digest

_PULLED = re.compile(r"[^\s@]+@sha256:([0-9a-f]{64})")
_LOADED = re.compile(r"(?:docker://)?(?:sha256:)?([0-9a-f]{64})")
_STATUSES = ("containerStatuses", "initContainerStatuses")


class Match(StrEnum):
    """How what runs compares with what was verified."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Running:
    """What one pod says of one container; all text is fit to be shown.

    Args:
        pod: its name.
        uid: what tells it from a pod of the same name.
        node: where it runs, empty before it was given a node.
        image_id: as the kubelet reports it.
        match: whether that is a verified image.
        why: why not, empty where it is.
    """

    pod: str
    uid: str
    node: str
    image_id: str
    match: Match
    why: str


def running(pods: Sequence[Object], container: str, digests: Collection[Digest]) -> tuple[Running, ...]:
    """Compare one container of each pod, in the order of the pods.

    Args:
        pods: as the API server gives them; `pods_of` chooses those of a Deployment.
        container: its name in each of them.
        digests: what was verified: the index, and the manifests that it names. With the digests of their configurations
            among them, what was loaded and not pulled can be proved too.
    """
    return tuple(_running(pod, container, digests) for pod in pods)


def _running(pod: Object, container: str, digests: Collection[Digest]) -> Running:
    statuses = (each for key in _STATUSES for each in entries(dig(pod, "status").get(key)))
    found = [each for each in statuses if each.get("name") == container]
    image_id = found[0].get("imageID") if len(found) == 1 else None
    match, why = _compare(found, digests)
    node = said(dig(pod, "spec").get("nodeName"), 253)
    return Running(name_of(pod), said(uid_of(pod), 63), node, said(image_id), match, why)


def _compare(found: Sequence[Object], digests: Collection[Digest]) -> tuple[Match, str]:
    if len(found) != 1:
        return Match.UNPROVEN, "the node reports it twice" if found else "the node does not report the container yet"
    match, why = _compare_image(found[0].get("imageID"), digests)
    if match is Match.EQUAL and "running" not in dig(found[0], "state"):
        return Match.UNPROVEN, "the container does not run"
    return match, why


def _compare_image(image_id: object, digests: Collection[Digest]) -> tuple[Match, str]:
    if not isinstance(image_id, str) or not image_id:
        return Match.UNPROVEN, "the node does not say which image it runs"
    named = _PULLED.fullmatch(image_id) or _LOADED.fullmatch(image_id)
    if named is None:
        return Match.UNPROVEN, "the node names its image by no sha256 digest"
    if (digest := Digest("sha256", named[1])) in digests:
        return Match.EQUAL, ""
    if named.re is _LOADED:
        return Match.UNPROVEN, "the node names the image's configuration, not its manifest: it was not pulled"
    return Match.DIFFERENT, f"{digest} was not verified"


def pods_of(deployment: Object, replica_sets: Sequence[Object], pods: Sequence[Object]) -> tuple[Object, ...]:
    """Return the pods of a Deployment that are there to stay: neither being deleted nor at their end.

    By `metadata.ownerReferences` and uid, through its ReplicaSets, not by labels, which anybody's pod can have.
    """
    sets = _owned(replica_sets, [deployment])
    return tuple(pod for pod in _owned(pods, sets) if not _ending(pod))


def _owned(objects: Sequence[Object], owners: Sequence[Object]) -> tuple[Object, ...]:
    uids = {uid_of(each) for each in owners} - {""}
    return tuple(
        each
        for each in objects
        if any(text(owner.get("uid")) in uids for owner in entries(dig(each, "metadata").get("ownerReferences")))
    )


def _ending(pod: Object) -> bool:
    phase = dig(pod, "status").get("phase")
    return dig(pod, "metadata").get("deletionTimestamp") not in (None, "") or phase in ("Succeeded", "Failed")
