"""Projects of other people, each with one defect or peculiarity, end where and as they should, by the real command."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests import commands
from tests.commands import arguments, commit

SAMPLES = HOME / "tests" / "samples"
LEFT_WHEN_DENIED = (
    "sbom/linux-amd64/sbom.cdx.json",
    "sbom/linux-amd64/sbom.spdx.json",
    "scan/grype.json",
    "assess/verdict.json",
)


@dataclass(frozen=True)
class Ended:
    """How a dry run ended, and where it was."""

    code: int
    run_dir: Path
    events: tuple[dict[str, Any], ...]
    errors: str

    @classmethod
    def of(cls, project: Path, ended: commands.Ended) -> Self:
        """Return how the run ended that all tests share, which was for people and has no events."""
        return cls(ended.code, project / ".run", (), ended.output)

    def failure(self) -> dict[str, Any]:
        """Return the one failure that ended it."""
        [failure] = [event for event in self.events if event["event"] == "error"]
        return failure

    def finished(self) -> set[str]:
        """Return the stages that have left a whole directory."""
        return {path.parent.name for path in self.run_dir.glob("*/record.json")}

    def read(self, name: str) -> Any:
        """Read what a stage wrote."""
        return json.loads((self.run_dir / name).read_bytes())


DryRun = Callable[[str], Ended]


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory: pytest.TempPathFactory, store: Store) -> DryRun:
    """Give a function that takes a copy of a sample, in a repository of its own, through the pipeline, once."""

    @cache
    def perform(sample: str) -> Ended:
        project = tmp_path_factory.mktemp("samples") / sample
        shutil.copytree(SAMPLES / sample, project)
        commit(project)
        done = subprocess.run(
            arguments("dry-run", "--json", "--store", store.root),
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(HOME)},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        events = tuple(json.loads(line) for line in done.stdout.splitlines())
        return Ended(done.returncode, project / ".run", events, done.stderr)

    return perform


@pytest.mark.parametrize(
    ("sample", "stage", "code", "what", "why"),
    [
        ("failing-test", "test", 7, "1 of 1 tests of failing-test failed", "test_the_service_says_goodbye"),
        ("no-tests", "test", 7, "no test of no-tests ran", "0 collected"),
        ("syntax-error", "image", 7, "hello/later.py:3 is not valid Python", "syntax"),
        ("missing-library", "image", 7, "libsqlite3.so.0", "libsqlite3-0"),
        (
            "critical-advisory",
            "admit",
            3,
            "not allowed in docker.io/example/critical-advisory@sha256:",
            "GHSA-9298-4cf8-g4wj",
        ),
        ("expired-vex", "admit", 3, "not allowed in docker.io/example/expired-vex@sha256:", "CVE-2026-5450"),
    ],
)
def test_a_defect_ends_the_run_in_its_stage_with_its_exit_code_and_its_words(
    dry_run: DryRun, sample: str, stage: str, code: int, what: str, why: str
) -> None:
    ended = dry_run(sample)
    failure = ended.failure()
    assert (failure["stage"], ended.code) == (stage, code), ended.errors
    assert what in failure["what"]
    assert why in " ".join([failure["what"], *failure["why"], failure["remedy"]])
    assert failure["remedy"]
    assert stage not in ended.finished()


@pytest.mark.parametrize("sample", ["critical-advisory", "expired-vex"])
def test_a_denied_image_leaves_its_evidence_and_nothing_in_a_registry(dry_run: DryRun, sample: str) -> None:
    ended = dry_run(sample)
    assert [name for name in LEFT_WHEN_DENIED if not (ended.run_dir / name).is_file()] == []
    assert ended.read("assess/verdict.json")["allowed"] is False
    assert ended.finished().isdisjoint({"attest", "publish", "verify", "promote", "deploy"})
    assert list(ended.run_dir.rglob("registry")) == []


def test_a_denied_run_leaves_a_report_that_says_so(dry_run: DryRun) -> None:
    ended = dry_run("critical-advisory")
    report = (ended.run_dir / "report.failed" / "summary.md").read_text(encoding="utf-8")
    assert "GHSA-9298-4cf8-g4wj" in report
    assert "SAMPLE" in report
    assert "| admit | denied |" in report


def test_a_statement_that_has_ended_is_named_with_its_end(dry_run: DryRun) -> None:
    failure = dry_run("expired-vex").failure()
    assert "2025-07-01" in " ".join([*failure["why"], failure["remedy"]])


@pytest.mark.parametrize(("sample", "objects"), [("greetings", 2), ("compiled-wheel", None)])
def test_a_service_that_has_nothing_to_do_with_ours_is_built_signed_and_verified(
    dry_run: DryRun, finished: tuple[Path, commands.Ended], sample: str, objects: int | None
) -> None:
    ended = Ended.of(*finished) if sample == "greetings" else dry_run(sample)
    assert ended.code == 0, ended.errors
    image = ended.read("image/image.json")
    assert image["reference"].startswith(f"docker.io/example/{sample}@sha256:")
    assert ended.read("verify/verification.json")["digest"] == image["digest"]
    assert ended.read("promote/tags.json")["tags"][0] == "1.0.0"
    deployed = ended.read("deploy/receipt.json")
    assert deployed["state"] == ("checked, not applied" if objects else "not run")
    assert len(deployed.get("objects", [])) == (objects or 0)
    assert "SAMPLE" in (ended.run_dir / "report" / "summary.md").read_text(encoding="utf-8")


@pytest.mark.timeout(600)
def test_what_attacks_a_service_of_others_is_refused_attack_by_attack(dry_run: DryRun, store: Store) -> None:
    """As `tests/attacks` sees it of a sample and of this repository: here is a dry run that others have asked for."""
    project = dry_run("compiled-wheel").run_dir.parent
    ended = commands.pipeline("attack", "--json", "--store", store.root, cwd=project, timeout=280)
    assert ended.code == 0, ended.output
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["name"] for each in told if not each["ok"] and each["event"] == "attacked"] == []
    assert len(told) > 60
    assert told[-1]["left_out"] == {}
