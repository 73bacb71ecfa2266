"""A layout is read with suspicion: it is refused when anything in it is not what it should be, whoever made it."""

import json
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE, attach, attached
from shipseal.errors import VerificationFailed
from shipseal.oci.layout import INDEX_TYPE, Layout
from shipseal.platforms import platform_name
from tests.conftest import NOW
from tests.layouts import write_layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")


def put(layout: Layout, value: object) -> Digest:
    return layout.put(json.dumps(value).encode())


def test_every_blob_of_an_image_is_checked(tmp_path: Path) -> None:
    index, platforms = write_layout(tmp_path / "layout")
    layout = Layout(tmp_path / "layout")
    assert layout.check_image(index) == 6  # the index, two manifests, two layers, and one configuration for both
    for platform in platforms:
        victim = layout.blob(Digest.parse(json.loads(layout.read(platform))["layers"][0]["digest"]))
        before = victim.read_bytes()
        victim.write_bytes(before[:-1] + b"!")
        with pytest.raises(VerificationFailed, match=f"a layer for .*was altered: sha256:{victim.name}"):
            layout.check_image(index)
        victim.unlink()
        with pytest.raises(VerificationFailed, match=f"a layer for .*is missing: sha256:{victim.name}"):
            layout.check_image(index)
        victim.write_bytes(before)


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        None,
        {"mediaType": INDEX_TYPE, "manifests": []},
        {"mediaType": INDEX_TYPE, "manifests": {}},
        {"mediaType": INDEX_TYPE, "manifests": [1]},
        {"mediaType": INDEX_TYPE, "manifests": [{"digest": "sha256:00", "mediaType": "a", "size": 1}]},
        {"mediaType": INDEX_TYPE, "manifests": [{"mediaType": "a", "size": 1}]},
        {"mediaType": "text/plain", "manifests": [{}]},
    ],
)
def test_what_is_no_image_index_is_refused(layout: Layout, value: object) -> None:
    with pytest.raises(VerificationFailed):
        layout.check_image(put(layout, value))


@pytest.mark.parametrize("value", [{}, {"config": {}, "layers": []}, {"config": 1, "layers": 2}, {"layers": [{}]}])
def test_a_platform_of_an_unforeseen_shape_is_refused(layout: Layout, value: object) -> None:
    manifest = put(layout, value)
    listed = {"digest": str(manifest), "mediaType": "a", "size": 1, "platform": {"os": "linux"}}
    with pytest.raises(VerificationFailed, match=f"another shape than .*: {manifest}"):
        layout.check_image(put(layout, {"mediaType": INDEX_TYPE, "manifests": [listed]}))


def test_a_document_too_deep_to_read_is_refused(layout: Layout) -> None:
    with pytest.raises(VerificationFailed, match="another shape than"):
        layout.image(layout.put(b"[" * 100_000))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"manifests": 1}'])
def test_a_directory_that_is_no_layout_is_refused(layout: Layout, text: str) -> None:
    (layout.path / "index.json").write_text(text)
    with pytest.raises(VerificationFailed, match="is not an OCI layout"):
        layout.listed()


def test_listing_more_keeps_what_is_there_and_repeats_nothing(layout: Layout) -> None:
    one, two = {"digest": "sha256:1", "size": 1}, {"digest": "sha256:2", "size": 1}
    layout.list_more([one])
    layout.list_more([two, one])
    assert layout.listed() == [one, two]


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64"),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, "linux/arm/v7"),
        (None, ""),
    ],
)
def test_a_platform_has_the_name_that_people_use(platform: object, name: str) -> None:
    assert platform_name({"platform": platform}) == name


SUBJECT = {"mediaType": INDEX_TYPE, "digest": str(Digest.of(b"an image")), "size": 8, "platform": {"os": "linux"}}


def test_a_bundle_is_found_on_its_subject_and_on_no_other(layout: Layout) -> None:
    referrer = attach(b"a bundle", "https://slsa.dev/provenance/v1", SUBJECT, NOW)
    layout.put(b"a bundle")
    layout.put(referrer.manifest)
    listed = [referrer.descriptor, referrer.descriptor, {"digest": "anything", "artifactType": "text/plain"}]
    (found,) = attached(listed, Digest.of(b"an image"), layout.read)
    assert (found.bundle, found.subject) == (b"a bundle", Digest.of(b"an image"))
    assert attached(listed, Digest.of(b"another image"), layout.read) == []


def test_a_referrer_is_what_cosign_and_registries_look_for() -> None:
    referrer = attach(b"a bundle", "https://slsa.dev/provenance/v1", SUBJECT, NOW)
    manifest = json.loads(referrer.manifest)
    assert manifest["artifactType"] == referrer.descriptor["artifactType"] == BUNDLE_TYPE
    assert manifest["subject"] == {key: SUBJECT[key] for key in ("mediaType", "digest", "size")}
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert manifest["annotations"]["dev.sigstore.bundle.predicateType"] == "https://slsa.dev/provenance/v1"
    assert Digest.of(referrer.manifest) == Digest.parse(referrer.descriptor["digest"])


def altered(change: Any) -> bytes:
    manifest = json.loads(attach(b"a bundle", "t", SUBJECT, NOW).manifest)
    change(manifest)
    return json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(layers=[]),
        lambda manifest: manifest.update(layers=manifest["layers"] * 2),
        lambda manifest: manifest["layers"][0].update(mediaType="text/plain"),
        lambda manifest: manifest["layers"][0].update(size=1 << 40),
        lambda manifest: manifest["layers"][0].update(digest="sha256:00"),
    ],
)
def test_a_referrer_that_does_not_hold_one_bundle_hides_no_other_and_is_none(layout: Layout, change: Any) -> None:
    good, bad = attach(layout.read(layout.put(b"a bundle")), "t", SUBJECT, NOW), altered(change)
    layout.put(good.manifest)
    listed = [{"digest": str(layout.put(bad)), "artifactType": BUNDLE_TYPE}, good.descriptor]
    found = attached(listed, Digest.of(b"an image"), layout.read)
    assert {each.bundle for each in found} == {b"a bundle", bad}


def test_a_bundle_that_was_altered_is_refused(layout: Layout) -> None:
    referrer = attach(b"a bundle", "t", SUBJECT, NOW)
    layout.put(referrer.manifest)
    layout.blob(Digest.of(b"a bundle")).write_bytes(b"A bundle")
    with pytest.raises(VerificationFailed, match="an attestation was altered"):
        attached([referrer.descriptor], Digest.of(b"an image"), layout.read)
