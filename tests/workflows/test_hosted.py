"""A run of a workflow that fails in a test says there why it did: act's own end tells of cleaning up alone."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import commit
from tests.workflows import hosted

WORKFLOW = """
name: sample
on: push
permissions: {}
jobs:
  one:
    name: A job
    runs-on: ubuntu-24.04
    steps:
      - name: Goes well
        run: echo "all is well"
      - name: Goes wrong
        run: |
          echo "beginning"
          for number in $(seq 1 100); do echo "line $number"; done
          echo "error: the reason"
          for number in $(seq 101 6000); do echo "line $number"; done
          echo "it was denied" >> "$GITHUB_STEP_SUMMARY"
          exit 3
      - name: Cleans up
        if: always()
        run: for number in $(seq 1 6000); do echo "cleaning $number"; done
"""


@pytest.fixture
def failed(programs: Path, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run a workflow with a step that fails among others."""
    workflow = tmp_path / "sample" / ".github" / "workflows" / "sample.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(WORKFLOW)
    commit(tmp_path / "sample")
    environment = {"GITHUB_REPOSITORY": "example/sample", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return hosted.act(programs, tmp_path / "sample", "push", env=environment)


def test_what_the_failed_step_has_said_is_told_however_much_comes_after_it(
    failed: "subprocess.CompletedProcess[str]",
) -> None:
    with pytest.raises(AssertionError, match="act has ended with 1 and not with 0") as raised:
        hosted.expect(failed)
    said = str(raised.value)
    told = ("beginning", "error: the reason", "Failure - Main Goes wrong", "the summary:\nit was denied")
    assert [words for words in told if words not in said] == []
    assert "all is well" not in said
    assert "cleaning" not in said
    assert len(said.splitlines()) < 400


def test_a_run_that_has_ended_as_it_should_says_nothing(failed: "subprocess.CompletedProcess[str]") -> None:
    hosted.expect(failed, 1)


@pytest.mark.parametrize("after", [0, 1, 200, 400, 500])
def test_what_act_says_of_the_step_is_told_wherever_it_stands_in_what_the_step_has_said(after: int) -> None:
    """Act prints it when the step ends, and what it has still to print of the step after it: more on a busy machine."""
    said = ["[sample/A job]   | beginning", *(f"[sample/A job]   | error {number}" for number in range(500))]
    word = "[sample/A job]   ❌  Failure - Main Goes wrong [1.2s]"
    step = [*said[: len(said) - after], word, *said[len(said) - after :]]
    output = ["[sample/A job] ⭐ Run Main Goes wrong", *step, "[sample/A job] ⭐ Run Main Cleans up", "cleaning"]
    lines = hosted.failure(subprocess.CompletedProcess([], 1, "\n".join(output), "")).splitlines()
    assert word in lines
    assert said[0] in lines
    assert said[-1] in lines
    assert "cleaning" not in lines
    assert len(lines) < 400
