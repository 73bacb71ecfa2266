"""The promote stage tags the image that was built, published and verified, by the version that it says itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.engine.record import products
from shipseal.engine.run import Run
from shipseal.errors import VerificationFailed
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from tests import upstream


@pytest.fixture(scope="module")
def template(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run in which the image has been verified; no test touches it."""
    stages = (upstream.ATTEST, upstream.PUBLISH, upstream.VERIFY)
    return upstream.performed(tmp_path_factory.mktemp("project"), store, locked, *stages)


@pytest.fixture
def run(template: Run, tmp_path: Path) -> Run:
    """Give a copy of it."""
    return upstream.copy(template, tmp_path / "run")


def rewrite(run: Run, stage: str, name: str, change: Callable[[Any], object]) -> None:
    """Have a stage's file say something else, record included."""
    directory = run.directory / stage
    document = json.loads((directory / name).read_bytes())
    change(document)
    (directory / name).write_text(json.dumps(document))
    record = json.loads((directory / "record.json").read_bytes())
    record["products"] = {path: str(digest) for path, digest in products(directory).items()}
    (directory / "record.json").write_text(json.dumps(record))


def refused(run: Run) -> VerificationFailed:
    with pytest.raises(VerificationFailed) as failure:
        anyio.run(run.perform, upstream.PROMOTE)
    assert not (run.directory / "promote").exists()
    return failure.value


def test_the_tags_of_the_version_are_the_verified_image(run: Run) -> None:
    anyio.run(run.perform, upstream.PROMOTE)
    found = json.loads((run.directory / "promote" / "tags.json").read_bytes())
    assert found["tags"] == ["1.2.3", "1.2", "1"]
    assert found["digest"] == json.loads((run.directory / "image" / "image.json").read_bytes())["digest"]


def test_an_image_that_was_built_after_the_verification_is_not_tagged(run: Run) -> None:
    """Another version was built into the run directory, and nothing after it was done again."""
    other = Digest.of(b"another image")

    def built_again(image: Any) -> None:
        image["reference"] = image["reference"].replace(image["digest"], str(other))
        image["digest"] = str(other)
        image["service"]["version"] = "2.0.0"

    rewrite(run, "image", "image.json", built_again)
    failure = refused(run)
    assert failure.what == "what was built, published and verified is not one image"
    assert f"built        registry.example/acme/sample@{other}" in failure.why


@pytest.mark.parametrize(("stage", "name"), [("publish", "receipt.json"), ("verify", "verification.json")])
@pytest.mark.parametrize("before", ["registry.example/acme/sample", "@sha256:"])
def test_a_receipt_or_a_verification_of_something_else_tags_nothing(
    run: Run, stage: str, name: str, before: str
) -> None:
    def elsewhere(document: Any) -> None:
        reference = document["reference"]
        other = f"{reference.partition('@')[0]}@{Digest.of(b'another image')}"
        document["reference"] = other if before.startswith("@") else reference.replace(before, "registry.example/else")

    rewrite(run, stage, name, elsewhere)
    assert refused(run).what == "what was built, published and verified is not one image"


def test_the_version_is_that_of_the_image_and_not_that_of_a_file_beside_it(run: Run) -> None:
    rewrite(run, "image", "image.json", lambda image: image["service"].update(version="2.0.0"))
    failure = refused(run)
    assert failure.what == "the image and this run do not name one version"
    assert failure.why == ("1.2.3", "2.0.0")


def test_nothing_is_tagged_in_the_registry_of_what_was_verified(run: Run) -> None:
    before = {path: path.read_bytes() for path in (run.directory / "publish").rglob("*") if path.is_file()}
    anyio.run(run.perform, upstream.PROMOTE)
    assert before == {path: path.read_bytes() for path in (run.directory / "publish").rglob("*") if path.is_file()}
    assert Layout(run.directory / "promote" / "registry" / "acme" / "sample").listed()
