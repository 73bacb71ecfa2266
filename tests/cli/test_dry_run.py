"""`dry-run`, when something goes wrong that nobody foresaw, and on another day than today."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Ended, clone, pipeline
from tests.statements import SCANF, document, statement

BUGGY = """
import sys
from shipseal.cli import main
from shipseal.stages import facts
def _ref(repository):
    raise KeyError("nobody foresaw this")
facts._ref = _ref
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return clone("greetings", tmp_path / "greetings")


def with_a_bug(project: Path, *words: str) -> Ended:
    """Run a pipeline whose stage `facts` has a bug."""
    command = [sys.executable, "-c", BUGGY, "dry-run", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_bug_ends_with_a_traceback_and_a_report_that_names_its_stage(project: Path) -> None:
    ended = with_a_bug(project)
    assert ended.code == 1
    assert "Traceback" in ended.stderr
    assert "error: KeyError: 'nobody foresaw this'\n  stage  facts\n" in ended.stderr
    assert "not asked for" not in ended.stdout
    assert "build: the run ended before it" in ended.stdout
    report = (project / ".run" / "report.failed" / "summary.md").read_text(encoding="utf-8")
    assert "KeyError: 'nobody foresaw this'" in report


def test_for_machines_a_bug_is_one_event_like_any_other_failure(project: Path) -> None:
    ended = with_a_bug(project, "--json")
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    [failure] = [event for event in events if event["event"] == "error"]
    assert (failure["stage"], failure["exit_code"], ended.code) == ("facts", 1, 1)


@pytest.mark.parametrize("time", ["tomorrow", "2027-06-01", "2027-06-01T00:00:00"])
def test_a_time_without_its_offset_is_no_time(project: Path, time: str) -> None:
    ended = pipeline("dry-run", "--as-of", time, cwd=project)
    assert (ended.code, ended.stdout) == (2, "")
    assert f"{time} is not a valid time" in ended.stderr


def test_a_dry_run_as_of_a_later_day_tells_what_will_have_expired(finished: tuple[Path, Ended], tmp_path: Path) -> None:
    """What a person states ends; evidence does not stand in for it unasked. The image of an earlier run is kept."""
    project = Path(shutil.copytree(finished[0], tmp_path / "greetings", symlinks=True))
    (project / "rules" / "vex").mkdir()
    (project / "rules" / "vex" / "scanf.json").write_text(document(statement(**SCANF, valid_until="2027-05-25")))
    assert pipeline("dry-run", "--to", "admit", cwd=project).code == 0
    ended = pipeline("dry-run", "--as-of", "2028-06-01T00:00:00Z", cwd=project)
    assert ended.code == 3, ended.output
    assert "CVE-2026-5450" in ended.stderr
    assert "2027-05-25" in ended.stderr
    assert "Dates were judged as of 2028-06-01T00:00:00+00:00" in ended.stdout


def test_a_command_line_that_says_nothing_sensible_is_refused_as_everything_else_is(project: Path) -> None:
    ended = pipeline("dry-run", "--frobnicate", cwd=project)
    assert ended.code == 2
    assert ended.stderr == "error: unrecognized arguments: --frobnicate\n  remedy see `shipseal --help`\n"


def test_output_that_cannot_be_written_is_said(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "shipseal", "dry-run", "--to", "facts"]
        done = subprocess.run(command, cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert "error: the output cannot be written\n  why    no space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr
