"""A release after others: the same bytes leave their own evidence once, and no tag goes back to an older release."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.digest import Digest
from pipeline.locked.store import Store
from tests.release.conftest import MakeProject, Released
from tests.release.projects import REPOSITORY, SOURCE
from tests.release.registries import INDEX, MANIFEST, olareg

pytestmark = pytest.mark.timeout(600)


def test_the_same_bytes_again_add_one_set_of_evidence_and_move_no_tag(released: Released, tmp_path: Path) -> None:
    project, registry = released.project.copy(tmp_path / "greetings"), released.project.registry
    before = project.read("promote/tags.json")
    first = {subject: registry.referrers(REPOSITORY, subject) for subject in released.referrers}
    ended = project.release()
    assert ended.code == 0, ended.output
    after = project.read("promote/tags.json")
    assert after["digest"] == before["digest"]
    assert after["before"] == dict.fromkeys(before["tags"], before["digest"])
    assert registry.tags(REPOSITORY) == released.tags
    for subject, referrers in first.items():
        now = registry.referrers(REPOSITORY, subject)
        assert len(now) == len(set(now)) == len(referrers) + len(released.referrers[subject])
        assert set(referrers) < set(now)


def test_a_tag_that_a_newer_release_has_stays_there(
    released_openly: Released, make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    shutil.copytree(released_openly.project.registry.log.parent / "files", tmp_path / "files")
    with olareg(store.get(locked["olareg"]), tmp_path) as registry:
        newer = released_openly.project.read("publish/receipt.json")["subjects"][0]  # any manifest that is there
        registry.tag(REPOSITORY, newer, "1.5.0", "1")
        project = make_project(registry)
        ended = project.release()
        assert ended.code == 0, ended.output
        assert "1 stays at 1.5.0, which is newer" in ended.stderr
        planned = json.loads(project.run("plan", "--json").stdout)
        assert (list(planned["tags"]), planned["stay"]) == (["1.0.0", "1.0"], {"1": "1.5.0"})
        assert project.read("promote/tags.json")["stay"] == {"1": "1.5.0"}
        for tag in ("1", "1.5.0"):
            assert str(Digest.of(registry.get(f"{REPOSITORY}/manifests/{tag}", f"{INDEX}, {MANIFEST}"))) == newer


def test_other_spellings_of_the_source_are_the_source_and_a_version_of_two_parts_is_one_of_three(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    with olareg(store.get(locked["olareg"]), tmp_path) as registry:
        project = make_project(registry)
        configuration = (project.root / "pipeline.toml").read_text()
        assert f'source = "{SOURCE}"\n' in configuration
        (project.root / "pipeline.toml").write_text(configuration.replace(f'source = "{SOURCE}"\n', ""))
        origin = f"git@{SOURCE.removeprefix('https://').replace('/', ':', 1)}.git"
        subprocess.run(["git", "-C", project.root, "remote", "add", "origin", origin], check=True)
        policy = project.policy.read_text()
        project.commit("rules/verification.toml", policy.replace(f'source = "{SOURCE}"', f'source = "{SOURCE}.git"'))
        for version, tags in (("1.4", ["1", "1.4", "1.4.0"]), ("1.4.1", ["1", "1.4", "1.4.0", "1.4.1"])):
            before = {tag: registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX) for tag in registry.tags(REPOSITORY)}
            text = (project.root / "app" / "pyproject.toml").read_text()
            project.commit("app/pyproject.toml", re.sub(r'(?m)^version = ".*"', f'version = "{version}"', text))
            ended = project.release()
            assert ended.code == 0, ended.output
            assert registry.tags(REPOSITORY) == tags
        assert before["1.4.0"] == registry.get(f"{REPOSITORY}/manifests/1.4.0", INDEX)
        assert before["1.4"] != registry.get(f"{REPOSITORY}/manifests/1.4", INDEX)
