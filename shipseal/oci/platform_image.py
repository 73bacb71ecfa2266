"""Read one platform's image back out of a layout, and unpack its files."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciConfiguration, OciManifest, OciProcess


@dataclass(frozen=True)
class Built:
    """One platform's image; `configuration` is the `config` of its image configuration (config.md)."""

    layout: Layout
    digest: Digest
    configuration: OciProcess
    layers: tuple[Digest, ...]

    @classmethod
    def read(cls, layout: Layout, digest: Digest) -> "Built":
        """Read a manifest and its configuration.

        Raises:
            VerificationFailed: a digest is not that of its bytes, or the bytes are those of something else.
        """
        manifest = OciManifest.of(layout.read(digest), digest, "the manifest")
        named = manifest.config.digest
        configuration = OciConfiguration.of(layout.read(named), named, "the image configuration").config
        return cls(layout, digest, configuration, tuple(layer.digest for layer in manifest.layers))

    @property
    def environment(self) -> dict[str, str]:
        """What the image sets for its program."""
        return dict(line.split("=", 1) for line in self.configuration.environment)

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The command that the image starts."""
        return self.configuration.entrypoint

    def unpack(self, root: Path) -> None:
        """Unpack the layers below a directory; raise `VerificationFailed` when one was altered."""
        root.mkdir(parents=True)
        for digest in self.layers:
            blob = self.layout.blob(digest)
            if not blob.is_file() or Digest.of_file(blob) != digest:
                raise VerificationFailed(
                    f"a layer of the image is missing or was altered: {digest}",
                    remedy="run `shipseal stage image` again",
                )
            with tarfile.open(blob, "r:gz") as archive:
                # Python 3.11.0 to 3.11.3, Debian 12's among them, have no filters; what is unpacked is our own writing.
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(root)  # noqa: S202 - verified against the digests of the image above
