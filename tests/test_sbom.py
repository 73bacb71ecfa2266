"""An SBOM is the same bytes for the same image, and is held against what was put into it."""

import copy
import hashlib
import json
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.documents.sbom import CycloneDxDocument, SpdxDocument, SyftDocument
from shipseal.errors import ToolFailed
from shipseal.purl import Purl
from shipseal.scanning import sbom
from shipseal.scanning.sbom import InstalledPackage, SbomSubject

ZLIB = "pkg:deb/debian/zlib1g@1%3A1.2?arch=amd64"
SUBJECT = SbomSubject(
    "registry.example/acme/sample",
    Digest.of(b"manifest"),
    "pkg:oci/sample@sha256:1",
    (
        InstalledPackage(Purl.parse("pkg:deb/debian/zlib1g@1:1.2"), ("lib/libz.so.1", "lib/libz.so.1.2")),
        InstalledPackage(Purl.parse("pkg:pypi/foo-bar@2"), ("site/foo.pyc",)),
    ),
    ("etc/passwd",),
)
LISTING: dict[str, Any] = {
    "source": {"metadata": {}},
    "artifacts": [{"purl": ZLIB}, {"purl": "pkg:pypi/Foo_Bar@2"}, {"purl": ""}],
    "files": [
        {"location": {"path": f"/{path}"}, "metadata": {"type": kind}}
        for path, kind in [
            ("lib", "Directory"),
            ("lib/libz.so.1", "SymbolicLink"),
            ("lib/libz.so.1.2", "RegularFile"),
            ("site/foo.pyc", "RegularFile"),
            ("etc/passwd", "RegularFile"),
        ]
    ],
}


def cdx(serial: str, time: str) -> dict[str, Any]:
    files = [{"type": "file", "name": f"/{name}", "bom-ref": name} for name in ("site/foo.pyc", "etc/passwd")]
    library = {"type": "library", "name": "Foo_Bar", "version": "2", "purl": "pkg:pypi/Foo_Bar@2", "bom-ref": "foo"}
    return {"serialNumber": serial, "metadata": {"timestamp": time, "component": {}}, "components": [*files, library]}


def spdx_document(created: str) -> dict[str, Any]:
    def file(name: str, checksum: str) -> dict[str, Any]:
        sums = [{"algorithm": "SHA1", "checksumValue": checksum}]
        return {"fileName": name, "SPDXID": f"SPDXRef-{name}", "checksums": sums}

    def relation(one: str, kind: str, other: str) -> dict[str, str]:
        return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

    reference = {"referenceType": "purl", "referenceLocator": "pkg:pypi/foo-bar@2"}
    return {
        "documentNamespace": f"https://example.com/{created}",
        "creationInfo": {"created": created, "creators": ["Tool: syft-1"]},
        "packages": [
            {"SPDXID": "SPDXRef-foo", "externalRefs": [reference], "filesAnalyzed": False},
            {"SPDXID": "SPDXRef-root", "filesAnalyzed": True, "packageVerificationCode": {}},
        ],
        "files": [file("site/foo.pyc", "a" * 40), file("site", "0" * 40), file("etc/passwd", "b" * 40)],
        "relationships": [
            relation("SPDXRef-foo", "OTHER", "SPDXRef-site"),
            relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-root"),
            relation("SPDXRef-foo", "OTHER", "SPDXRef-etc/passwd"),
            relation("SPDXRef-root", "CONTAINS", "SPDXRef-foo"),
            relation("SPDXRef-root", "CONTAINS", "SPDXRef-site/foo.pyc"),
        ],
    }


def require_complete(listing: dict[str, Any], subject: SbomSubject) -> None:
    sbom.require_complete(SyftDocument.parse(json.dumps(listing).encode()), subject)


def cyclonedx(document: dict[str, Any], subject: SbomSubject) -> dict[str, Any]:
    """Return the document as it is written."""
    made: dict[str, Any] = sbom.cyclonedx(CycloneDxDocument.parse(json.dumps(document).encode()), subject).as_json()
    return made


def spdx(document: dict[str, Any], subject: SbomSubject) -> dict[str, Any]:
    """Return the document as it is written."""
    made: dict[str, Any] = sbom.spdx(SpdxDocument.parse(json.dumps(document).encode()), subject).as_json()
    return made


