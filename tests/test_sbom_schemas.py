"""Both SBOMs are what their specifications ask for, as the libraries of CycloneDX and of SPDX judge it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.model.document import Document
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.commands import Ended

Judge = Callable[[dict[str, Any]], list[str]]


def by_cyclonedx(document: dict[str, Any]) -> list[str]:
    """Return what is wrong by the JSON schema of the version that the document names, unknown keys included."""
    wrong = JsonStrictValidator(SchemaVersion.from_version(document["specVersion"])).validate_str(json.dumps(document))
    return [] if wrong is None else [str(wrong)]


def by_spdx(document: dict[str, Any]) -> list[str]:
    """Return what is wrong by SPDX's own rules, references between elements included."""
    return [each.validation_message for each in validate_full_spdx_document(_parsed(document))]


def _parsed(document: dict[str, Any]) -> Document:
    return JsonLikeDictParser().parse(document)  # type: ignore[no-untyped-call] # its constructor says nothing


def written(finished: tuple[Path, Ended], name: str) -> Iterator[dict[str, Any]]:
    """Yield a document of each platform of a finished run."""
    paths = sorted((finished[0] / ".run" / "sbom").glob(f"*/{name}"))
    assert paths
    yield from (json.loads(path.read_bytes()) for path in paths)


@pytest.mark.parametrize(("name", "judge"), [("sbom.cdx.json", by_cyclonedx), ("sbom.spdx.json", by_spdx)])
def test_a_library_made_for_it_finds_nothing_wrong(finished: tuple[Path, Ended], name: str, judge: Judge) -> None:
    assert [wrong for document in written(finished, name) for wrong in judge(document)] == []


def test_they_would_find_something(finished: tuple[Path, Ended]) -> None:
    cyclonedx, spdx = next(written(finished, "sbom.cdx.json")), next(written(finished, "sbom.spdx.json"))
    assert by_cyclonedx({**cyclonedx, "serialNumber": "none"}) != []
    spdx["relationships"][0]["relatedSpdxElement"] = "SPDXRef-of-nothing"
    assert by_spdx(spdx) != []
