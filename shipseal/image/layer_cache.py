"""Remember of each layer what it was made from, so that the next run can take it over instead of making it again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from shipseal.digest import Digest
from shipseal.documents.image import LayersDocument, WrittenLayer
from shipseal.engine.record import Record
from shipseal.errors import VerificationFailed
from shipseal.image.tree import Component
from shipseal.oci import documents
from shipseal.oci.blobs import is_sound
from shipseal.oci.documents import Descriptor, Layer
from shipseal.oci.layer import Entry


@dataclass(frozen=True)
class Written:
    """A layer that is written, and the paths in it by the package URL of what they belong to."""

    layer: Layer
    files: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, layer: Layer, owned: Mapping[Component, Iterable[Entry]]) -> Self:
        """Return a layer that was written with these entries."""
        return cls(layer, {owner.purl: sorted(entry.path for entry in entries) for owner, entries in owned.items()})


def document(layers: Mapping[Digest, Written]) -> LayersDocument:
    """Return what is remembered: layers by the digest of their inputs."""
    return LayersDocument(
        {
            inputs: WrittenLayer(
                digest=each.layer.descriptor.digest,
                diff_id=each.layer.diff_id,
                size=each.layer.descriptor.size,
                files={purl: tuple(paths) for purl, paths in each.files.items()},
            )
            for inputs, each in layers.items()
        }
    )


def previous_layers(directory: Path) -> dict[Digest, Written]:
    """Return the layers of an earlier run of the stage in its finished directory, by the digest of their inputs.

    There are none where there is no such run; one that was altered after that run is left out.
    """
    try:
        data = (directory / LayersDocument.NAME).read_bytes()
        if Record.read(directory).products.get(LayersDocument.NAME) != Digest.of(data):
            return {}
        found = {inputs: _written(each) for inputs, each in LayersDocument.parse(data).root.items()}
    except (OSError, VerificationFailed):
        return {}
    return {inputs: each for inputs, each in found.items() if is_sound(each.layer, directory / "layout")}


def _written(each: WrittenLayer) -> Written:
    return Written(Layer("", Descriptor(documents.LAYER, each.digest, each.size), each.diff_id), each.files)
