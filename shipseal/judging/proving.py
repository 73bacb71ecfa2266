"""Have the real Grype show what each published statement suppresses: its finding in this image, and nothing else.

A consumer scans the image that was pulled, whose listing names the digest that it was pulled by; each statement is
given to Grype alone, once for this digest and once for another.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from shipseal.digest import Digest, Reference
from shipseal.documents.sbom import SyftDocument
from shipseal.documents.vex import OpenVexDocument, OpenVexStatement
from shipseal.errors import VerificationFailed
from shipseal.purl import Purl
from shipseal.scanning import findings
from shipseal.scanning.findings import Finding, Report
from shipseal.scanning.grype import Grype

_EXCUSES = {"not_affected", "fixed"}


@dataclass(frozen=True)
class Proof:
    """What one statement did on one platform: the vulnerability that it names, and the findings that it suppressed."""

    name: str
    status: str
    platform: str
    suppressed: tuple[str, ...]


@dataclass(frozen=True)
class PlatformSbom:
    """What a consumer has: Syft's listing of one platform's image, and the digest of that image."""

    platform: str
    digest: Digest
    listing: SyftDocument

    def pulled(self, reference: Reference, digest: Digest) -> SyftDocument:
        """Return the listing of an image that was pulled by a digest out of a registry."""
        place = f"{reference.registry}/{reference.repository}@{digest}"
        metadata = {**self.listing.source.metadata, "repoDigests": [place]}
        return self.listing.model_copy(update={"source": self.listing.source.model_copy(update={"metadata": metadata})})


async def prove(
    grype: Grype, document: OpenVexDocument, images: Iterable[PlatformSbom], reference: Reference
) -> tuple[Proof, ...]:
    """Try every statement of a published document on its own.

    Raises:
        VerificationFailed: one suppresses something else than its finding, or anything on another digest.
    """
    proofs = []
    for image in images:
        other_digest = Digest.of(str(image.digest).encode())
        here = _write(grype.scratch / "here.json", image.pulled(reference, image.digest))
        elsewhere = _write(grype.scratch / "elsewhere.json", image.pulled(reference, other_digest))
        before, other = [findings.read(await grype.scan(each)) for each in (here, elsewhere)]
        for statement in document.statements:
            alone = _write(grype.scratch / "alone.json", document.model_copy(update={"statements": (statement,)}))
            done = _suppressed(before, findings.read(await grype.scan(here, alone)))
            _require(statement, image, _expected(statement, image.digest, before), done)
            away = _suppressed(other, findings.read(await grype.scan(elsewhere, alone)))
            _require(statement, image, frozenset(), away, " on another digest")
            told = tuple(f"{name} in {package}" for name, package in sorted(done))
            proofs.append(Proof(statement.vulnerability.name, statement.status, image.platform, told))
    return tuple(proofs)


def _write(path: Path, document: SyftDocument | OpenVexDocument) -> Path:
    path.write_text(json.dumps(document.as_json()), encoding="utf-8")
    return path


def _suppressed(before: Report, after: Report) -> frozenset[tuple[str, str]]:
    return frozenset(map(_key, after.suppressed)) - frozenset(map(_key, before.suppressed))


def _key(finding: Finding) -> tuple[str, str]:
    return finding.id, str(finding.subject)


def _expected(statement: OpenVexStatement, digest: Digest, before: Report) -> frozenset[tuple[str, str]]:
    """Return the findings that a statement is about, by our own reading of it."""
    if statement.status not in _EXCUSES:
        return frozenset()
    names = {statement.vulnerability.name, *statement.vulnerability.aliases}
    packages = [
        replace(Purl.parse(each.id), qualifiers=())
        for product in statement.products
        if product.id.endswith(f"@{digest}")
        for each in product.subcomponents
    ]
    return frozenset(
        _key(finding)
        for finding in before.findings
        if finding.id in names and any(package.covers(finding.subject) for package in packages)
    )


def _require(
    statement: OpenVexStatement,
    image: PlatformSbom,
    expected: frozenset[tuple[str, str]],
    found: frozenset[tuple[str, str]],
    where: str = "",
) -> None:
    if found != expected:
        differ = [
            f"{name} in {package}: {'suppressed' if (name, package) in found else 'not suppressed'}"
            for name, package in sorted(found ^ expected)
        ]
        raise VerificationFailed(
            f"the statement about {statement.vulnerability.name} does not do what it says{where}",
            why=[f"by Grype, on {image.platform}", *differ],
            remedy="correct it, or give the vulnerability the scanner's own id, with the others as aliases",
        )
