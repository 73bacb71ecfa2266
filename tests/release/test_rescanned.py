"""What is published is verified, and judged by what is known today, whatever was signed of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.local import advisories
from shipseal.project.config import HOME
from tests.commands import Ended
from tests.release.projects import Project, another_database

pytestmark = pytest.mark.timeout(300)

WRITES = ('"PUT ', '"POST ', '"PATCH ', '"DELETE ')


def rescan(project: Project, into: Path, **more: str) -> Ended:
    return project.run("rescan", "--into", into, "--json", **more)


def images(ended: Ended) -> Any:
    (event,) = [each for line in ended.stdout.splitlines() if (each := json.loads(line))["event"] == "rescanned"]
    return event["images"]


def learn(project: Project) -> None:
    """Have the world learn that the server of the service is broken: a database of today says so."""
    known = advisories.read(HOME / "policy" / "sample-advisories.toml")
    [one] = [each for each in known.advisory if each.id == "GHSA-9298-4cf8-g4wj"]
    learnt = {"id": "GHSA-xxxx-yyyy-zzzz", "aliases": (), "affected": ">=2.0.0", "fixed_in": "", "fix": "not-fixed"}
    newer = one.model_copy(update=learnt)
    built = datetime.now(UTC) - timedelta(hours=1)
    file = project.home / "vulnerability.db"
    file.unlink(missing_ok=True)
    advisories.build(
        known.model_copy(update={"built": built, "advisory": (*known.advisory, newer)}), file, processor="tests"
    )
    assert project.run("db", "import", file).code == 0


def test_what_may_still_ship_is_said_to_and_nothing_is_written_outside(copy: Project, tmp_path: Path) -> None:
    digest, said = copy.read("image/image.json")["digest"], len(copy.registry.log.read_text())
    ended = rescan(copy, tmp_path / "rescanned")
    assert ended.code == 0, ended.output
    [image] = images(ended)
    assert (image["digest"], image["allowed"], image["same"]) == (digest, True, True)
    assert not [line for line in copy.registry.log.read_text()[said:].splitlines() if any(w in line for w in WRITES)]
    assert "may ship" in (tmp_path / "rescanned" / digest.partition(":")[2] / "summary.md").read_text()


def test_what_was_learnt_since_makes_it_red_and_says_why(copy: Project, tmp_path: Path) -> None:
    """The database is of today; the policy is the one of the checkout, not of the commit that was released."""
    digest = copy.read("image/image.json")["digest"]
    copy.commit("somewhere.txt", "a newer commit than the one that was released")
    summary = tmp_path / "summary.md"
    on_github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    with another_database(copy):
        learn(copy)
        ended = rescan(copy, tmp_path / "rescanned", **on_github)
    assert ended.code == 3, ended.output
    [image] = images(ended)
    assert image["allowed"] is False
    assert "GHSA-xxxx-yyyy-zzzz" in json.dumps(image["failures"])
    explanation = tmp_path / "rescanned" / digest.partition(":")[2]
    assert "GHSA-xxxx-yyyy-zzzz" in (explanation / "summary.md").read_text()
    assert "GHSA-xxxx-yyyy-zzzz" in summary.read_text()
    assert "may not ship" in summary.read_text()


def test_what_does_not_verify_any_more_is_red(copy: Project, tmp_path: Path) -> None:
    policy = copy.policy.read_text()
    assert "openvex = 1," in policy
    copy.policy.write_text(policy.replace("/.github/workflows/release.yml@", "/.github/workflows/other.yml@"))
    ended = rescan(copy, tmp_path / "rescanned")
    assert ended.code == 6, ended.output
    assert images(ended)[0]["state"] in {"denied", "unsigned"}


def test_without_a_whole_database_nothing_is_said(copy: Project, tmp_path: Path) -> None:
    file = copy.root / "pipeline.toml"
    file.write_text(file.read_text().replace(f'[scan]\ndatabase = "{copy.home}/database"\n', ""))
    ended = rescan(copy, tmp_path / "rescanned")
    assert ended.code == 2, ended.output
    assert "[scan] database" in ended.output


def test_an_explanation_goes_into_no_directory_that_is_there(copy: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert rescan(copy, tmp_path / "mine").code == 2
