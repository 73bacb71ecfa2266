"""Say by which ways consumers find what is attached to an image, and what each of them finds. Pure.

A way is measured where the real tool was run, and else emulated: its rule, as its documentation has it, is applied to
what the registry lists. Sources: OCI distribution 1.1, "Listing Referrers", "Referrers Tag Schema"; Sigstore, "Cosign
bundle specification"; gh, `attestation verify --bundle-from-oci`; GitHub's REST API, "List attestations"; Kyverno,
"Verify Images Rules", `type: SigstoreBundle` and `type: Cosign`; policy-controller, `signatureFormat`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shipseal.digest import Digest, Reference
from shipseal.distribution.referrers import KIND
from shipseal.documents.verify import DiscoveryDocument, DiscoveryRegistry, DiscoveryWay
from shipseal.statements.builders import PredicateType
from shipseal.terminal_text import line
from shipseal.verification.trust import kind_name

_BUNDLES = "application/vnd.dev.sigstore.bundle"
_UPLOADED = "bundles are there that actions/attest has uploaded, and this pipeline uploads none"
LEGACY = "nothing is written there: Cosign 2 and older look for it"


class Keeps(StrEnum):
    """How a registry keeps what refers to a manifest."""

    API = "referrers API"
    INDEX = "an index under a tag, which whoever publishes writes"


@dataclass(frozen=True)
class DiscoveryMethod:
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

    def among(self, kinds: Sequence[str]) -> DiscoveryWay:
        """Return what it finds of the types that there are, for machines."""
        found = tuple(kind for kind in kinds if kind in self.found)
        missing = tuple(kind for kind in kinds if kind not in self.found)
        return DiscoveryWay(way=self.name, measured=self.measured, found=found, missing=missing, says=self.says)


def discovery(
    reference: Reference, where: str, keeps: Keeps, kinds: Iterable[str], ways: Iterable[DiscoveryMethod]
) -> DiscoveryDocument:
    """Return what is found of an image, at the digest of its index: docs/json.md, `verify --discovery`.

    Args:
        reference: the image.
        where: what was asked: a registry, or what stands in for it.
        keeps: which kind of registry it is in.
        kinds: the types of the statements that are attached to it and were accepted.
        ways: the ways.
    """
    there = tuple(sorted({*kinds}))
    registry = DiscoveryRegistry(host=where, keeps=keeps)
    found = tuple(way.among(there) for way in ways)
    return DiscoveryDocument(reference=reference, registry=registry, kinds=there, ways=found)


def lines(document: DiscoveryDocument) -> Iterable[str]:
    """Yield a document as people read it."""
    yield f"{document.registry.host} keeps what is attached by {document.registry.keeps}"
    for way in document.ways:
        found = ", ".join(map(_name, way.found)) or "nothing"
        how = "" if way.measured else " (emulated)"
        yield line(f"{way.way}{how}: {found if way.missing else 'everything'}{'; ' if way.says else ''}{way.says}")


def _name(kind: str) -> str:
    try:
        return kind_name(PredicateType(kind))
    except ValueError:
        return kind


def described(name: str, listed: Iterable[Mapping[str, object]], *, measured: bool = True) -> DiscoveryMethod:
    """Return a way on which people see what a list says of its entries, and no more."""
    entries = [each for each in listed if str(each.get("artifactType", "")).startswith(_BUNDLES)]
    kinds = [_annotated(each) for each in entries]
    unsaid = kinds.count("")
    says = f"{unsaid} of {len(kinds)} bundles are listed without the type of their statement" if unsaid else ""
    return DiscoveryMethod(name, measured, frozenset(kinds) - {""}, says)


def opened(name: str, listed: Iterable[Mapping[str, object]], known: Mapping[Digest, str]) -> DiscoveryMethod:
    """Return a way on which each bundle that is listed as one is opened.

    Args:
        name: the way.
        listed: the descriptors.
        known: the type of the statement behind each manifest that attaches one.
    """
    kinds = {str(digest): kind for digest, kind in known.items()}
    digests = {str(each.get("digest")) for each in listed if str(each.get("artifactType", "")).startswith(_BUNDLES)}
    return DiscoveryMethod(name, False, frozenset(kinds[digest] for digest in digests & kinds.keys()))


def emulated(
    listed: Iterable[Mapping[str, object]], known: Mapping[Digest, str], legacy: str
) -> Iterable[DiscoveryMethod]:
    """Yield what tools find that do not run here.

    Args:
        listed: the descriptors of what the registry says refers to the image.
        known: the type of the statement behind each manifest that attaches one.
        legacy: what is said of the tags `.sig` and `.att`.
    """
    listed = list(listed)
    yield opened("gh attestation verify --bundle-from-oci", listed, known)
    yield DiscoveryMethod("gh attestation verify, from GitHub's API", False, says=_UPLOADED)
    yield opened("Kyverno, type SigstoreBundle", listed, known)
    yield DiscoveryMethod("Kyverno, type Cosign", False, says=legacy)
    yield opened("policy-controller, signatureFormat bundle", listed, known)
    yield DiscoveryMethod("policy-controller, signatureFormat legacy", False, says=legacy)


def _annotated(descriptor: Mapping[str, object]) -> str:
    annotations = descriptor.get("annotations")
    return str(annotations.get(KIND, "")) if isinstance(annotations, dict) else ""
