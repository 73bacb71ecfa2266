"""A release after others: the same bytes leave their own evidence once, and no tag goes back to an older release."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.digest import Digest
from pipeline.locked.store import Store
from tests.release.conftest import MakeProject, Released
from tests.release.projects import REPOSITORY
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
