"""Remember of each layer what it was made from, so that the next run can take it over instead of making it again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from shipseal.digest import Digest
from shipseal.engine.record import Record
from shipseal.errors import VerificationFailed
from shipseal.image.tree import Component
from shipseal.oci import documents
from shipseal.oci.blobs import is_sound
from shipseal.oci.documents import Descriptor, Layer
from shipseal.oci.layer import Entry

FILENAME = "layers.json"


@dataclass(frozen=True)
class Written:
    """A layer that is written, and the paths in it by the package URL of what they belong to."""

    layer: Layer
    files: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, layer: Layer, owned: Mapping[Component, Iterable[Entry]]) -> Self:
        """Return a layer that was written with these entries."""
        return cls(layer, {owner.purl: sorted(entry.path for entry in entries) for owner, entries in owned.items()})


def document(layers: Mapping[Digest, Written]) -> dict[str, Any]:
    """Return what is remembered: layers by the digest of their inputs."""
    return {
        str(inputs): {
            "digest": str(each.layer.descriptor.digest),
            "diff_id": str(each.layer.diff_id),
            "size": each.layer.descriptor.size,
            "files": each.files,
        }
        for inputs, each in layers.items()
    }


def earlier(directory: Path) -> dict[Digest, Written]:
    """Return the layers of an earlier run of the stage in its finished directory, by the digest of their inputs.

    There are none where there is no such run; one that was altered after that run is left out.
    """
    try:
        data = (directory / FILENAME).read_bytes()
        if Record.read(directory).products[FILENAME] != Digest.of(data):
            return {}
        found = {Digest.parse(inputs): _parse(value) for inputs, value in json.loads(data).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, VerificationFailed):
        return {}
    return {inputs: each for inputs, each in found.items() if is_sound(each.layer, directory / "layout")}


def _parse(value: Mapping[str, Any]) -> Written:
    descriptor = Descriptor(documents.LAYER, Digest.parse(value["digest"]), int(value["size"]))
    return Written(Layer("", descriptor, Digest.parse(value["diff_id"])), dict(value["files"]))
