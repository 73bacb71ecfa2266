"""Tell the chain from source to cluster, each link with its digest, once. Pure.

A digest is what a record says of a file, or what a stage has written; a link that no stage has made is said to be
missing, and never left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shipseal.reporting.summary import Summary

WIDTH, BOX, GAP = 960, 146, 16.8
_MOST = 200  # links of one kind
KINDS = ("source", "wheel", "image", "statements", "tags", "cluster")


@dataclass(frozen=True)
class Link:
    """One thing of the chain: its kind, its name, its digest, what is to be said of it, and the file that says it."""

    kind: str
    name: str
    digest: str
    says: str
    source: str


@dataclass(frozen=True)
class Station:
    """All links of one kind, as one box of the picture; `x` is where it stands."""

    kind: str
    x: float
    links: tuple[Link, ...]
    said: str


def chain(summary: Summary) -> tuple[Station, ...]:
    """Return every kind in order; one of which nothing is there has no links and says so."""
    stations = []
    for index, kind in enumerate(KINDS):
        try:
            links, said = tuple(islice(_MADE[kind](summary), _MOST)), ""
        except KeyError:
            links, said = (), "not there"
        except (TypeError, AttributeError, ValueError, IndexError):
            links, said = (), "not known: of an unknown shape"
        stations.append(Station(kind, index * (BOX + GAP), links, said if said or links else "not there"))
    return tuple(stations)


def _source(summary: Summary) -> Iterator[Link]:
    facts = summary.documents["facts/facts.json"]
    state = "with changes that are in no commit" if facts["dirty"] else "exactly as committed"
    revision, tree = str(facts["revision"]), str(facts.get("tree") or "no digest of the tree")
    yield Link("source", f"revision {revision}", tree, state, "facts/facts.json")


def _wheel(summary: Summary) -> Iterator[Link]:
    for name, digest in sorted(summary.products.items()):
        if name.startswith("build/wheels/") and name.endswith(".whl"):
            yield Link("wheel", name.rpartition("/")[2], digest, "built from that source", name)


def _image(summary: Summary) -> Iterator[Link]:
    image, where = summary.documents["image/image.json"], "image/image.json"
    digest = str(image.get("digest") or str(image["reference"]).partition("@")[2])
    yield Link("image", "index", digest, str(image["reference"]).partition("@")[0], where)
    for platform, details in image["platforms"].items():
        yield Link("image", str(platform), str(details["digest"]), f"{details['size']:,} bytes as pulled", where)


def _statements(summary: Summary) -> Iterator[Link]:
    verified = {str(each["bundle"]): each for each in _verification(summary).get("statements", ())}
    for name, digest in sorted(summary.products.items()):
        if name.startswith("attest/bundles/"):
            kind = name.rpartition("/")[2].removesuffix(".sigstore.json")
            each = verified.get(digest)
            says = f"verified: {each['type']}" if each else "signed; not verified by this run"
            yield Link("statements", kind, digest, says, name)


def _verification(summary: Summary) -> Mapping[str, Any]:
    value = summary.documents.get("verify/verification.json")
    return value if isinstance(value, dict) else {}


def _tags(summary: Summary) -> Iterator[Link]:
    tags = summary.documents["promote/tags.json"]
    for tag in tags["tags"]:
        yield Link(
            "tags", str(tag), "", f"names the image; before: {tags['before'][tag] or 'nothing'}", "promote/tags.json"
        )


def _cluster(summary: Summary) -> Iterator[Link]:
    receipt, where = summary.documents["deploy/receipt.json"], "deploy/receipt.json"
    said = f"{receipt['state']}: {receipt.get('reason', '')}".rstrip(": ")
    yield Link("cluster", "manifests", str(receipt.get("rendered") or ""), said, where)


_MADE: Mapping[str, Callable[[Summary], Iterator[Link]]] = {
    "source": _source,
    "wheel": _wheel,
    "image": _image,
    "statements": _statements,
    "tags": _tags,
    "cluster": _cluster,
}