def test_a_whole_listing_is_accepted() -> None:
    require_complete(LISTING, SUBJECT)


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (
            lambda listing: listing["artifacts"].pop(0),
            "package pkg:deb/debian/zlib1g@1:1.2 is in the image, but not found",
        ),
        (lambda listing: listing["artifacts"].clear(), "package pkg:pypi/foo-bar@2 is in the image"),
        (lambda listing: listing["files"].pop(1), "file lib/libz.so.1 is in the image, but not found"),
        (lambda listing: listing.pop("files"), "file site/foo.pyc is in the image, but not found"),
        (lambda listing: listing["files"].pop(), "file etc/passwd is in the image, but not found"),
        (lambda listing: listing["files"][-1]["location"].update(path="/x.txt"), "x.txt belongs to no package"),
        (lambda listing: listing["files"][2]["metadata"].update(type="Directory"), "lib/libz.so.1.2"),
    ],
)
def test_a_listing_that_misses_something_is_refused(break_it: Any, complaint: str) -> None:
    listing = copy.deepcopy(LISTING)
    break_it(listing)
    with pytest.raises(ToolFailed) as refused:
        require_complete(listing, SUBJECT)
    assert complaint in refused.value.explain()


def test_another_version_of_a_package_is_another_package() -> None:
    listing = copy.deepcopy(LISTING)
    listing["artifacts"][0]["purl"] = "pkg:deb/debian/zlib1g@1:1.3"
    with pytest.raises(ToolFailed, match="is not complete"):
        require_complete(listing, SUBJECT)


def test_an_image_without_packages_is_no_image() -> None:
    with pytest.raises(ToolFailed) as refused:
        require_complete(
            {**LISTING, "artifacts": [], "files": []}, SbomSubject("sample", SUBJECT.digest, "pkg:oci/sample", ())
        )
    assert "no packages at all" in refused.value.explain()


def test_two_cyclonedx_documents_of_one_image_are_equal() -> None:
    first, second = cdx("urn:uuid:1", "2026-11-25T00:00:00Z"), cdx("urn:uuid:2", "2027-01-01T00:00:00Z")
    second["components"].reverse()
    assert cyclonedx(first, SUBJECT) == cyclonedx(second, SUBJECT)


def test_documents_of_two_images_differ() -> None:
    other = SbomSubject(SUBJECT.name, Digest.of(b"another"), SUBJECT.purl, SUBJECT.packages)
    assert cyclonedx(cdx("1", "2"), SUBJECT)["serialNumber"] != cyclonedx(cdx("1", "2"), other)["serialNumber"]
    assert SUBJECT.identifier("spdx") != SUBJECT.identifier("cyclonedx")


def test_a_file_lies_inside_the_component_that_it_came_with() -> None:
    file, library = cyclonedx(cdx("1", "2"), SUBJECT)["components"]
    assert file["name"] == "/etc/passwd"
    assert [inner["name"] for inner in library["components"]] == ["/site/foo.pyc"]


def test_two_spdx_documents_of_one_image_are_equal() -> None:
    first, second = spdx_document("2026-11-25T00:00:00Z"), spdx_document("2027-01-01T00:00:00Z")
    second["files"].reverse()
    second["relationships"].reverse()
    assert spdx(first, SUBJECT) == spdx(second, SUBJECT)


def test_spdx_relates_a_file_to_its_package_or_else_to_the_image_which_has_the_packages() -> None:
    document = spdx(spdx_document("2026"), SUBJECT)
    contains = [each for each in document["relationships"] if each["relationshipType"] == "CONTAINS"]
    assert {(each["spdxElementId"], each["relatedSpdxElement"]) for each in contains} == {
        ("SPDXRef-foo", "SPDXRef-site/foo.pyc"),
        ("SPDXRef-root", "SPDXRef-etc/passwd"),
        ("SPDXRef-root", "SPDXRef-foo"),
    }
    assert len(contains) == 3


def test_spdx_gives_the_verification_code_of_what_has_files() -> None:
    source = spdx_document("2026")
    source["packages"].append({"SPDXID": "SPDXRef-bare", "filesAnalyzed": True, "packageVerificationCode": {}})
    foo, root, bare = spdx(source, SUBJECT)["packages"]
    for package, checksum in ((foo, b"a" * 40), (root, b"b" * 40)):
        assert package["filesAnalyzed"] is True
        code = hashlib.sha1(checksum).hexdigest()
        assert package["packageVerificationCode"] == {"packageVerificationCodeValue": code}
    assert bare == {"SPDXID": "SPDXRef-bare", "filesAnalyzed": False}


def test_spdx_gives_no_checksum_of_a_directory_and_no_relation_to_one() -> None:
    document = spdx(spdx_document("2026"), SUBJECT)
    assert [file["fileName"] for file in document["files"]] == ["etc/passwd", "site/foo.pyc"]
    assert not any("SPDXRef-site" in each.values() for each in document["relationships"])
