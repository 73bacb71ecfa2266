"""The workflows start the pipeline and decide nothing: what they may do, what they run, and what two linters say."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.project.config import HOME

DIRECTORY = HOME / ".github" / "workflows"
WORKFLOWS = sorted(DIRECTORY.glob("*.yml"))
USE = re.compile(r"^\s*(?:- )?uses: (\S+)(?: # (\S+))?$", re.MULTILINE)

# A step that is no action is one command: nothing that a shell would put together, decide or take from an expression.
COMMAND = re.compile(
    r"(sudo )?(make( -C pipeline)? [a-z./-]+"
    r"|sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0"
    r"|(pipeline/)?\.venv/bin/python -P -m shipseal [a-z]+(( --?[a-z-]+)? (\"[\w$/.-]+\"|[\w/,.-]+)| --yes)*)"
)

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def run(*command: str | Path, cwd: Path = HOME) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def jobs(workflow: Path) -> list[dict[str, Any]]:
    """Return the jobs of a workflow."""
    return list(yaml.safe_load(workflow.read_bytes())["jobs"].values())


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs that have some; the others call a workflow."""
    return [step for job in jobs(workflow) for step in job.get("steps", ())]


def test_there_is_a_workflow() -> None:
    assert [path.name for path in WORKFLOWS] != []


@every_workflow
def test_nothing_is_permitted_but_what_a_job_asks_for(workflow: Path) -> None:
    assert yaml.safe_load(workflow.read_bytes())["permissions"] == {}
    assert all("permissions" in job for job in jobs(workflow))


@every_workflow
def test_every_action_is_named_by_its_commit_and_says_which_version_that_is(workflow: Path) -> None:
    text = re.sub(r"^ +uses: \./\.github/workflows/.*$", "", workflow.read_text(), flags=re.MULTILINE)
    used = USE.findall(text)
    assert len(used) == text.count("uses:") > 0
    for action, version in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version), action


def test_a_step_of_the_pipeline_under_dagger_uses_an_action_and_has_no_script() -> None:
    for job in jobs(DIRECTORY / "pipeline.yml"):
        assert [step["name"] for step in job["steps"] if "run" in step or "uses" not in step] == []


@every_workflow
def test_a_step_uses_an_action_or_is_one_command(workflow: Path) -> None:
    """What it names of a caller or a job before comes by a variable, and is quoted."""
    assert [each["name"] for each in steps(workflow) if ("run" in each) == ("uses" in each)] == []
    assert [each["run"] for each in steps(workflow) if "run" in each and not COMMAND.fullmatch(each["run"])] == []


@every_workflow
def test_every_job_ends_by_itself_and_one_that_is_called_says_so_there(workflow: Path) -> None:
    assert [job["name"] for job in jobs(workflow) if ("timeout-minutes" in job) == ("uses" in job)] == []


IDENTIFIED = {
    ("build-and-sign.yml", "sign"),
    ("release.yml", "image"),
    ("release.yml", "deploy"),
}


@every_workflow
def test_an_identity_has_the_job_that_signs_or_takes_a_role_and_no_other(workflow: Path) -> None:
    found = yaml.safe_load(workflow.read_bytes())["jobs"]
    wanted = {name for file, name in IDENTIFIED if file == workflow.name}
    assert wanted == {name for name, job in found.items() if "id-token" in job["permissions"]}
    assert {"contents", "id-token"} >= {each for job in found.values() for each in job["permissions"]}
    assert {"read"} == {job["permissions"]["contents"] for job in found.values()}


@every_workflow
def test_a_secret_is_seen_by_a_step_of_a_job_that_an_environment_guards(workflow: Path) -> None:
    guarded = [job for job in jobs(workflow) if "environment" in job]
    own = [step for job in guarded for step in job["steps"] if "secrets." in str(step.get("env"))]
    assert len(own) == workflow.read_text().count("secrets.")


