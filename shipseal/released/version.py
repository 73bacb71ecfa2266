"""Know of which version an image is, by what the image itself says."""

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci.bytes import checked_json
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciManifest

_VERSION = "org.opencontainers.image.version"
_LONGEST = 128


def version_of(layout: Layout, image: Digest) -> str:
    """Return the version that the configurations of an image name; nothing where they name none, or several.

    Raises:
        VerificationFailed: a document of the image is missing, was altered or has another shape.
    """
    found = {_said(layout, platform.digest) for platform in layout.image(image)[1]}
    return found.pop() if len(found) == 1 else ""


def _said(layout: Layout, manifest: Digest) -> str:
    configuration = OciManifest.of(layout.read(manifest), manifest, "a manifest").config.digest
    try:
        labels = checked_json(layout.read(configuration), configuration, "a configuration").get("config") or {}
        said = (labels.get("Labels") or {}).get(_VERSION)
    except (TypeError, AttributeError) as error:
        raise VerificationFailed(f"{manifest} is not a manifest of an image", why=f"{type(error).__name__}") from error
    return said if isinstance(said, str) and len(said) <= _LONGEST and said.isprintable() else ""
