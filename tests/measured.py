"""Documents that the stages from `smoke` to `assess` leave, whole and small, for tests of what reads them."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage, ImagePlatform, ImageService
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.documents.smoke import SmokeDocument, SuiteNotRun, SuiteRun, TraceDocument, Watched, Workload
from shipseal.documents.verdict import VerdictDatabase, VerdictDocument, VerdictReason, VerdictTools, WithoutVex
from shipseal.documents.vex import OpenVexDocument, OpenVexProduct, OpenVexStatement, OpenVexVulnerability
from shipseal.purl import Purl

DATABASE = DatabaseDocument(
    built="2026-11-20T00:00:00Z",
    schema_version="6.1.7",
    checksum=Digest.of(b"a database"),
    source="a test",
    sample=True,
)


def image(reference: str, platforms: Mapping[str, tuple[Digest, Iterable[str]]]) -> ImageDocument:
    """Return what is said of an image by the digest and the package URLs of each of its platforms."""
    layer = ImageLayer(name="all", digest=Digest.of(b"a layer"), diff_id=Digest.of(b"a layer"), size=1)
    described = Reference.parse(reference)

    def packages(purls: Iterable[str]) -> tuple[ImagePackage, ...]:
        parsed = {text: Purl.parse(text) for text in purls}
        return tuple(
            ImagePackage(purl=text, name=each.name, version=each.version, type=each.type, files=())
            for text, each in parsed.items()
        )

    return ImageDocument(
        format=2,
        reference=described,
        digest=described.digest,
        platforms={
            name: ImagePlatform(digest=digest, size=1, layers=(layer,), packages=packages(purls), generated=(), files=0)
            for name, (digest, purls) in platforms.items()
        },
        service=ImageService(name="sample", version="1"),
    )


def smoke(platform: str, digest: Digest, passed: int | None = None) -> SmokeDocument:
    """Return what is said of an image that answered nothing; `passed` tests ran on its files, if any."""
    return SmokeDocument(
        isolation="loader",
        why="",
        limits="",
        platform=platform,
        digest=digest,
        requests=(),
        start_ms=1,
        resident_kib=None,
        exit_code=0,
        suite=SuiteNotRun(why="a test")
        if passed is None
        else SuiteRun(passed=passed, skipped=0, left_out={}, modules_not_in_the_image=(), platform=platform),
        emulated={},
        started={platform: digest},
    )


def trace(platform: str, digest: Digest) -> TraceDocument:
    """Return what is said of an image in which nobody opened anything."""
    work = Workload(digest=Digest.of(b"the work"), requests=0, tests=0, modules=0, loaded=0)
    seen = Watched(
        platform=platform,
        digest=digest,
        workload=work,
        how="a test",
        cannot_see=(),
        files=0,
        records=0,
        opened_by_the_service=0,
        loaded=(),
        opened_during_tests_only=(),
        never_opened=(),
    )
    return TraceDocument(seen)


def scan(reports: Mapping[str, Any]) -> ScanDocument:
    """Return reports as they are read from a file."""
    return ScanDocument.parse(json.dumps(reports).encode())


def openvex(image: str, digest: Digest, name: str) -> OpenVexDocument:
    """Return a document that says of one vulnerability that an image is not affected."""
    product = OpenVexProduct(id=f"pkg:oci/{image}@{digest}", hashes={"sha-256": digest.hex}, subcomponents=())
    statement = OpenVexStatement(
        vulnerability=OpenVexVulnerability(name=name),
        products=(product,),
        status="not_affected",
        status_notes="a test",
        justification="vulnerable_code_not_present",
    )
    return OpenVexDocument(
        context="https://openvex.dev/ns/v0.2.0",
        id="urn:uuid:00000000-0000-0000-0000-000000000000",
        author="A Tester",
        timestamp="2026-11-20T00:00:00Z",
        version=1,
        tooling="a test",
        statements=(statement,),
    )


def verdict(
    image: str,
    judged: datetime,
    *,
    allowed: bool = True,
    denied: Iterable[VerdictReason] = (),
    inputs: Mapping[str, Digest] | None = None,
) -> VerdictDocument:
    """Return a verdict; `image` is a reference by digest."""
    return VerdictDocument(
        allowed=allowed,
        denied=tuple(denied),
        excused=(),
        noted=(),
        notices=(),
        image=Reference.parse(image),
        judged=judged.isoformat(),
        sample=True,
        release=False,
        version=2,
        inputs=inputs or {},
        database=VerdictDatabase(**dict(DATABASE), providers={}),
        tools=VerdictTools(grype=()),
        rules=(),
        without_vex=WithoutVex(allowed=allowed, denied=()),
    )
