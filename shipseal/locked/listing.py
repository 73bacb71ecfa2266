"""List inputs for a mirror: an OCI manifest whose layers are the inputs, each under its own sha256. Pure.

A listing says where to look, and nothing that anybody believes: what comes is compared with the lock. Its form is that
of the OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.documents.document import DigestText, Foreign

ARTIFACT_TYPE = "application/vnd.supply-chain-pipeline.inputs.v1"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
_BLOB_TYPE = "application/octet-stream"
_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_SOURCE = "supply-chain-pipeline/source"
_EXECUTABLE = "supply-chain-pipeline/executable"
_MOST = 10_000  # inputs; a lock of thousands would be a new thing


@dataclass(frozen=True)
class Item:
    """One input, as a mirror lists it.

    Args:
        digest: of its bytes.
        name: the file name that it has in a store.
        size: in bytes.
        executable: whether it is a program.
        version: as its lock says.
        source: what it is, `pkg:pypi/…`, `pkg:deb/debian/…` or `pkg:golang/…`.
    """

    digest: Digest
    name: str
    size: int
    executable: bool = False
    version: str = ""
    source: str = ""

    def layer(self) -> dict[str, object]:
        """Return it as a layer of a manifest."""
        said = {_TITLE: self.name, _VERSION: self.version, _SOURCE: self.source}
        if self.executable:
            said[_EXECUTABLE] = "true"
        annotations = {key: value for key, value in said.items() if value}
        return {"mediaType": _BLOB_TYPE, "digest": str(self.digest), "size": self.size, "annotations": annotations}


class _Layer(Foreign):
    digest: DigestText
    size: Annotated[int, Field(ge=0)]
    annotations: Mapping[str, str]


class _Listing(Foreign):
    artifact_type: str = Field(validation_alias="artifactType")
    layers: tuple[_Layer, ...]


def listing(items: Iterable[Item], platform: str) -> bytes:
    """Return the manifest that lists inputs, the same bytes for the same inputs.

    Args:
        items: the inputs.
        platform: what the tools among them run on, `linux/amd64`.
    """
    empty = {"mediaType": EMPTY_TYPE, "digest": str(Digest.of(EMPTY)), "size": len(EMPTY)}
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": empty,
            "layers": [item.layer() for item in sorted(items, key=lambda item: item.digest)],
            "annotations": {"supply-chain-pipeline/platform": platform},
        }
    )


def read(data: bytes) -> dict[Digest, Item]:
    """Read a listing, which anybody may have written; raise `ValueError` where it is none."""
    try:
        document = _Listing.model_validate_json(data)
        if document.artifact_type != ARTIFACT_TYPE or len(document.layers) > _MOST:
            raise ValueError("it is of another type, or too long")
        items = [_item(layer) for layer in document.layers]
    except (ValueError, KeyError) as error:
        raise ValueError(f"its listing of inputs cannot be read: {type(error).__name__}: {error}"[:200]) from error
    return {item.digest: item for item in items}


def _item(layer: _Layer) -> Item:
    said = layer.annotations
    return Item(
        layer.digest,
        said[_TITLE],
        layer.size,
        said.get(_EXECUTABLE) == "true",
        said.get(_VERSION, ""),
        said.get(_SOURCE, ""),
    )


def names(platform: str, *locks: Iterable[Digest]) -> tuple[str, ...]:
    """Return the names of listings: that of each of some sets of locks, then that of the newest of a platform.

    Args:
        platform: what the tools run on.
        locks: what each set of locks names: another project's listing has another name.
    """
    newest = platform.replace("/", "-")
    keys = (Digest.of(canonical(sorted(map(str, named)))).hex[:16] for named in locks)
    return *(f"{newest}-{key}" for key in keys), newest
