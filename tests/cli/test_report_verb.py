"""A run is told as far as it has come, by what it has left."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import Ended, flip, pipeline


@pytest.fixture
def left(finished: tuple[Path, Ended], tmp_path: Path) -> Path:
    """Give a copy of a project that was run, of which only the first stages are left."""
    root = Path(shutil.copytree(finished[0], tmp_path / "project", symlinks=True))
    for stage in ("attest", "publish", "verify", "promote", "deploy", "report"):
        shutil.rmtree(root / ".run" / stage)
    return root


def test_a_run_up_to_the_gate_has_a_report(left: Path) -> None:
    ended = pipeline("report", "--json", cwd=left)
    assert ended.code == 0, ended.output
    event = json.loads(ended.stdout)
    assert (event["event"], Path(event["page"])) == ("report", left / ".run" / "report" / "index.html")
    text = Path(event["markdown"]).read_text()
    digest = json.loads((left / ".run" / "image" / "image.json").read_bytes())["digest"]
    assert digest in text
    assert "not run" in text


def test_what_was_altered_is_told_as_that_and_not_as_a_result(left: Path) -> None:
    flip(left / ".run" / "assess" / "record.json", 0)
    ended = pipeline("report", cwd=left)
    assert ended.code == 0, ended.output
    assert "assess/record.json" in (left / ".run" / "report" / "summary.md").read_text()


def test_where_nothing_has_run_there_is_nothing_to_tell(left: Path) -> None:
    shutil.rmtree(left / ".run")
    ended = pipeline("report", cwd=left)
    assert ended.code == 2, ended.output
    assert "there is no run in" in ended.stderr


def test_what_changed_since_another_run_is_told_when_that_is_named(left: Path, tmp_path: Path) -> None:
    before = json.loads((left / ".run" / "image" / "image.json").read_bytes())
    [package, *_] = before["platforms"]["linux/amd64"]["packages"]
    package["version"] = "0.before"
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "image.json").write_text(json.dumps(before))
    ended = pipeline("report", "--since", tmp_path, cwd=left)
    assert ended.code == 0, ended.output
    page = (left / ".run" / "report" / "index.html").read_text()
    assert f'<th scope="row">{package["name"]}</th><td>package</td><td>linux/amd64</td><td>0.before</td>' in page
    assert "is not known here" not in page


def test_another_run_that_holds_no_image_is_named(left: Path, tmp_path: Path) -> None:
    ended = pipeline("report", "--since", tmp_path, cwd=left)
    assert ended.code == 2, ended.output
    assert f"{tmp_path} holds no image of an earlier run" in ended.stderr
