"""Release notes say which findings of an earlier release are closed, by the scans that were signed with both."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests import upstream
from tests.release import small
from tests.release.projects import IDENTITY, Project
from tests.release.registries import olareg

pytestmark = pytest.mark.timeout(600)


def match(identifier: str, package: str, severity: str = "High") -> dict[str, Any]:
    """Return a match as Grype's report has it."""
    [one] = upstream.GRYPE["matches"]
    name, _, version = package.rpartition("/")[2].partition("@")
    artifact = {"name": name, "version": version, "purl": f"{package}?arch=amd64"}
    return {
        **one,
        "vulnerability": {**one["vulnerability"], "id": identifier, "severity": severity},
        "artifact": artifact,
    }


ZLIB = "pkg:deb/debian/zlib1g"
BEFORE = [match("CVE-2026-1", f"{ZLIB}@1"), match("GHSA-aaaa-bbbb-cccc", "pkg:pypi/jinja2@3.1.2", "Critical")]
NOW = [match("CVE-2026-1", f"{ZLIB}@2"), match("CVE-2026-3", f"{ZLIB}@2")]


@pytest.fixture(scope="module")
def released(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project with two releases: one finding stays, in another version, one has gone and one has come."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        project = small.project(tmp_path_factory.mktemp("project"), registry, authority, store.root)
        for version, matches in (("1.0.0", BEFORE), ("1.1.0", NOW)):
            project.commit("matches.json", json.dumps(matches))
            small.publish(project, version)
        yield project


def test_the_notes_name_what_is_closed_since_the_release_before(released: Project, tmp_path: Path) -> None:
    ended = released.run("notes", "--since", "last", "--write", tmp_path)
    assert ended.code == 0, ended.output
    told = (tmp_path / "notes.md").read_text()
    assert "## Findings closed since 1.0.0\n\n| finding | severity | in |" in told
    assert "| `GHSA-aaaa-bbbb-cccc` | critical | `pkg:pypi/jinja2@3.1.2` |" in told
    assert "CVE-2026-1" not in told, "an update that leaves a finding closes nothing"
    assert "Found now and not then: 1." in told
    assert told.count("2026-11-20") == 2, "both databases have their day"


def test_an_earlier_release_is_named_by_its_tag_and_machines_are_told_the_same(released: Project) -> None:
    ended = released.run("notes", "--since", "1.0.0", "--json")
    assert ended.code == 0, ended.output
    since = json.loads(ended.stdout.splitlines()[-1])["since"]
    assert (since["tag"], [each["id"] for each in since["closed"]], since["opened"]) == (
        "1.0.0",
        ["GHSA-aaaa-bbbb-cccc"],
        1,
    )


def test_a_release_that_is_not_there_is_refused(released: Project) -> None:
    ended = released.run("notes", "--since", "0.0.7")
    assert ended.code == 2, ended.output
    assert "there is no tag 0.0.7" in ended.stderr


def test_a_scan_that_nobody_has_signed_who_may_says_nothing(released: Project, tmp_path: Path) -> None:
    project = released.copy(tmp_path / "sample")
    rules = project.root / "policy" / "verification.toml"
    rules.write_text(rules.read_text().replace(IDENTITY, small.STRANGER))
    ended = project.run("notes", "--since", "last")
    assert ended.code == 0, ended.output
    assert "## Findings closed since 1.0.0\n\nNot known: no scan of sha256:" in ended.stdout


def test_where_nothing_was_released_before_that_is_said(released: Project, tmp_path: Path) -> None:
    project = released.copy(tmp_path / "sample")
    configuration = project.root / "pipeline.toml"
    configuration.write_text(configuration.read_text().replace("acme/sample", "acme/another"))
    ended = project.run("notes", "--since", "last")
    assert ended.code == 0, ended.output
    assert "## Findings closed\n\nNot known: no earlier version has a tag in this registry." in ended.stdout


def test_without_being_asked_nobody_is(released: Project) -> None:
    before = released.registry.log.read_text()
    ended = released.run("notes")
    assert "Findings closed" not in ended.stdout
    assert released.registry.log.read_text() == before
