"""The workflow runs from end to end on this machine: act reads it, and its steps call the real Dagger on a real engine.

act checks out by itself; `actions` stands in for the action that installs Dagger, and for the one that keeps artefacts.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipseal.locked.store import Store
from shipseal.project.config import HOME
from tests.commands import read
from tests.conftest import commit
from tests.workflows import hosted

CODE_OF_A_FAILING_SUBJECT = 7
WORKFLOW = ".github/workflows/pipeline.yml"

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Act:
    """Runs the workflow of a checkout."""

    programs: Path
    checkout: Path
    environment: dict[str, str]

    @property
    def said(self) -> str:
        """All that Dagger has said in the steps of a run, of which act may lose the end of each step."""
        path = self.checkout.parent / "dagger.txt"
        return path.read_text() if path.exists() else ""

    def __call__(self, event: str) -> "subprocess.CompletedProcess[str]":
        stand_ins = hosted.stand_ins((self.checkout / WORKFLOW).read_text())
        return hosted.act(
            self.programs, self.checkout, event, "--workflows", WORKFLOW, *stand_ins, env=self.environment
        )


@pytest.fixture
def act(programs: Path, base: str, store: Store, tmp_path: Path) -> Act:
    """Give act, on a clone of what is committed here."""
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", HOME, checkout], check=True)
    environment = {
        **os.environ,
        "TEST_STORE": str(store.root),
        "TEST_BASE": base,
        "TEST_DIRECTORY": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GITHUB_REPOSITORY": "example/checkout",
    }
    return Act(programs, checkout, environment)


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_the_image_is_judged_and_its_release_rehearsed(act: Act, event: str) -> None:
    done = act(event)
    hosted.expect(done, said=act.said)
    assert re.search(r"sha256:[0-9a-f]{64} may ship", act.said)
    assert "SAMPLE" in act.said
    assert "Job succeeded" in done.stdout
    run = act.checkout.parent / "artifacts" / "run"
    told = hosted.summary(done.stdout)
    assert (run / "report" / "summary.md").read_text().splitlines()[0] in told
    assert read(run, "image/image.json")["digest"] in told


def test_a_failing_stage_is_red_with_its_own_message_and_nothing_runs_after_it(act: Act) -> None:
    (act.checkout / "tests" / "service" / "test_more.py").write_text(
        "def test_the_earth_is_flat():\n    assert False\n"
    )
    commit(act.checkout)
    done = act("push")
    hosted.expect(done, 1, act.said)
    assert "test_the_earth_is_flat" in act.said
    assert f"exit status {CODE_OF_A_FAILING_SUBJECT}" in done.stdout
    assert "Job failed" in done.stdout
    for later in ("Scan and judge", "Rehearse"):
        assert f"Run Main {later}" not in done.stdout
    assert "may ship" not in act.said
    assert "test_the_earth_is_flat" in hosted.summary(done.stdout)
