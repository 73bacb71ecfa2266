"""The workflows start the pipeline and decide nothing: what they may do, what they run, and what two linters say."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.project.config import HOME

DIRECTORY = HOME / ".github" / "workflows"
WORKFLOWS = sorted(DIRECTORY.glob("*.yml"))
USE = re.compile(r"^\s*(?:- )?uses: (\S+)(?: # (\S+))?$", re.MULTILINE)

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def run(*command: str | Path, cwd: Path = HOME) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def jobs(workflow: Path) -> list[dict[str, Any]]:
    """Return the jobs of a workflow."""
    return list(yaml.safe_load(workflow.read_bytes())["jobs"].values())


def test_there_is_a_workflow() -> None:
    assert [path.name for path in WORKFLOWS] != []


@every_workflow
def test_nothing_is_permitted_but_what_a_job_asks_for(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_bytes())["permissions"] == {}
    assert all("permissions" in job for job in jobs(workflow))


@every_workflow
def test_every_action_is_named_by_its_commit_and_says_which_version_that_is(workflow: Path) -> None:
    used = USE.findall(workflow.read_text())
    assert len(used) == workflow.read_text().count("uses:") > 0
    for action, version in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version), action


@every_workflow
def test_a_step_uses_an_action_and_has_no_script(workflow: Path) -> None:
    for job in jobs(workflow):
        assert [step["name"] for step in job["steps"] if "run" in step or "uses" not in step] == []


@every_workflow
def test_the_command_line_of_dagger_is_of_the_version_that_the_module_is_written_for(workflow: Path) -> None:
    wanted = json.loads((HOME / "dagger.json").read_bytes())["engineVersion"]
    versions = [step["with"]["version"] for job in jobs(workflow) for step in job["steps"] if "dagger" in step["uses"]]
    assert {f"v{version}" for version in versions} == {wanted}


def test_what_runs_for_a_pull_request_can_read_and_has_no_secret() -> None:
    text = (DIRECTORY / "pipeline.yml").read_text()
    assert re.search(r"secrets\.|secrets:|id-token", text) is None
    assert [job["permissions"] for job in jobs(DIRECTORY / "pipeline.yml")] == [{"contents": "read"}]


def test_actionlint_finds_nothing(programs: Path) -> None:
    done = run(programs / "actionlint", *WORKFLOWS)
    assert (done.stdout, done.returncode) == ("", 0)


def test_zizmor_finds_nothing_as_an_auditor(programs: Path) -> None:
    done = run(programs / "zizmor", "--offline", "--persona=auditor", "--format=json", DIRECTORY)
    assert (json.loads(done.stdout), done.returncode) == ([], 0)


def test_act_finds_the_workflows_to_be_of_the_schema(programs: Path) -> None:
    done = run(programs / "act", "--validate", "--strict", "--workflows", DIRECTORY)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "linter", "said"),
    [
        ("permissions: {}", "permissions: write-all", "zizmor", "excessive-permissions"),
        ("persist-credentials: false", "persist-credentials: true", "zizmor", "artipacked"),
        ("timeout-minutes: 60", "timeout-minuets: 60", "actionlint", "timeout-minuets"),
    ],
)
def test_the_linters_would_find_something(
    programs: Path, tmp_path: Path, right: str, wrong: str, linter: str, said: str
) -> None:
    copy = Path(shutil.copytree(DIRECTORY, tmp_path / ".github" / "workflows")) / "pipeline.yml"
    assert right in copy.read_text()
    copy.write_text(copy.read_text().replace(right, wrong, 1))
    options = ["--offline", "--persona=auditor"] if linter == "zizmor" else []
    done = run(programs / linter, *options, copy, cwd=tmp_path)
    assert done.returncode != 0
    assert said in done.stdout
