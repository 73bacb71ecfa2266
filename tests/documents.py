"""Documents that stages leave, whole and small, for tests of what reads them."""

from collections.abc import Mapping
from datetime import datetime

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage, ImagePlatform, ImageService
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.smoke import SmokeDocument, SuiteNotRun
from shipseal.documents.verdict import VerdictDatabase, VerdictDocument, VerdictTools, WithoutVex
from shipseal.documents.verify import VerificationDocument, VerificationPolicy
from shipseal.documents.vex import OpenVexDocument, OpenVexProduct, OpenVexStatement, OpenVexVulnerability
from shipseal.judging.catalogue import VERSION

LAYER = Digest.of(b"a layer")
WAITRESS = ImagePackage(
    purl="pkg:pypi/waitress@3.0.2", name="waitress", version="3.0.2", type="pypi", files=("usr/lib/waitress.py",)
)


def image(reference: str, platforms: Mapping[str, Digest], *, version: str = "1.0.0") -> ImageDocument:
    """Return what `image` leaves of an image with one layer and one package on each platform."""
    layer = ImageLayer(name="all", digest=LAYER, diff_id=LAYER, size=1)
    described = Reference.parse(reference)
    return ImageDocument(
        format=2,
        reference=described,
        digest=described.digest,
        platforms={
            name: ImagePlatform(digest=digest, size=1, layers=(layer,), packages=(WAITRESS,), generated=(), files=1)
            for name, digest in platforms.items()
        },
        service=ImageService(name="sample", version=version),
    )


def published(reference: str) -> PublishedDocument:
    """Return what `publish` leaves of an image without platforms, with one bundle."""
    at = Reference.parse(reference)
    return PublishedDocument(
        reference=at,
        registry=at.registry,
        bundles=(LAYER,),
        subjects=(at.digest,),
        referrers={},
        blobs=1,
        bytes=1,
        sent=0,
    )


def verification(reference: str) -> VerificationDocument:
    """Return what `verify` leaves of an image about which nothing is required."""
    at = Reference.parse(reference)
    return VerificationDocument(
        reference=at,
        digest=at.digest,
        platforms={},
        blobs=1,
        policy=VerificationPolicy(name="sample", digest=LAYER, trust_root="run"),
        trust_root=LAYER,
        trust_root_newest="unknown",
        slsa_build_level=1,
        verifiers=(),
        statements=(),
        required=(),
        proved=(),
        not_proved=(),
        told=(),
        refused={},
        passed_over={},
    )


def verdict(reference: str, now: datetime, inputs: Mapping[str, Digest], *, allowed: bool = True) -> VerdictDocument:
    """Return what `assess` leaves where there was nothing to find."""
    database = VerdictDatabase(
        built="2026-11-20T00:00:00Z",
        schema_version="6.1.7",
        checksum=LAYER,
        source="sample",
        sample=True,
        providers={},
    )
    return VerdictDocument(
        allowed=allowed,
        denied=(),
        excused=(),
        noted=(),
        notices=(),
        image=Reference.parse(reference),
        judged=now.isoformat(),
        sample=True,
        release=False,
        version=VERSION,
        inputs=inputs,
        database=database,
        tools=VerdictTools(grype=("0.115.0",)),
        rules=(),
        without_vex=WithoutVex(allowed=allowed, denied=()),
    )


def openvex(reference: str, now: datetime, *findings: str) -> OpenVexDocument:
    """Return what `vex` publishes of an image that some findings do not affect."""
    product = OpenVexProduct(id=f"pkg:oci/sample@{Reference.parse(reference).digest}", hashes={}, subcomponents=())
    return OpenVexDocument(
        context="https://openvex.dev/ns/v0.2.0",
        id="https://openvex.dev/docs/public/vex-1",
        author="somebody",
        timestamp=now.isoformat(),
        version=1,
        tooling="a test",
        statements=tuple(
            OpenVexStatement(
                vulnerability=OpenVexVulnerability(name=name),
                products=(product,),
                status="not_affected",
                status_notes="",
                justification="vulnerable_code_not_present",
            )
            for name in findings
        ),
    )


def smoke(digest: Digest, platform: str) -> SmokeDocument:
    """Return what `smoke` leaves of a service that answers nothing, for nobody has asked."""
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
        suite=SuiteNotRun(why="a test"),
        emulated={},
        started={platform: digest},
    )
