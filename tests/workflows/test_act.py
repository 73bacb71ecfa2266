"""The workflow runs from end to end on this machine: act reads it, and its steps call the real Dagger on a real engine.

Only two things stand in: act checks out by itself, and `dagger-action` is in place of the action that installs Dagger.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.locked.store import Store
from pipeline.project.config import HOME
from tests.conftest import commit

ACTIONS = re.compile(r"uses: ((?:actions/checkout|dagger/dagger-for-github)@\S+)")
CODE_OF_A_FAILING_SUBJECT = 7

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Act:
    """Runs the workflows of a checkout."""

    programs: Path
    checkout: Path
    environment: dict[str, str]

    def __call__(self, event: str) -> "subprocess.CompletedProcess[str]":
        workflow = (self.checkout / ".github" / "workflows" / "pipeline.yml").read_text()
        stand_in = Path(__file__).parent / "dagger-action"
        options = [f"--local-repository={action}={stand_in}" for action in sorted(set(ACTIONS.findall(workflow)))]
        options += ["--platform=ubuntu-24.04=-self-hosted", "--action-offline-mode", "--no-cache-server"]
        return subprocess.run(
            [str(self.programs / "act"), event, *options],
            cwd=self.checkout, env=self.environment, capture_output=True, text=True, check=False, timeout=800,
        )  # fmt: skip


@pytest.fixture
def act(programs: Path, base: str, store: Store, tmp_path: Path) -> Act:
    """Give act, on a clone of what is committed here."""
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", HOME, checkout], check=True)
    environment = {
        **os.environ,
        "TEST_STORE": str(store.root),
        "TEST_BASE": base,
        "DOCKER_HOST": "unix:///nowhere",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GITHUB_REPOSITORY": "example/checkout",
    }
    return Act(programs, checkout, environment)


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_the_image_is_judged_and_its_release_rehearsed(act: Act, event: str) -> None:
    done = act(event)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"sha256:[0-9a-f]{64} may ship", done.stdout)
    assert "SAMPLE" in done.stdout
    assert "Job succeeded" in done.stdout


def test_a_failing_stage_is_red_with_its_own_message_and_nothing_runs_after_it(act: Act) -> None:
    (act.checkout / "tests" / "service" / "test_more.py").write_text(
        "def test_the_earth_is_flat():\n    assert False\n"
    )
    commit(act.checkout)
    done = act("push")
    assert done.returncode == 1
    assert "test_the_earth_is_flat" in done.stdout
    assert f"exit status {CODE_OF_A_FAILING_SUBJECT}" in done.stdout
    assert "Job failed" in done.stdout
    for later in ("Scan and judge", "Rehearse"):
        assert f"Run Main {later}" not in done.stdout
    assert "may ship" not in done.stdout
