"""A document of a shape that nobody knows is refused before anything is taken out of it."""

from typing import Any

import pytest

from pipeline.documents import require_shape
from pipeline.errors import VerificationFailed

IMAGE = {"reference": "r", "digest": "d", "platforms": {"linux/amd64": {"digest": "d"}}, "service": {}}


def test_what_others_rely_on_is_enough() -> None:
    require_shape("image", "image.json", IMAGE | {"more": 1})
    require_shape("sbom", "linux-amd64/sbom.cdx.json", {"components": [{}]})
    require_shape("somebody", "else.json", None)


@pytest.mark.parametrize(
    ("stage", "name", "value", "why"),
    [
        ("image", "image.json", None, "it is no object"),
        ("image", "image.json", {**IMAGE, "digest": 1}, "digest is no str"),
        ("image", "image.json", {**IMAGE, "platforms": {"linux/amd64": []}}, "platforms.linux/amd64 is no object"),
        ("sbom", "linux-amd64/sbom.cdx.json", {}, "components is missing"),
        ("sbom", "linux-amd64/sbom.cdx.json", {"components": []}, "components lists nothing"),
        ("scan", "grype.json", {"linux/amd64": {"matches": []}}, "linux/amd64.descriptor is missing"),
        ("scan", "grype.json", [], "it is no object"),
        ("assess", "verdict.json", {}, "allowed is missing"),
        ("sbom", "linux-amd64/sbom.cdx.json", {"components": [5]}, "components lists something that is no object"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_named(stage: str, name: str, value: Any, why: str) -> None:
    with pytest.raises(VerificationFailed, match="has a shape that this pipeline does not know") as caught:
        require_shape(stage, name, value)
    assert why in caught.value.why
