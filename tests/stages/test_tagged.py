"""A tagged commit is released under one version, which tag, service and changelog name, and which others can have."""

import subprocess
from pathlib import Path

import pytest

from shipseal.errors import ConfigError, UsageError
from shipseal.project.changelog import section
from tests.conftest import MakeRun, commit
from tests.stages.test_facts import gather, git

VERSION = "1.2.3"
CHANGELOG = f"""# Changelog

```markdown
## [{VERSION}]
an example
```

## [Unreleased]

## [{VERSION}] - 2026-11-29

### Fixed

- What was wrong.

## [1.2.2]

- Before.

## 1.2.1
[1.2.2]: https://example.invalid
"""


@pytest.fixture
def tagged(project: Path) -> Path:
    """Give a project of a version, with a changelog that knows it, whose commit is tagged with it and checked out."""
    (project / "service" / "pyproject.toml").write_text(f'[project]\nname = "sample"\nversion = "{VERSION}"\n')
    (project / "CHANGELOG.md").write_text(CHANGELOG)
    commit(project)
    git(project, "tag", f"v{VERSION}")
    git(project, "checkout", "-q", "--detach")
    return project


async def test_tag_service_and_changelog_that_agree_are_a_release(make_run: MakeRun, tagged: Path) -> None:
    found = await gather(make_run("release"))
    assert (found["ref"], found["dirty"]) == (f"refs/tags/v{VERSION}", False)


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.4", "release-v1.2.4", "nightly"])
async def test_a_tag_of_another_version_begins_nothing(make_run: MakeRun, tagged: Path, tag: str) -> None:
    git(tagged, "tag", "-d", f"v{VERSION}")
    git(tagged, "tag", tag)
    with pytest.raises(UsageError, match=f"the tag {tag} is on this commit, and the service is of version {VERSION}"):
        await gather(make_run("release"))
    assert (await gather(make_run()))["ref"] == f"refs/tags/{tag}", "which a dry run is not about"


@pytest.mark.parametrize("tag", ["1.2.3", "sample-v1.2.3", "sample/1.2.3", "v1.2.3.0"])
async def test_a_tag_may_spell_the_version_otherwise_and_say_of_what_it_is(
    make_run: MakeRun, tagged: Path, tag: str
) -> None:
    git(tagged, "tag", "-d", f"v{VERSION}")
    git(tagged, "tag", tag)
    assert (await gather(make_run("release")))["ref"] == f"refs/tags/{tag}"


async def test_a_branch_whose_commit_has_the_tag_of_another_version_is_refused_too(
    make_run: MakeRun, tagged: Path
) -> None:
    git(tagged, "checkout", "-q", "main")
    git(tagged, "tag", "v1.2.4")
    with pytest.raises(UsageError, match=r"the tag v1\.2\.4 is on this commit"):
        await gather(make_run("release"))


@pytest.mark.parametrize("text", [CHANGELOG.replace(f"## [{VERSION}] -", "## [1.2.9] -"), f"## {VERSION}\n\n## 1\n"])
async def test_a_changelog_that_says_nothing_of_the_version_begins_nothing(
    make_run: MakeRun, tagged: Path, text: str
) -> None:
    (tagged / "CHANGELOG.md").write_text(text)
    commit(tagged)
    git(tagged, "tag", "-f", f"v{VERSION}")
    with pytest.raises(UsageError, match=rf"CHANGELOG.md says nothing of {VERSION}, which is tagged"):
        await gather(make_run("release"))


async def test_the_changelog_beside_the_service_goes_before_that_of_the_whole(make_run: MakeRun, tagged: Path) -> None:
    (tagged / "service" / "CHANGELOG.md").write_text("# Changelog\n")
    commit(tagged)
    git(tagged, "tag", "-f", f"v{VERSION}")
    with pytest.raises(UsageError, match=r"service/CHANGELOG\.md says nothing"):
        await gather(make_run("release"))


async def test_a_tagged_commit_with_changes_beside_it_is_no_release(make_run: MakeRun, tagged: Path) -> None:
    (tagged / "new.txt").write_text("not committed")
    with pytest.raises(UsageError, match="changes that are in no commit"):
        await gather(make_run("release"))


@pytest.fixture
def cloned(tagged: Path, tmp_path: Path) -> Path:
    """Give the same project with an `origin` that has its first commit."""
    subprocess.run(["git", "clone", "-q", "--bare", tagged, tmp_path / "origin.git"], check=True)
    git(tagged, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(tagged, "push", "-q", "origin", "HEAD~1:refs/heads/main", "--force")
    git(tagged, "fetch", "-q", "origin")
    return tagged


async def test_a_tag_on_a_commit_that_nobody_else_has_is_no_release(make_run: MakeRun, cloned: Path) -> None:
    with pytest.raises(UsageError, match="is in no branch that `origin` is known to have"):
        await gather(make_run("release"))


async def test_once_it_is_pushed_it_is_one_however_far_the_branch_has_gone(make_run: MakeRun, cloned: Path) -> None:
    git(cloned, "checkout", "-q", "main")
    (cloned / "later.txt").write_text("later")
    commit(cloned)
    git(cloned, "push", "-q", "origin", "main")
    git(cloned, "checkout", "-q", f"v{VERSION}")
    assert (await gather(make_run("release")))["ref"] == f"refs/tags/v{VERSION}"


async def test_what_ci_has_fetched_as_a_tag_alone_is_pushed(make_run: MakeRun, cloned: Path, tmp_path: Path) -> None:
    for branch in git(cloned, "for-each-ref", "--format=%(refname)", "refs/remotes").splitlines():
        git(cloned, "update-ref", "-d", branch)
    assert (await gather(make_run("release")))["ref"] == f"refs/tags/v{VERSION}"


async def test_a_service_without_a_version_that_can_be_read_is_told(make_run: MakeRun, tagged: Path) -> None:
    (tagged / "service" / "pyproject.toml").write_text('[project]\nversion = "one"\n')
    commit(tagged)
    git(tagged, "tag", "-f", f"v{VERSION}")
    with pytest.raises(ConfigError, match="says no version that can be read"):
        await gather(make_run("release"))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (VERSION, "### Fixed\n\n- What was wrong."),
        ("1.2.2", "- Before."),
        ("1.2.1", ""),
        ("9", ""),
    ],
)
def test_the_section_of_a_version_is_what_stands_below_its_heading(version: str, said: str) -> None:
    assert said == section(CHANGELOG, version)
