"""Documents that stages leave, whole and small, for tests of what reads them."""

from collections.abc import Mapping

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage, ImagePlatform, ImageService
from shipseal.documents.publish import PublishedDocument
from shipseal.documents.verify import VerificationDocument, VerificationPolicy

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
