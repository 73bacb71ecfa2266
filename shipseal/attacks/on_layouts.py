"""Tamper with the image's layouts in the run directory, every record put right: before anything is pushed."""

import gzip
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.attack import Attack
from shipseal.attacks.pointers import at
from shipseal.attacks.refusal import Refusal
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.oci.layout import Layout
from shipseal.oci.models import OciManifest

_BLOB = Refusal(VerificationFailed, "oci.layout.Layout._check")


def _manifest(layout: Layout, copy: Copy) -> OciManifest:
    return OciManifest.read(layout.read(copy.target.platforms[0]), "a manifest")


def _swap_a_layer_of_the_layout(copy: Copy) -> None:
    """Compress the layer that `sbom` is about to list in another way: other bytes, of the same content."""
    layout = Layout(copy.directory / "image" / "layout")
    layer = layout.blob(_manifest(layout, copy).layers[-1].digest)
    copies.replace(layer, gzip.compress(gzip.decompress(layer.read_bytes()), 1, mtime=1))
    copy.fit("image")


def _change_the_configuration_before_it_is_pushed(copy: Copy) -> None:
    layout = Layout(copy.directory / "attest" / "layout")
    configuration = layout.blob(_manifest(layout, copy).config.digest)
    copies.replace(configuration, copies.without(configuration.read_bytes()))
    copy.fit("attest")


def _list_no_image(copy: Copy) -> None:
    copy.edit("image/layout/index.json", lambda index: {**index, "manifests": []})


def _name_another_platform(copy: Copy) -> None:
    def change(image: Any) -> None:
        next(iter(at(image, "/platforms").values()))["digest"] = str(Digest.of(b"another platform"))

    copy.edit("image/image.json", change)


ATTACKS = (
    Attack(
        "layout-layer-swapped",
        "a layer changed between image and sbom, the record put right",
        "sbom",
        _BLOB,
        _swap_a_layer_of_the_layout,
    ),
    Attack(
        "layout-configuration-changed",
        "the configuration changed between attest and publish, the record put right",
        "publish",
        _BLOB,
        _change_the_configuration_before_it_is_pushed,
    ),
    Attack(
        "layout-emptied",
        "a layout that has all blobs, and lists no image",
        "sbom",
        Refusal(VerificationFailed, "oci.layout.Layout.of_image"),
        _list_no_image,
    ),
    Attack(
        "platform-renamed",
        "image.json names another manifest for a platform",
        "attest",
        Refusal(VerificationFailed, "stages.attest._require_same"),
        _name_another_platform,
    ),
)
