"""A release refuses what could never be verified, before anything of it is made."""

from pathlib import Path

import pytest

from tests.commands import clone, pipeline


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project that has no policy of its own, and so the one that comes with the pipeline."""
    root = clone("greetings", tmp_path / "greetings")
    configuration = root / "pipeline.toml"
    configuration.write_text(configuration.read_text().replace('[policy]\ndirectory = "rules"\n', ""))
    return root


def test_a_policy_that_still_names_the_place_holder_is_refused_before_anything_is_made(project: Path) -> None:
    ended = pipeline("release", "--yes", cwd=project)
    assert ended.code == 2, ended.output
    assert "the policy production names a place holder, and nobody who could sign" in ended.stderr
    assert "https://github.example/example/simpletimeservice" in ended.stderr
    assert not (project / ".run").exists()


def test_a_release_is_judged_as_of_now_whoever_asks_for_another_day(project: Path) -> None:
    ended = pipeline("stage", "assess", "--world", "release", "--as-of", "2030-01-01T00:00:00Z", cwd=project)
    assert ended.code == 2, ended.output
    assert "a release is judged as of now" in ended.stderr


@pytest.mark.parametrize("words", [("release", "--yes", "--to", "deploy"), ("release", "--yes", "--to", "report")])
def test_a_release_that_could_not_end_is_refused_before_it_begins(project: Path, words: tuple[str, ...]) -> None:
    ended = pipeline(*words, cwd=project)
    assert ended.code == 2, ended.output
    assert "deploy can be done in a dry run only" in ended.stderr
    assert "applying to a cluster is not available yet" in ended.stderr
    assert not (project / ".run").exists()


def test_nor_is_a_stage_of_it_done_by_itself(project: Path) -> None:
    ended = pipeline("stage", "deploy", "--world", "release", cwd=project)
    assert ended.code == 2, ended.output
    assert "deploy can be done in a dry run only" in ended.stderr
