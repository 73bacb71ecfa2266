"""What a list of referrers shows, and to whom."""

from typing import Any

from shipseal.digest import Digest, Reference
from shipseal.distribution.referrers import BUNDLE_TYPE, KIND
from shipseal.statements.builders import PredicateType
from shipseal.verification.discovery import LEGACY, DiscoveryMethod, Keeps, described, discovery, emulated, lines

PROVENANCE, SPDX = PredicateType.PROVENANCE.value, PredicateType.SPDX.value
ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
KNOWN = {ONE: PROVENANCE, OTHER: SPDX}


def entry(digest: Digest, kind: str = "", **more: Any) -> dict[str, Any]:
    annotations = {"annotations": {KIND: kind}} if kind else {}
    return {"digest": str(digest), "artifactType": BUNDLE_TYPE, **annotations, **more}


def test_a_list_shows_the_types_that_are_written_in_it_and_says_how_many_are_not() -> None:
    way = described("a list", [entry(ONE, PROVENANCE), entry(OTHER)])
    assert way.found == {PROVENANCE}
    assert way.says == "1 of 2 bundles are listed without the type of their statement"


def test_what_is_listed_as_another_artefact_is_no_bundle_to_anybody() -> None:
    listed = [entry(ONE, PROVENANCE, artifactType="text/plain"), {"digest": 3}, entry(OTHER, artifactType=None)]
    assert described("a list", listed).found == frozenset()
    assert {way.found for way in emulated(listed, KNOWN, "")} == {frozenset()}


def test_who_opens_each_bundle_needs_no_type_in_the_list() -> None:
    found = {way.name: way for way in emulated([entry(ONE), entry(OTHER)], KNOWN, LEGACY)}
    assert found["Kyverno, type SigstoreBundle"].found == {PROVENANCE, SPDX}
    assert found["Kyverno, type Cosign"].found == frozenset()
    assert found["Kyverno, type Cosign"].says == LEGACY
    assert found["gh attestation verify, from GitHub's API"].says


def test_no_way_that_was_not_walked_is_called_measured() -> None:
    assert {way.measured for way in emulated([], {}, LEGACY)} == {False}


def test_a_discovery_says_of_each_way_what_it_finds_and_what_not() -> None:
    reference = Reference("registry.example", "acme/app", ONE)
    way = DiscoveryMethod("a tool", measured=True, found=frozenset({SPDX, "a type of others"}))
    document = discovery(reference, reference.registry, Keeps.INDEX, (PROVENANCE, SPDX, SPDX), (way,))
    told = document.as_json()
    assert told["registry"] == {"host": "registry.example", "keeps": Keeps.INDEX.value}
    assert told["kinds"] == [PROVENANCE, SPDX]
    assert told["ways"] == [{"way": "a tool", "measured": True, "found": [SPDX], "missing": [PROVENANCE], "says": ""}]
    assert list(lines(document))[1] == "a tool: spdx"
