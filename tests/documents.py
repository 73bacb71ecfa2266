"""Documents that stages leave, whole and small, for tests of what reads them."""

from collections.abc import Mapping

from shipseal.digest import Digest, Reference
from shipseal.documents.image import ImageDocument, ImageLayer, ImagePackage, ImagePlatform, ImageService

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
