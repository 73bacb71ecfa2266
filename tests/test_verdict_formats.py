"""A verdict reads the same as SARIF, as JUnit and as Markdown, and each is what its readers take."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
from markdown_it import MarkdownIt

from shipseal.digest import Digest
from shipseal.documents.verdict import VerdictDocument
from shipseal.judging.case import decide
from shipseal.project.config import HOME
from shipseal.reporting import junit, sarif, verdict_markdown
from tests.cases import SERVICE, WAITRESS, ZLIB, case, match
from tests.statements import RULES, statement

SCHEMA = HOME / "tests" / "schemas" / "sarif-schema-2.1.0.json"
PUBLISHED = "sha256:c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
"""The schema of OASIS, errata 01, whose `id` is where it is published; the copy that Grype 0.115 tests with."""

HOSTILE = '<b>&]]>"\x1b[31m\x00\u202e|`[x](http://e.example) @org ::error::'


def verdict(**changes: Any) -> VerdictDocument:
    """Return a verdict that denies, excuses and notes, and denies the image itself."""
    found = match(), match("CVE-2026-2", WAITRESS, "Critical"), match("CVE-2026-3", SERVICE, "Low")
    clean = RULES + '[base]\npackages = ["libc6"]\n'
    return decided(*found, **{"statements": [statement()], "rules": clean, **changes})


def decided(*found: Any, **changes: Any) -> VerdictDocument:
    """Return the verdict on a case with these findings."""
    return decide(case(*found, **changes))


def results(document: Any) -> list[Any]:
    return list(document["runs"][0]["results"])


def prints(document: Any) -> dict[str, str]:
    return {each["ruleId"]: each["partialFingerprints"]["primaryLocationLineHash"] for each in results(document)}


def validate(document: Any) -> None:
    schema = json.loads(SCHEMA.read_bytes())
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)


def test_the_schema_is_the_one_that_oasis_has_published() -> None:
    assert str(Digest.of_file(SCHEMA)) == PUBLISHED
    assert json.loads(SCHEMA.read_bytes())["id"] == sarif.SCHEMA


@pytest.mark.parametrize(
    "changes", [{}, {"statements": ()}, {"purls": (WAITRESS, SERVICE)}], ids=["all kinds", "denied", "another image"]
)
def test_the_sarif_is_valid_by_the_published_schema(changes: dict[str, Any]) -> None:
    validate(sarif.render(verdict(**changes)))
    validate(sarif.render(decided()))


def test_the_schema_refuses_a_result_without_its_message() -> None:
    document = sarif.render(verdict())
    del results(document)[0]["message"]
    with pytest.raises(jsonschema.ValidationError, match="message"):
        validate(document)


def test_each_reason_is_a_result_with_its_level_and_what_is_excused_is_suppressed_with_why() -> None:
    told = [
        (each["ruleId"], each["level"], each["properties"]["code"], bool(each["suppressions"]))
        for each in results(sarif.render(verdict()))
    ]
    assert told == [
        ("base-package", "error", "base-package", False),
        ("CVE-2026-2", "error", "severity-critical", False),
        ("CVE-2026-1", "note", "vex", True),
        ("CVE-2026-3", "note", "noted", False),
    ]


def test_each_result_names_a_rule_that_is_described_and_a_place_that_a_repository_has() -> None:
    (run,) = sarif.render(verdict())["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [each["ruleId"] for each in run["results"]] == [rules[each["ruleIndex"]]["id"] for each in run["results"]]
    places = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]}
    assert places == {"pipeline.toml"}
    assert (HOME / "pipeline.toml").exists()


def test_one_alert_stays_one_alert_when_its_ruling_or_the_packages_version_changes() -> None:
    denied = prints(sarif.render(verdict(statements=())))
    excused = prints(sarif.render(verdict()))
    assert excused == denied
    newer = ZLIB.replace("1.2", "1.2.1")
    upgraded = decided(match(purl=newer), purls=(newer, WAITRESS))
    assert prints(sarif.render(upgraded))["CVE-2026-1"] == denied["CVE-2026-1"]
    assert len(set(denied.values())) == len(denied)


def test_two_versions_of_one_package_are_two_alerts() -> None:
    two = decided(match(), match(purl=ZLIB.replace("1.2", "1.1")))
    found = [each["partialFingerprints"]["primaryLocationLineHash"] for each in results(sarif.render(two))]
    assert [each.partition(":")[2] for each in found] == ["1", "2"]


def test_the_junit_counts_what_was_denied_as_failed_and_what_is_off_or_excused_as_skipped() -> None:
    document = verdict()
    top = ElementTree.fromstring(junit.render(document))
    rules, found = top
    off = sum(each.decision in {"off", "blind"} for each in document.rules)
    assert [rules.get(key) for key in ("tests", "failures", "skipped")] == [str(len(document.rules)), "2", str(off)]
    assert [found.get(key) for key in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    assert [case.get("name") for case in found if case.find("failure") is not None] == [
        "base-package zlib1g",
        "CVE-2026-2 waitress 3.0.0",
    ]


def test_the_markdown_has_the_answer_the_reasons_and_every_rule(tmp_path: Path) -> None:
    document = verdict()
    page = MarkdownIt("commonmark").enable("table").render(verdict_markdown.render(document))
    assert "Denied, for 2 reasons" in page
    assert "Without VEX statements it would be denied for 3 reasons" in page
    assert all(f"<td>{each.code}</td>" in page for each in document.rules)


def test_hostile_text_stays_text_in_each_of_them() -> None:
    document = decided(match(HOSTILE, severity="Critical"))
    told = sarif.render(document)
    validate(told)
    texts = [results(told)[0]["message"]["text"], results(told)[0]["ruleId"]]
    assert all(text.isprintable() for text in texts)
    (name,) = (each.get("name") for each in ElementTree.fromstring(junit.render(document))[1])
    assert name is not None
    assert name.isprintable()
    page = MarkdownIt("commonmark").enable("table").render(verdict_markdown.render(document))
    assert "<b>" not in page
    assert "<a " not in page
