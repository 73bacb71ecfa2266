"""The same bytes are released again: tags stay, and each run leaves its own evidence, once."""

from pathlib import Path

import pytest

from tests.release.conftest import Released
from tests.release.projects import REPOSITORY

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