@every_workflow
def test_nothing_is_taken_from_a_cache_and_no_credential_stays_behind_a_checkout(workflow: Path) -> None:
    checkouts = [step["with"] for step in steps(workflow) if "actions/checkout" in step.get("uses", "")]
    assert [each for each in checkouts if each["persist-credentials"] is not False] == []
    assert re.search(r"cache", re.sub(r"#.*", "", workflow.read_text())) is None


def test_the_workflow_that_others_call_takes_the_pipeline_at_its_own_commit_in_both_jobs() -> None:
    for job in jobs(DIRECTORY / "build-and-sign.yml"):
        [own] = [step["with"] for step in job["steps"] if step.get("with", {}).get("path") == "pipeline"]
        assert own["repository"] == "${{ job.workflow_repository || 'unknown' }}"
        assert own["ref"] == "${{ job.workflow_sha || 'unknown' }}"


def test_the_job_that_signs_runs_the_pipeline_alone_and_stands_beside_the_one_that_builds() -> None:
    found = yaml.safe_load((DIRECTORY / "build-and-sign.yml").read_bytes())["jobs"]
    assert found["sign"]["needs"] == "build"
    for step in found["sign"]["steps"]:
        assert step.get("run", "").startswith(("make -C pipeline ", "pipeline/.venv/bin/python -P -m shipseal ")) or (
            "uses" in step
        )


def test_newer_versions_are_proposed_when_a_week_has_shown_them() -> None:
    updates = yaml.safe_load((HOME / ".github" / "dependabot.yml").read_bytes())["updates"]
    assert {"github-actions", "pip", "gomod", "docker"} == {each["package-ecosystem"] for each in updates}
    assert {7} == {each["cooldown"]["default-days"] for each in updates}


def test_the_command_line_of_dagger_is_of_the_version_that_the_module_is_written_for() -> None:
    wanted = json.loads((HOME / "dagger.json").read_bytes())["engineVersion"]
    used = [step for workflow in WORKFLOWS for step in steps(workflow) if "dagger" in step.get("uses", "")]
    versions = [step["with"]["version"] for step in used]
    assert {f"v{version}" for version in versions} == {wanted}


@pytest.mark.parametrize("name", ["pipeline.yml", "checks.yml"])
def test_what_runs_for_a_pull_request_can_read_and_has_no_secret(name: str) -> None:
    text = (DIRECTORY / name).read_text()
    assert re.search(r"secrets\.|secrets:|id-token", text) is None
    assert {"contents: read"} == {
        f"{key}: {value}" for job in jobs(DIRECTORY / name) for key, value in job["permissions"].items()
    }


@every_workflow
def test_nothing_but_that_runs_for_a_pull_request_and_never_with_the_rights_of_the_branch_it_is_for(
    workflow: Path,
) -> None:
    events = yaml.safe_load(workflow.read_bytes())[True]  # which is what YAML makes of `on`
    assert ("pull_request" in events) == (workflow.name in {"pipeline.yml", "checks.yml"})
    assert {"push", "pull_request", "workflow_call", "workflow_dispatch", "schedule"} >= set(events)


@every_workflow
def test_what_others_have_written_is_in_no_command(workflow: Path) -> None:
    """The names of branches, titles and the like are on no line that a shell or the engine reads."""
    assert [each["run"] for each in steps(workflow) if "${{" in each.get("run", "")] == []
    assert [each["with"] for each in steps(workflow) if "${{" in str(each.get("with", {}).get("args", ""))] == []


def test_actionlint_finds_nothing(programs: Path) -> None:
    done = run(programs / "actionlint", *WORKFLOWS)
    assert (done.stdout, done.returncode) == ("", 0)


def test_zizmor_finds_nothing_as_an_auditor(programs: Path) -> None:
    done = run(programs / "zizmor", "--offline", "--persona=auditor", "--format=json", HOME / ".github")
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
