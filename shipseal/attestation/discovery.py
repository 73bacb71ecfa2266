"""Say by which ways consumers find what is attached to an image, and what each of them finds. Pure.

A way is measured where the real tool was run, and else emulated: its rule, as its documentation has it, is applied to
what the registry lists. Sources: OCI distribution 1.1, "Listing Referrers", "Referrers Tag Schema"; Sigstore, "Cosign
bundle specification"; gh, `attestation verify --bundle-from-oci`; GitHub's REST API, "List attestations"; Kyverno,
"Verify Images Rules", `type: SigstoreBundle` and `type: Cosign`; policy-controller, `signatureFormat`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shipseal.attestation.statements import PredicateType
from shipseal.attestation.trust import kind_name
from shipseal.digest import Digest, Reference
from shipseal.distribution.referrers import KIND
from shipseal.shown import line

_BUNDLES = "application/vnd.dev.sigstore.bundle"
_UPLOADED = "bundles are there that actions/attest has uploaded, and this pipeline uploads none"
LEGACY = "nothing is written there: Cosign 2 and older look for it"


class Keeps(StrEnum):
    """How a registry keeps what refers to a manifest."""

    API = "referrers API"
    INDEX = "an index under a tag, which whoever publishes writes"


@dataclass(frozen=True)
class Way:
    """One way to look.

    Args:
        name: the tool or the place.
        measured: whether the real tool was run; else its rule was applied.
        found: the types of statements that it finds.
        says: why it finds no more, or what else there is to know.
    """

    name: str
    measured: bool
    found: frozenset[str] = frozenset()
    says: str = ""


@dataclass(frozen=True)
class Discovery:
    """What is found of an image, at the digest of its index.

    Args:
        reference: the image.
        where: what was asked: a registry, or what stands in for it.
        keeps: which kind of registry it is in.
        kinds: the types of the statements that are attached to it and were accepted.
        ways: the ways.
    """

    reference: Reference
    where: str
    keeps: Keeps
    kinds: tuple[str, ...]
    ways: tuple[Way, ...]

    def document(self) -> dict[str, Any]:
        """Return it for machines: docs/json.md, `verify --discovery`."""
        return {
            "reference": str(self.reference),
            "registry": {"host": self.where, "keeps": self.keeps.value},
            "kinds": list(self.kinds),
            "ways": [
                {
                    "way": way.name,
                    "measured": way.measured,
                    "found": [kind for kind in self.kinds if kind in way.found],
                    "missing": [kind for kind in self.kinds if kind not in way.found],
                    "says": way.says,
                }
                for way in self.ways
            ],
        }


def lines(document: Mapping[str, Any]) -> Iterable[str]:
    """Yield a document as people read it."""
    yield f"{document['registry']['host']} keeps what is attached by {document['registry']['keeps']}"
    for way in document["ways"]:
        found, missing = (list(map(_name, way[key])) for key in ("found", "missing"))
        what = "everything" if not missing else ", ".join(found) or "nothing"
        how = "" if way["measured"] else " (emulated)"
        yield line(f"{way['way']}{how}: {what}{'; ' if way['says'] else ''}{way['says']}")


def _name(kind: str) -> str:
    try:
        return kind_name(PredicateType(kind))
    except ValueError:
        return kind


def described(name: str, listed: Iterable[Mapping[str, Any]], *, measured: bool = True) -> Way:
    """Return a way on which people see what a list says of its entries, and no more."""
    entries = [each for each in listed if str(each.get("artifactType", "")).startswith(_BUNDLES)]
    kinds = [_annotated(each) for each in entries]
    unsaid = kinds.count("")
    says = f"{unsaid} of {len(kinds)} bundles are listed without the type of their statement" if unsaid else ""
    return Way(name, measured, frozenset(kinds) - {""}, says)


def opened(name: str, listed: Iterable[Mapping[str, Any]], known: Mapping[Digest, str]) -> Way:
    """Return a way on which each bundle that is listed as one is opened.

    Args:
        name: the way.
        listed: the descriptors.
        known: the type of the statement behind each manifest that attaches one.
    """
    kinds = {str(digest): kind for digest, kind in known.items()}
    digests = {str(each.get("digest")) for each in listed if str(each.get("artifactType", "")).startswith(_BUNDLES)}
    return Way(name, False, frozenset(kinds[digest] for digest in digests & kinds.keys()))


def emulated(listed: Iterable[Mapping[str, Any]], known: Mapping[Digest, str], legacy: str) -> Iterable[Way]:
    """Yield what tools find that do not run here.

    Args:
        listed: the descriptors of what the registry says refers to the image.
        known: the type of the statement behind each manifest that attaches one.
        legacy: what is said of the tags `.sig` and `.att`.
    """
    listed = list(listed)
    yield opened("gh attestation verify --bundle-from-oci", listed, known)
    yield Way("gh attestation verify, from GitHub's API", False, says=_UPLOADED)
    yield opened("Kyverno, type SigstoreBundle", listed, known)
    yield Way("Kyverno, type Cosign", False, says=legacy)
    yield opened("policy-controller, signatureFormat bundle", listed, known)
    yield Way("policy-controller, signatureFormat legacy", False, says=legacy)


def _annotated(descriptor: Mapping[str, Any]) -> str:
    annotations = descriptor.get("annotations")
    return str(annotations.get(KIND, "")) if isinstance(annotations, dict) else ""
