"""Write OpenVEX documents (openvex/spec 0.2.0): the one that is published, and the one Grype checks us with. Pure."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImagePlatform
from shipseal.documents.vex import OpenVexDocument, OpenVexPart, OpenVexProduct, OpenVexStatement
from shipseal.errors import VerificationFailed
from shipseal.judging.claims import Claim, ClaimState, Spoken
from shipseal.judging.vex import CONTEXT
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding, Report

TOOLING = "supply-chain-pipeline"


def image_purl(reference: Reference, digest: Digest) -> str:
    """Return the package URL of an image or platform manifest (purl-spec, type `oci`), by digest and nothing else."""
    return f"pkg:oci/{reference.repository.rpartition('/')[2]}@{digest}"


def publish(claims: Sequence[Claim], image: ImageDocument, now: datetime) -> OpenVexDocument:
    """Return the statements that apply, about this image's index and the platform manifests that hold the package.

    Args:
        claims: every claim; those that do not apply are left out.
        image: what it is.
        now: when the document is issued.
    """
    applied = [claim for claim in claims if claim.state is ClaimState.APPLIED]
    return OpenVexDocument(
        **_heading(str(image.digest), now),
        author=", ".join(sorted({claim.author for claim in applied})) or TOOLING,
        statements=tuple(_about_image(claim, image) for claim in applied),
    )


def for_scanner(claims: Sequence[Claim], now: datetime) -> dict[str, Any]:
    """Return the claims that excuse in the one form that Grype applies to an SBOM: a statement per package version.

    Grype ignores subcomponents of a package, and matches image products only for a pushed image.
    """
    excusing = [claim for claim in claims if claim.state is ClaimState.APPLIED and claim.statement.status.excuses]
    said = [{**_said(claim), "products": [{"@id": str(package)}]} for claim in excusing for package in claim.packages]
    return {**_heading("scanner", now), "author": TOOLING, "statements": said}


def cross_check(claims: Sequence[Claim], before: Report, after: Report) -> int:
    """Compare what our reading of the statements excuses with what Grype suppressed by them; return how many agree.

    A finding that a statement names only by an alias of the finding's own cannot be compared: Grype does not look
    there.

    Args:
        claims: the statements, held against the image.
        before: Grype's report without them.
        after: Grype's report with them. What it left out of both, it left out for reasons of its own.

    Raises:
        VerificationFailed: the two disagree, so one of them reads a statement wrongly.
    """
    theirs = {_key(finding) for finding in after.suppressed} - {_key(finding) for finding in before.suppressed}
    by_name: set[tuple[str, str]] = set()
    by_alias: set[tuple[str, str]] = set()
    spoken = Spoken(claims)
    for finding in before.findings:
        for claim in spoken.about(finding):
            if claim.excuses(finding):
                (by_name if finding.id in claim.statement.names else by_alias).add(_key(finding))
    disputed = (by_name ^ theirs) - by_alias
    if disputed:
        raise VerificationFailed(
            "Grype and this pipeline disagree on what the VEX statements excuse",
            why=[
                f"{name} in {purl}: excused by {'Grype' if (name, purl) in theirs else 'the pipeline'} only"
                for name, purl in sorted(disputed)
            ],
            remedy="name the vulnerability by the scanner's own id, with the others as aliases",
        )
    return len(by_name & theirs)


def _key(finding: Finding) -> tuple[str, str]:
    return finding.id, str(finding.subject)


def _said(claim: Claim) -> dict[str, Any]:
    """Return a statement without its products and without the keys that OpenVEX does not know."""
    own = {"products", "valid_until", "evidence", "conditions"}
    said = claim.statement.model_dump(mode="json", by_alias=True, exclude=own, exclude_none=True)
    return {key: value for key, value in said.items() if value != ""}


def _about_image(claim: Claim, image: ImageDocument) -> OpenVexStatement:
    looked_up = "; ".join(f"{each.says} ({each.url})" for each in claim.statement.evidence)
    # What follows from evidence is about these bytes, which have no last day; and is as old as the document.
    ends = "" if claim.seen else f"Valid until {claim.statement.valid_until}."
    notes = " ".join(
        filter(None, (ends, f"Evidence: {looked_up}." if looked_up else "", *(f"{e}." for e in claim.seen)))
    )
    said = _said(claim)
    if claim.seen:
        del said["timestamp"]
    if "justification" in said and (impact := said.pop("impact_statement", "")):
        # The text of OpenVEX wants both, its JSON schema one of them: every reader takes the words as a note.
        notes += f" Impact: {impact}"
    where = {image.digest: _purls(image.platforms.values(), claim.product)}
    where |= {platform.digest: _purls([platform], claim.product) for platform in image.platforms.values()}
    products = [
        OpenVexProduct(
            id=image_purl(image.reference, digest),
            hashes={"sha-256": digest.hex},
            subcomponents=tuple(OpenVexPart(id=purl) for purl in purls),
        )
        for digest, purls in where.items()
        if purls
    ]
    return OpenVexStatement.model_validate({**said, "status_notes": notes, "products": products}, strict=False)


def _purls(platforms: Iterable[ImagePlatform], product: Purl) -> list[str]:
    every = {package.purl for platform in platforms for package in platform.packages}
    return sorted(purl for purl in every if product.covers(Purl.parse(purl)))


def _heading(subject: str, now: datetime) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "@id": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'openvex {subject} {now.isoformat()}')}",
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": 1,
        "tooling": TOOLING,
    }
