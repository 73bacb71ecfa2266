"""Tell the chain from source to cluster, each link with its digest, once. Pure.

A digest is what a record says of a file, or what a stage has written; a link that no stage has made is said to be
missing, and never left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from shipseal.documents.deploy import DeployDocument
from shipseal.documents.facts import FactsDocument
from shipseal.documents.image import ImageDocument
from shipseal.documents.promote import TagsDocument
from shipseal.documents.verify import VerificationDocument
from shipseal.reporting.content_diff import moved
from shipseal.reporting.documents import NotKnown, NotThere, name
from shipseal.reporting.summary import RunSummary

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


def chain(summary: RunSummary) -> tuple[Station, ...]:
    """Return every kind in order; one of which nothing is there has no links and says so."""
    stations = []
    for index, kind in enumerate(KINDS):
        try:
            links, said = tuple(islice(_MADE[kind](summary), _MOST)), ""
        except NotThere:
            links, said = (), "not there"
        except NotKnown:
            links, said = (), "not known: of an unknown shape"
        stations.append(Station(kind, index * (BOX + GAP), links, said if said or links else "not there"))
    return tuple(stations)


def _source(summary: RunSummary) -> Iterator[Link]:
    facts = summary.documents.need(FactsDocument)
    state = "with changes that are in no commit" if facts.dirty else "exactly as committed"
    yield Link("source", f"revision {facts.revision}", str(facts.tree), state, name(FactsDocument))


def _wheel(summary: RunSummary) -> Iterator[Link]:
    for path, digest in sorted(summary.products.items()):
        if path.startswith("build/wheels/") and path.endswith(".whl"):
            yield Link("wheel", path.rpartition("/")[2], digest, "built from that source", path)


def _image(summary: RunSummary) -> Iterator[Link]:
    image, where = summary.documents.need(ImageDocument), name(ImageDocument)
    yield Link("image", "index", str(image.digest), str(image.reference).partition("@")[0], where)
    for platform, details in image.platforms.items():
        yield Link("image", platform, str(details.digest), f"{details.size:,} bytes as pulled", where)


def _statements(summary: RunSummary) -> Iterator[Link]:
    verification = summary.documents.left(VerificationDocument)
    verified = {str(each.bundle): each for each in verification.statements} if verification else {}
    for path, digest in sorted(summary.products.items()):
        if path.startswith("attest/bundles/"):
            kind = path.rpartition("/")[2].removesuffix(".sigstore.json")
            each = verified.get(digest)
            says = f"verified: {each.type}" if each else "signed; not verified by this run"
            yield Link("statements", kind, digest, says, path)


def _tags(summary: RunSummary) -> Iterator[Link]:
    for tag, before, _ in moved(summary.documents.need(TagsDocument)):
        yield Link("tags", tag, "", f"names the image; before: {before}", name(TagsDocument))


def _cluster(summary: RunSummary) -> Iterator[Link]:
    receipt = summary.documents.need(DeployDocument)
    said = f"{receipt.state}: {receipt.reason}".rstrip(": ")
    yield Link("cluster", "manifests", str(receipt.rendered or ""), said, name(DeployDocument))


_MADE: Mapping[str, Callable[[RunSummary], Iterator[Link]]] = {
    "source": _source,
    "wheel": _wheel,
    "image": _image,
    "statements": _statements,
    "tags": _tags,
    "cluster": _cluster,
}
