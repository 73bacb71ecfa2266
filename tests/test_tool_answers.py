"""What two sets of tools say of the same image is held against each other by name and field."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shipseal.cli import update_output
from shipseal.digest import Digest
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.documents.scan import ScanDocument
from shipseal.documents.verify import VerificationDocument, VerificationStatement
from shipseal.evidence.tool_answers import Answers, ToolDifference, accepted, differences, found, judged, listed
from shipseal.relocking.upgrade_tools import Left
from tests import documents
from tests.commands import NOW

PLATFORM = "linux/amd64"
REFERENCE = f"docker.io/example/app@{Digest.of(b'an image')}"
ZLIB = "pkg:deb/debian/zlib1g@1?arch=amd64"


Documents = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


def written(**artifact: Any) -> Documents:
    """Return the three documents of an image that holds one package; keywords are what Syft says of it."""
    own = {"id": "5d0f", "name": "zlib1g", "purl": ZLIB, "licenses": ["Zlib"], "cpes": ["a", "b"], **artifact}
    component = {"type": "library", "bom-ref": f"{ZLIB}&package-id={own['id']}", "name": "zlib1g", "purl": ZLIB}
    package = {"SPDXID": f"SPDXRef-{own['id']}", "name": "zlib1g", "versionInfo": "1"}
    file = {"id": "1", "location": {"path": "/lib/z"}, "metadata": {"mimeType": "x"}}
    return (
        {"source": {"metadata": {}}, "artifacts": [own], "files": [file]},
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component, {**component, "purl": "pkg:a/b@1"}]},
        {"spdxVersion": "SPDX-2.3", "packages": [package]},
    )


def said(these: Documents) -> Answers:
    syft, cyclonedx, spdx = (json.dumps(each).encode() for each in these)
    return listed(PLATFORM, SyftDocument.parse(syft), CycloneDxDocument.parse(cyclonedx), SpdxDocument.parse(spdx))


def match(package: str = ZLIB, severity: str = "High") -> dict[str, Any]:
    fix = {"state": "fixed", "versions": ["2"]}
    return {
        "vulnerability": {"id": "CVE-1", "severity": severity, "fix": fix, "namespace": "debian"},
        "relatedVulnerabilities": [],
        "artifact": {"name": "zlib1g", "version": "1", "purl": package},
        "matchDetails": [{"type": "exact-direct-match"}],
    }


def scanned(*matches: dict[str, Any]) -> Answers:
    database = {"status": {"built": "2026-11-20T00:00:00Z", "schemaVersion": "6.1.7"}}
    report = {"descriptor": {"version": "0.115.0", "db": database}, "matches": matches}
    return found(PLATFORM, ScanDocument.parse(json.dumps({PLATFORM: report}).encode()).root[PLATFORM])


def test_names_within_a_document_and_the_order_of_lists_are_no_difference() -> None:
    before, after = written(), written(id="c0ffee", cpes=["b", "a"])
    assert list(differences(said(before), said(after))) == []


def test_a_field_of_a_package_is_named() -> None:
    before, after = written(), written(licenses=["MIT"], foundBy="another")
    expected = [ToolDifference(f"packages on {PLATFORM}", "changed", ZLIB, ("foundBy", "licenses"))]
    assert expected == list(differences(said(before), said(after)))


def test_a_field_within_a_field_is_named_with_both() -> None:
    before, after = written(), written()
    after[0]["files"][0]["metadata"]["mimeType"] = "y"
    expected = [ToolDifference(f"files on {PLATFORM}", "changed", "/lib/z", ("metadata.mimeType",))]
    assert expected == list(differences(said(before), said(after)))


def test_a_component_that_is_no_longer_listed_is_gone() -> None:
    before, after = written(), written()
    after[1]["components"].pop(0)
    expected = [ToolDifference(f"CycloneDX on {PLATFORM}", "gone", f"library {ZLIB}")]
    assert expected == list(differences(said(before), said(after)))


def test_a_finding_that_is_new_and_one_that_is_worse_are_told() -> None:
    before = scanned(match())
    after = scanned(match(severity="Critical"), match("pkg:pypi/other@1"))
    assert [
        ToolDifference(f"findings on {PLATFORM}", "changed", f"CVE-1 {ZLIB}", ("severity",)),
        ToolDifference(f"findings on {PLATFORM}", "new", "CVE-1 pkg:pypi/other@1"),
    ] == list(differences(before, after))


def test_another_fix_and_another_way_to_a_match_are_told() -> None:
    other = match()
    other["vulnerability"]["fix"]["versions"] = ["3"]
    other["matchDetails"] = [{"type": "cpe-match"}]
    expected = [ToolDifference(f"findings on {PLATFORM}", "changed", f"CVE-1 {ZLIB}", ("fix.versions", "matched by"))]
    assert expected == list(differences(scanned(match()), scanned(other)))


def test_another_verdict_is_told() -> None:
    before = documents.verdict(REFERENCE, NOW, {})
    after = documents.verdict(REFERENCE, NOW + timedelta(days=1), {}, allowed=False)
    expected = [ToolDifference("the verdict", "changed", "on the image", ("allowed",))]
    assert expected == list(differences(judged(before), judged(after)))


def test_signatures_of_one_type_fewer_are_told_and_their_digests_are_not() -> None:
    def verification(salt: bytes, *types: str) -> VerificationDocument:
        bundles = {Digest.of(salt + b"%d" % number): kind for number, kind in enumerate(types)}
        statements = tuple(
            VerificationStatement(
                type=kind, bundle=at, subjects=(), signer="me", issuer="i", signed_at="2026-11-20T00:00:00Z"
            )
            for at, kind in bundles.items()
        )
        return documents.verification(REFERENCE).model_copy(update={"statements": statements})

    before, after = accepted(verification(b"a", "t", "t", "u")), accepted(verification(b"b", "t"))
    assert [
        ToolDifference("signatures", "changed", "t by me", ("count",)),
        ToolDifference("signatures", "gone", "u by me"),
    ] == list(differences(before, after))


def test_people_read_one_line_for_all_that_differ_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """A hostile name reaches no terminal as it is."""
    every = [ToolDifference("files", "changed", name, ("size",)) for name in ("/a", "/b", "/c", "/d\x1b[2J", "/e")]
    left = Left("kustomize", "5.8.2", "5.8.3 cannot be had:\x07 403")
    update_output.tools([left], [*every, ToolDifference("files", "gone", "/f\x1b")], as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "  note    kustomize stays at 5.8.2: 5.8.3 cannot be had:\\x07 403",
        "the sample: told otherwise by the new tools",
        "  files: 5 changed in size: /a, /b, /c and 2 more",
        "  files: 1 gone: /f\\x1b",
    ]


def test_people_read_that_nothing_differs(capsys: pytest.CaptureFixture[str]) -> None:
    update_output.tools([], [], as_json=False)
    assert capsys.readouterr().out == "the sample: as before, by the new tools too\n"


def test_machines_get_every_difference(capsys: pytest.CaptureFixture[str]) -> None:
    update_output.tools([Left("a", "1", "b")], [ToolDifference("files", "new", "/a")], as_json=True)
    assert capsys.readouterr().out == (
        '{"event": "tools", "compared": true, "differences": [{"where": "files", "what": "new", "name": "/a", '
        '"fields": []}], "left": [{"name": "a", "version": "1", "why": "b"}]}\n'
    )


def test_where_no_tool_was_asked_for_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (True, False):
        update_output.tools([], None, as_json=as_json)
    assert not capsys.readouterr().out
