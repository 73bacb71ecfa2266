"""Tell matrices: who finds which evidence by which way, and which attack was refused by which check. Pure."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Way:
    """A way of finding evidence: how we know, which kinds it finds, and what it says."""

    name: str
    known: str
    found: tuple[bool, ...]
    says: str


@dataclass(frozen=True)
class Discovery:
    """Kinds of evidence across, ways of finding it down; `registry` says where, and how it keeps what is attached."""

    registry: str
    kinds: tuple[tuple[str, str], ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Attack:
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
    controls: tuple[Attack, ...]
    made: tuple[Attack, ...]
    left_out: tuple[tuple[str, str], ...]


def discovery(document: Any) -> Discovery:
    """Return the matrix of `verify/discovery.json`; each kind has a short name and its whole one."""
    registry, kinds = document["registry"], [str(kind) for kind in document.get("kinds") or _seen(document["ways"])]
    ways = tuple(
        Way(
            name=str(way["way"]),
            known="measured" if way["measured"] else "emulated",
            found=tuple(kind in way["found"] for kind in kinds),
            says=str(way["says"]),
        )
        for way in document["ways"]
    )
    return Discovery(f"{registry['host']} keeps what is attached by {registry['keeps']}.", _short(kinds), ways)


def _seen(ways: Any) -> list[str]:
    return sorted({kind for way in ways for kind in (*way["found"], *way["missing"])})


def _short(kinds: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the part of each type that people know it by: `provenance` of https://slsa.dev/provenance/v1."""
    short = []
    for kind in kinds:
        parts = [part for part in kind.split("/")[3:] if not part.startswith("v") or not part[1:2].isdigit()]
        host = kind.split("/")[2].removesuffix(".dev").removesuffix(".org") if kind.count("/") > 2 else ""
        name = parts[-1] if parts else kind
        short.append((f"{host} {name}" if name in {"ns", "Document", "bom"} else name, kind))
    return tuple(short)


def attacks(document: Any, image: str) -> Attacks:
    """Return what `attack/attack.json` says; raise `ValueError` when it lists no attack, or no untouched copy.

    Args:
        document: the file, parsed.
        image: the digest of the run's image; empty where it has none.
    """
    made, controls = (tuple(map(_attack, document[key])) for key in ("attacks", "control"))
    if not made or not controls:
        raise ValueError("it lists no attack" if controls else "it lists no control")
    left_out = tuple((str(name), str(why)) for name, why in document["left_out"].items())
    attacked = str(document["image"])
    return Attacks(attacked, bool(image) and attacked.endswith(image), controls, made, left_out)


def _attack(each: Any) -> Attack:
    return Attack(
        name=str(each["name"]),
        did=str(each["did"]),
        expected=str(each["expected"]),
        refused_by=str(each["refused_by"] or "nothing: it was accepted"),
        passed=each["ok"] is True,
    )
