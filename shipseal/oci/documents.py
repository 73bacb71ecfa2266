"""Write the documents of an OCI image, the same bytes for the same image on every machine. Pure.

Specification: opencontainers/image-spec v1.1 (descriptor, manifest, image-index, config, image-layout). A document says
nothing that the image's inputs do not determine: there is no `created` and no `history`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import deflate

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.platforms import Platform

FORMAT = 2
"""The writer's number. Raise it with every change after which the same inputs give other bytes."""

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYOUT_FILE = "oci-layout"

# One member more every 4 MiB costs 0.05 % of size and keeps memory flat: libdeflate has no stream.
MEMBER = 4 << 20
# Level 12 takes twice the time of level 10 for 0.1 % of size.
_LEVEL = 10


def cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream where gzip members end: every `MEMBER` bytes, however the stream itself comes in chunks."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= MEMBER:
            with memoryview(waiting) as view:
                piece = bytes(view[:MEMBER])
            del waiting[:MEMBER]
            yield piece
    if waiting:
        yield bytes(waiting)


def compress(piece: bytes) -> bytes | bytearray:
    """Return a gzip member (RFC 1952, section 2.2); other threads run meanwhile."""
    return deflate.gzip_compress(piece, _LEVEL)


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content by its digest (descriptor.md); `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the descriptor as it stands in a manifest or an index."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.platform:
            found["platform"] = Platform.parse(self.platform).oci
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found

    @classmethod
    def of(cls, media_type: str, data: bytes, **more: Any) -> "Descriptor":
        """Describe bytes in memory."""
        return cls(media_type, Digest.of(data), len(data), **more)


@dataclass(frozen=True)
class Layer:
    """A layer as the image names it: compressed by its descriptor, uncompressed by its `diff_id`."""

    name: str
    descriptor: Descriptor
    diff_id: Digest


@dataclass(frozen=True)
class ContainerConfig:
    """How a container of the image starts (config.md, "config")."""

    entrypoint: Sequence[str]
    environment: Mapping[str, str]
    port: int
    user: str
    labels: Mapping[str, str]


def config(platform: str, runtime: ContainerConfig, layers: Sequence[Layer]) -> bytes:
    """Return the image configuration for one platform."""
    return canonical(
        {
            **Platform.parse(platform).oci,
            "config": {
                "User": runtime.user,
                "ExposedPorts": {f"{runtime.port}/tcp": {}},
                "Env": [f"{name}={value}" for name, value in sorted(runtime.environment.items())],
                "Entrypoint": list(runtime.entrypoint),
                "WorkingDir": "/",
                "Labels": dict(runtime.labels),
                "StopSignal": "SIGTERM",
            },
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        }
    )


def manifest(configuration: Descriptor, layers: Sequence[Layer], annotations: Mapping[str, str]) -> bytes:
    """Return the manifest of one platform."""
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": configuration.document(),
            "layers": [layer.descriptor.document() for layer in layers],
            "annotations": dict(annotations),
        }
    )


def index(manifests: Iterable[Descriptor], annotations: Mapping[str, str] | None = None) -> bytes:
    """Return an image index; the `index.json` of a layout is one too."""
    found: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor.document() for descriptor in manifests],
    }
    if annotations:
        found["annotations"] = dict(annotations)
    return canonical(found)


def layout_file() -> bytes:
    """Return the content of `oci-layout` (image-layout.md)."""
    return canonical({"imageLayoutVersion": "1.0.0"})
