"""The schemas that docs/schemas publishes are those of the models, and say of a document what the models say."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from shipseal.documents import schema
from shipseal.documents.document import Kept
from shipseal.documents.sbom import CycloneDxDocument
from shipseal.project.config import HOME
from tests.commands import Ended
from tests.document_schemas import every, write
from tests.test_documents import WHOLE

# The sample has no suite for its image, and is attacked by a verb.
ELSEWHERE = {("smoke", "tests.json"), ("attack", "attack.json")}
PUBLISHED = HOME / "docs" / "schemas"

each = pytest.mark.parametrize("model", every(), ids=lambda model: model.__name__)


def wrong(model: type[Kept], document: Any) -> list[str]:
    """Return what the published schema has against a document."""
    published = json.loads((PUBLISHED / schema.file(model)).read_bytes())
    jsonschema.Draft202012Validator.check_schema(published)
    return [
        f"{error.json_path}: {error.message}"
        for error in jsonschema.Draft202012Validator(published).iter_errors(document)
    ]


def test_what_is_published_is_what_the_models_say(tmp_path: Path) -> None:
    """`make schemas` writes them again."""
    write(tmp_path / "schemas")
    written = {path.name: path.read_text() for path in (tmp_path / "schemas").iterdir()}
    assert written == {path.name: path.read_text() for path in PUBLISHED.iterdir()}


def test_every_schema_is_linked() -> None:
    page = (HOME / "docs" / "json.md").read_text()
    assert [path.name for path in PUBLISHED.iterdir() if f"(schemas/{path.name})" not in page] == []


@pytest.mark.parametrize("model", WHOLE, ids=lambda model: model.__name__)
def test_a_whole_document_is_one_to_its_schema_and_one_with_another_key_is_none(model: type[Kept]) -> None:
    assert wrong(model, WHOLE[model]) == []
    assert wrong(model, {**WHOLE[model], "unheard-of": 1} if isinstance(WHOLE[model], dict) else [{"unheard-of": 1}])
    assert wrong(model, None)


def test_a_key_says_what_it_holds() -> None:
    described = json.loads((PUBLISHED / "facts-facts.schema.json").read_bytes())["properties"]
    assert described["commit_time"]["description"].startswith("seconds since 1970")


@each
@pytest.mark.timeout(300)
def test_the_documents_of_a_dry_run_are_what_their_schemas_say(model: type[Kept], finished: tuple[Path, Ended]) -> None:
    run = finished[0] / ".run"
    found = [*(run / model.STAGE).glob(model.NAME), *(run / model.STAGE).glob(f"linux-*/{model.NAME}")]
    assert found or (model.STAGE, model.NAME) in ELSEWHERE
    for path in found:
        assert wrong(model, json.loads(path.read_bytes())) == []
        model.parse(path.read_bytes())


def test_a_listing_that_lists_nothing_is_none_to_its_schema() -> None:
    assert wrong(CycloneDxDocument, {"components": []})
