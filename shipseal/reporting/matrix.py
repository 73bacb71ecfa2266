"""Tell matrices: who finds which evidence by which way, and which attack was refused by which check. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shipseal.documents.attack import AttackDocument, AttackOutcome
from shipseal.documents.verify import DiscoveryDocument
from shipseal.reporting.documents import malformed


@dataclass(frozen=True)
class DiscoveryRow:
    """A way of finding evidence: how we know, which kinds it finds, and what it says."""

    name: str
    known: str
    found: tuple[bool, ...]
    says: str


@dataclass(frozen=True)
class DiscoveryMatrix:
    """Kinds of evidence across, ways of finding it down; `registry` says where, and how it keeps what is attached."""

    registry: str
    kinds: tuple[tuple[str, str], ...]
    ways: tuple[DiscoveryRow, ...]


@dataclass(frozen=True)
class AttackRow:
    """A tampering: what was done, the check that should refuse it, and the one that did; or an untouched control."""

    name: str
    did: str
    expected: str
    refused_by: str
    passed: bool


@dataclass(frozen=True)
class Attacks:
    """Attacks on copies of a run, the untouched copies that had to pass, and the attacks that had no place."""

    image: str
    ours: bool
    controls: tuple[AttackRow, ...]
    made: tuple[AttackRow, ...]
    left_out: tuple[tuple[str, str], ...]


def discovery(document: DiscoveryDocument) -> DiscoveryMatrix:
    """Return the matrix; each kind has a short name and its whole one."""
    ways = tuple(
        DiscoveryRow(
            name=way.way,
            known="measured" if way.measured else "emulated",
            found=tuple(kind in way.found for kind in document.kinds),
            says=way.says,
        )
        for way in document.ways
    )
    registry = document.registry
    said = f"{registry.host} keeps what is attached by {registry.keeps}."
    return DiscoveryMatrix(said, _short(document.kinds), ways)


def _short(kinds: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the part of each type that people know it by: `provenance` of https://slsa.dev/provenance/v1."""
    short = []
    for kind in kinds:
        parts = [part for part in kind.split("/")[3:] if not part.startswith("v") or not part[1:2].isdigit()]
        host = kind.split("/")[2].removesuffix(".dev").removesuffix(".org") if kind.count("/") > 2 else ""
        name = parts[-1] if parts else kind
        short.append((f"{host} {name}" if name in {"ns", "Document", "bom"} else name, kind))
    return tuple(short)


def attacks(document: AttackDocument, image: str) -> Attacks:
    """Return what came of the attacks; raise `NotKnown` when there was none, or no untouched copy.

    Args:
        document: what was made of them.
        image: the digest of the run's image; empty where it has none.
    """
    made, controls = (tuple(map(_attack, every)) for every in (document.attacks, document.control))
    if not made or not controls:
        raise malformed(AttackDocument, "it lists no attack" if controls else "it lists no control")
    ours = bool(image) and document.image.endswith(image)
    return Attacks(document.image, ours, controls, made, tuple(document.left_out.items()))


def _attack(each: AttackOutcome) -> AttackRow:
    refused_by = each.refused_by or "nothing: it was accepted"
    return AttackRow(each.name, each.did, each.expected, refused_by, each.ok)
