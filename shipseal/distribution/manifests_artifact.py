"""Lay rendered manifests out as an OCI artefact that controllers take which deploy from a registry, and push it.

One file in one layer, the same bytes everywhere. Flux reads the first layer whatever its type is ("OCI Repositories",
"Layer selector"), and takes the artefact for one of its own by its configuration's type (RFC-0003). Argo CD takes one
layer only, and by itself none of Flux's type but that of an image ("OCI", "Usage Guidelines"): that type it has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.oci import documents
from shipseal.oci.documents import Descriptor, Layer
from shipseal.oci.layer import Entry, tar
from shipseal.oci.layout import Layout

CONFIG = "application/vnd.cncf.flux.config.v1+json"
FILE = "manifests.yaml"
"""The one file of the artefact."""


@dataclass(frozen=True)
class Artifact:
    """Rendered manifests as the three blobs of an artefact."""

    manifest: bytes
    config: bytes
    layer: bytes

    @property
    def digest(self) -> Digest:
        """The artefact's digest, by which it is signed, pushed and deployed."""
        return Digest.of(self.manifest)

    @property
    def descriptor(self) -> Mapping[str, object]:
        """Its descriptor, as an index lists it and as a referrer names its subject."""
        return Descriptor.of(documents.MANIFEST, self.manifest).document()

    def lay(self, path: Path) -> Layout:
        """Make a layout of it; what refers to it can be put beside it before it is pushed."""
        layout = Layout.create(path)
        for blob in (self.manifest, self.config, self.layer):
            layout.put(blob)
        layout.list_more([self.descriptor])
        return layout


def artifact(rendered: bytes, annotations: Mapping[str, str]) -> Artifact:
    """Return rendered manifests as an artefact, the same bytes for the same manifests and annotations.

    Args:
        rendered: every object, as YAML (`deploying.manifests.dump`).
        annotations: those of the manifest; Flux and Argo CD show `org.opencontainers.image.source` and `revision`.
    """
    raw = b"".join(tar([Entry(FILE, rendered)]))
    compressed = b"".join(bytes(documents.compress(piece)) for piece in documents.cut([raw]))
    diff_id = Digest.of(raw)
    # What Flux writes there itself: the configuration of an image for no platform.
    rootfs = {"type": "layers", "diff_ids": [str(diff_id)]}
    config = canonical({"architecture": "", "os": "", "config": {}, "rootfs": rootfs})
    layer = Layer("manifests", Descriptor.of(documents.LAYER, compressed), diff_id)
    manifest = documents.manifest(Descriptor.of(CONFIG, config), [layer], annotations)
    return Artifact(manifest, config, compressed)


async def publish(registry: Registry, layout: Layout, artifact: Artifact) -> Digest:
    """Push an artefact by its digest, with all that refers to it in the layout, and read it back; no tag is moved.

    Returns:
        The digest, by which it can be pulled now.

    Raises:
        RemoteFailed: the registry refuses it, or does not give back what it was given.
        UsageError: the registry was opened to be read.
    """
    await registry.push(layout.path, artifact.digest)
    await registry.manifest(artifact.digest)
    for blob in (artifact.config, artifact.layer):
        await registry.try_blob(Digest.of(blob))
    return artifact.digest
