"""A document of a shape that nobody knows is refused before anything is taken out of it."""

from typing import Any

import pytest

from shipseal.engine.documents import require_shape
from shipseal.errors import VerificationFailed

DIGEST = f"sha256:{'1' * 64}"
PLATFORM = {
    "digest": DIGEST,
    "size": 5,
    "layers": [{"digest": DIGEST}],
    "packages": [{"purl": "pkg:pypi/waitress@3.0.2", "files": ["usr/lib/waitress.py"]}],
    "generated": [],
}
IMAGE: dict[str, Any] = {
    "reference": f"docker.io/example/app@{DIGEST}",
    "digest": DIGEST,
    "platforms": {"linux/amd64": PLATFORM},
    "service": {"version": "1.0.0"},
}
MATCH: dict[str, Any] = {
    "vulnerability": {"id": "CVE-1", "severity": "High", "fix": {"state": "", "versions": []}},
    "relatedVulnerabilities": [],
    "artifact": {"name": "a", "version": "1", "purl": "pkg:deb/debian/a@1"},
}
STATUS = {"descriptor": {"version": "1", "db": {"status": {"built": "b", "schemaVersion": "v6"}}}}
WHEEL = {"name": "waitress", "version": "3.0.2", "digest": DIGEST}
RECEIPT: dict[str, Any] = {"reference": IMAGE["reference"], "bundles": [DIGEST], "subjects": [DIGEST]}


def platforms(**changes: Any) -> dict[str, Any]:
    return {**IMAGE, "platforms": {"linux/amd64": {**PLATFORM, **changes}}}


def matches(**changes: Any) -> dict[str, Any]:
    return {"linux/amd64": {"matches": [{**MATCH, "vulnerability": {**MATCH["vulnerability"], **changes}}], **STATUS}}


def test_what_others_rely_on_is_enough() -> None:
    require_shape("image", "image.json", IMAGE | {"more": 1})
    require_shape("sbom", "linux-amd64/sbom.cdx.json", {"components": [{}]})
    require_shape("scan", "grype.json", matches())
    require_shape("publish", "receipt.json", RECEIPT)
    require_shape("somebody", "else.json", None)


@pytest.mark.parametrize(
    ("stage", "name", "value", "why"),
    [
        ("image", "image.json", None, "it is no object"),
        ("image", "image.json", {**IMAGE, "digest": 1}, "digest is no sha256 digest"),
        ("image", "image.json", {**IMAGE, "digest": "sha256:1"}, "digest is no sha256 digest"),
        ("image", "image.json", {**IMAGE, "reference": "app:1"}, "reference is no reference by digest"),
        ("image", "image.json", {**IMAGE, "service": {}}, "service.version is missing"),
        ("image", "image.json", {**IMAGE, "platforms": []}, "platforms is no object"),
        ("image", "image.json", {**IMAGE, "platforms": {}}, "platforms names nothing"),
        ("image", "image.json", {**IMAGE, "platforms": {"linux/amd64": []}}, "platforms.linux/amd64 is no object"),
        ("image", "image.json", platforms(size="5"), "platforms.linux/amd64.size is no int"),
        ("image", "image.json", platforms(size=True), "platforms.linux/amd64.size is no int"),
        ("image", "image.json", platforms(packages=[]), "platforms.linux/amd64.packages lists nothing"),
        (
            "image",
            "image.json",
            platforms(packages=[{"purl": "waitress", "files": []}]),
            "platforms.linux/amd64.packages[0].purl is no package URL",
        ),
        ("inputs", "inputs.json", {"wheels": {"build": [{**WHEEL, "digest": None}]}}, "wheels.build[0].digest is no"),
        ("inputs", "inputs.json", {"wheels": {"build": {}}}, "wheels.build is no list"),
        ("sbom", "linux-amd64/sbom.cdx.json", {}, "components is missing"),
        ("sbom", "linux-amd64/sbom.cdx.json", {"components": []}, "components lists nothing"),
        ("sbom", "linux-amd64/sbom.cdx.json", {"components": [5]}, "components[0] is no object"),
        ("scan", "grype.json", {"linux/amd64": {"matches": []}}, "linux/amd64.descriptor is missing"),
        ("scan", "grype.json", matches(severity="Bad"), "linux/amd64.matches[0].vulnerability.severity is no severity"),
        ("scan", "grype.json", matches(cvss=5), "linux/amd64.matches[0].vulnerability.cvss is no list"),
        ("scan", "grype.json", [], "it is no object"),
        ("assess", "verdict.json", {}, "allowed is missing"),
        ("publish", "receipt.json", {**RECEIPT, "subjects": []}, "subjects lists nothing"),
        ("publish", "receipt.json", {**RECEIPT, "subjects": [5]}, "subjects[0] is no sha256 digest"),
    ],
)
def test_what_is_missing_or_of_another_kind_is_named(stage: str, name: str, value: Any, why: str) -> None:
    with pytest.raises(VerificationFailed, match="has a shape that this pipeline does not know") as caught:
        require_shape(stage, name, value)
    assert any(said.startswith(why) for said in caught.value.why)
    assert caught.value.what.startswith(f"{stage}/{name} ")
