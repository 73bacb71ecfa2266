"""A command tells a job of GitHub what came of it, as far as GitHub shows that, and nobody else."""

from pathlib import Path

import pytest

from shipseal.cli.on_github import explain, give, summarize
from shipseal.errors import PolicyDenied


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of a step's summary, in a job of GitHub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_a_summary_is_added_to_what_is_there(summary: Path) -> None:
    summarize("# one\n")
    summarize("# two\n")
    assert summary.read_text() == "# one\n# two\n"


def test_more_than_github_shows_is_cut_at_a_line_and_said(summary: Path) -> None:
    summarize("a line\n" * 200_000)
    text = summary.read_text()
    assert len(text.encode()) <= 1 << 20
    assert "a line\n\nThe rest is too long" in text
    summarize("a line\n" * 200_000)
    assert len(summary.read_text().encode()) <= 1 << 20


def test_a_failure_is_told_with_what_to_do_and_no_word_of_it_is_markup(summary: Path) -> None:
    explain(PolicyDenied("1 finding is not allowed", why=["<img src=x> in a@b"], remedy="upgrade"))
    text = summary.read_text()
    for said in ("1 finding is not allowed", "Exit code 3", "upgrade", "\\<img"):
        assert said in text
    assert "<img" not in text.replace("\\<img", "")


def test_a_failure_that_a_report_has_told_is_not_told_twice(summary: Path) -> None:
    summarize("# the report\n")
    explain(PolicyDenied("1 finding is not allowed", why=["one"], remedy="upgrade"))
    assert summary.read_text() == "# the report\n"


def test_whoever_is_no_job_of_github_is_written_nothing(summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    summarize("# one\n")
    explain(PolicyDenied("no", why=["one"], remedy="upgrade"))
    assert not summary.exists()


def test_a_summary_that_cannot_be_written_ends_no_command(summary: Path) -> None:
    summary.mkdir()
    summarize("# one\n")


def test_an_output_is_one_line(tmp_path: Path, summary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    give("digest", "sha256:1")
    give("digest", "sha256:2")
    assert (tmp_path / "output").read_text() == "digest=sha256:1\ndigest=sha256:2\n"
    with pytest.raises(AssertionError):
        give("digest", "sha256:1\nother=2")
