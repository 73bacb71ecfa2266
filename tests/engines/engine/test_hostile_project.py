"""A project that means harm ends refused under Dagger too, and what it tries there comes to nothing."""

from pathlib import Path

import pytest

from tests.engines.command import Dagger
from tests.hostile import TRICKS, arm

pytestmark = pytest.mark.timeout(1200)

NOT_SENT = {".run is a link", ".run comes out of the repository"}  # `.run` goes to no engine


def test_what_it_holds_is_refused_before_anything_of_it_runs_and_what_runs_betrays_nothing(
    greetings: Dagger, tmp_path: Path
) -> None:
    project, target = tmp_path / "hostile", tmp_path / "target"
    target.mkdir()
    arm(project, target)
    (project / "shipseal" / "waits").unlink()  # `dagger` itself sends no pipe
    hostile = greetings.of(project)
    ended = hostile.call("dry-run")
    assert "BETRAYED" not in ended.output
    assert ended.code != 0, ended.output
    for trick in TRICKS[:-1]:
        if trick.words not in NOT_SENT and "waits" not in trick.words:
            trick.undo(project)
    (project / ".run").unlink()
    ended = hostile.call("dry-run")
    assert (ended.code, TRICKS[-1].words in ended.output) == (TRICKS[-1].code, True), ended.output[-3000:]
    assert "BETRAYED" not in ended.output
    assert list(target.iterdir()) == []
