"""Actions are of one version in every workflow, and a lock that a change has left behind is named with its remedy."""

import shutil
from pathlib import Path

import pytest

from shipseal.errors import ConfigError
from shipseal.project.config import HOME, Config
from shipseal.relocking.in_step import out_of_step
from shipseal.relocking.lock_changes import LockChange, changes
from shipseal.relocking.relock import KINDS, Wanted, wanted
from shipseal.relocking.relock_actions import relock_actions, workflows
from tests.commands import Ended, clone, pipeline

OLD, NEW, OTHER = "1" * 40, "2" * 40, "3" * 40
FIRST = f"""
jobs:
  a:
    steps:
      - uses: actions/checkout@{OLD} # v7.0.1
      - uses: actions/cache/save@{OLD} # v4.0.0
      - uses: ./.github/actions/own
      - uses: docker/login-action@v3
      - run: echo "uses nothing@{OLD}"
"""
SECOND = f"""
jobs:
  b:
    uses: acme/pipeline/.github/workflows/build.yml@{OLD} # v1.0.0
  c:
    steps:
      - uses: actions/checkout@{NEW} # v7.1.0 zizmor: ignore[x]
      - uses: actions/cache/restore@{NEW} # v4.10.0
"""


def write(root: Path, *texts: str) -> tuple[Path, ...]:
    """Write workflows."""
    directory = root / ".github" / "workflows"
    directory.mkdir(parents=True)
    for number, text in enumerate(texts):
        (directory / f"{number}.yml").write_text(text)
    return workflows(root)


def test_every_workflow_gets_the_highest_version_that_one_of_them_uses(tmp_path: Path) -> None:
    """As numbers, and for all actions of a repository together: 4.10 is above 4.9, and there is no half a release."""
    every = write(tmp_path, FIRST, SECOND)
    made = relock_actions(every[0], every)
    expected = FIRST.replace(f"checkout@{OLD} # v7.0.1", f"checkout@{NEW} # v7.1.0")
    assert expected.replace(f"cache/save@{OLD} # v4.0.0", f"cache/save@{NEW} # v4.10.0") == made
    assert relock_actions(every[1], every) == SECOND
    assert changes("actions", FIRST, made) == (
        LockChange("actions/cache", "v4.0.0", "v4.10.0"),
        LockChange("actions/checkout", "v7.0.1", "v7.1.0"),
    )


def test_one_version_at_two_commits_is_refused_and_both_are_named(tmp_path: Path) -> None:
    """One of the two is not what its comment says."""
    every = write(tmp_path, FIRST, SECOND.replace("v7.1.0", "v7.0.1"))
    with pytest.raises(ConfigError, match=r"two commits are said to be actions/checkout v7\.0\.1") as raised:
        relock_actions(every[0], every)
    assert [OLD in raised.value.why[0], NEW in raised.value.why[1]] == [True, True]


@pytest.mark.parametrize("comment", ["", " # main"])
def test_a_commit_whose_version_nobody_says_is_refused_where_another_one_is_used(tmp_path: Path, comment: str) -> None:
    every = write(tmp_path, FIRST.replace(" # v7.0.1", comment), SECOND)
    with pytest.raises(ConfigError, match="it is not said which version of actions/checkout that is"):
        relock_actions(every[0], every)


def test_a_commit_that_stands_everywhere_needs_no_version(tmp_path: Path) -> None:
    text = FIRST.replace(" # v7.0.1", "")
    every = write(tmp_path, text, text)
    assert relock_actions(every[0], every) == text


def test_the_locks_of_this_checkout_are_in_step() -> None:
    asked = [each for each in wanted(Config.load(HOME / "pipeline.toml"), KINDS) if not each.left]
    assert list(out_of_step(asked)) == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project of somebody else, with what its locks are made from, and two workflows."""
    root = clone("greetings", tmp_path / "greetings")
    for name, asked in (("run", "waitress>=3"), ("build", "hatchling"), ("test", "pytest # to run them")):
        (root / "locks" / f"{name}.in").write_text(f"# asked for\n{asked}\n")
    write(root, FIRST, FIRST)
    return root


def check(root: Path, *words: str) -> Ended:
    return pipeline("update-locks", *words, cwd=root)


def test_locks_that_fit_are_said_to(project: Path) -> None:
    ended = check(project, "--check")
    assert ended.code == 0, ended.output
    assert "every lock is in step" in ended.stderr


@pytest.mark.parametrize(
    ("name", "asked", "said"),
    [
        ("run", "waitress>=99", "run.in asks for waitress>=99, locked is 3."),
        ("test", "pytest\nattrs", "test.in asks for attrs, which is not locked"),
        ("run", "waitress >== 3", "is not a valid requirement"),
    ],
)
def test_a_proposal_that_has_moved_a_package_alone_is_told_what_to_type(
    project: Path, name: str, asked: str, said: str
) -> None:
    """As Dependabot leaves it, which cannot write these locks."""
    (project / "locks" / f"{name}.in").write_text(asked)
    ended = check(project, "--check")
    assert ended.code == 2, ended.output
    assert f"locks/{name}.lock: " in ended.stderr
    assert said in ended.stderr
    assert "make update-locks" in ended.stderr


def test_a_proposal_that_has_moved_an_action_in_one_place_is_made_whole_by_one_command(project: Path) -> None:
    directory = project / ".github" / "workflows"
    (directory / "1.yml").write_text(FIRST.replace(f"{OLD} # v7.0.1", f"{NEW} # v7.1.0"))
    ended = check(project, "--check")
    assert ended.code == 2, ended.output
    assert ".github/workflows/0.yml: it uses an action at another commit" in ended.stderr
    ended = check(project, "actions")
    assert ended.code == 0, ended.output
    assert "changed: .github/workflows/0.yml\n  actions/checkout v7.0.1 -> v7.1.0" in ended.stdout
    assert (directory / "0.yml").read_text() == (directory / "1.yml").read_text()
    assert check(project, "--check").code == 0


def test_a_tool_whose_module_graph_has_moved_alone_is_named(tmp_path: Path) -> None:
    tools = Path(shutil.copytree(HOME / "tools", tmp_path / "tools"))
    graph = tools / "oras" / "go.mod"
    text = graph.read_text()
    lines = [line for line in text.splitlines() if "oras.land/oras v" in line]
    assert len(lines) == 1
    graph.write_text(text.replace(lines[0], lines[0].partition(" v")[0] + " v9.9.9"))
    [(lock, why)] = out_of_step([Wanted("tools", tools / "tools.lock.toml")])
    assert (lock.name, why.startswith("oras/go.mod names 9.9.9, locked is ")) == ("tools.lock.toml", True)


def test_the_checks_of_ci_look_for_it() -> None:
    recipe = (HOME / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    assert "update-locks --check" in recipe
    assert "run: make lint" in (HOME / ".github" / "workflows" / "checks.yml").read_text()
