"""A terminal shows what is awaited: bytes of a download as a bar, and which stages wait for one that runs."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from shipseal.locked import listing
from shipseal.locked.inputs import Inputs
from shipseal.locked.listing import Item
from shipseal.locked.store import Store
from tests.cli.test_habits import read_terminal
from tests.commands import arguments, clone, pipeline


@pytest.fixture
def mirror(tmp_path: Path, store: Store) -> Path:
    """Give a mirror of the tools, some hundred megabytes."""
    (tmp_path / "mirror" / "sha256").mkdir(parents=True)
    inputs, items = Inputs.of_tools(), []
    for tool in inputs.tools:
        digest = tool.digest(inputs.platform)
        path = store.get(digest)
        (tmp_path / "mirror" / "sha256" / digest.hex).symlink_to(path)
        items.append(Item(digest, path.name, path.stat().st_size, executable=True))
    [*_, name] = listing.names(inputs.platform)
    (tmp_path / "mirror" / f"{name}.json").write_bytes(listing.listing(items, inputs.platform))
    return tmp_path / "mirror"


def on_terminal(*words: str | Path, cwd: Path, **settings: str) -> str:
    """Run a verb whose standard error is a terminal; return what that was shown."""
    return shown_by(arguments(*words), cwd, **settings)


def shown_by(command: list[str], cwd: Path, **settings: str) -> str:
    """Run a command whose standard error is a terminal; return what that was shown."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **settings}
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        said = read_terminal(ours).decode()
    assert process.returncode == 0, said
    return said


def test_a_download_is_a_bar_with_bytes_on_a_terminal(mirror: Path, tmp_path: Path) -> None:
    """And what stays to be read is a line above it."""
    fetch = ["store", "fetch", "--tools", "--store", str(tmp_path / "store")]
    said = on_terminal(*fetch, cwd=tmp_path, PIPELINE_MIRROR=str(mirror))
    assert "[#" in said
    assert " MB of " in said
    assert f"from {mirror}" in said.replace("\r\n", "")


def test_a_bar_is_drawn_when_it_begins_and_when_it_is_full_however_soon_that_is(tmp_path: Path) -> None:
    program = "from shipseal.cli.screen import bar\nwith bar() as (_, count):\n"
    program += "".join(f"    count('{done} of 10 MB', {done}, 10)\n" for done in range(1, 11))
    said = shown_by([sys.executable, "-P", "-c", program], tmp_path)
    assert "[##------------------] 1 of 10 MB" in said
    assert "[####################] 10 of 10 MB" in said


def test_elsewhere_there_is_no_bar(mirror: Path, tmp_path: Path) -> None:
    fetch = ["store", "fetch", "--tools", "--store", str(tmp_path / "store")]
    ended = pipeline(*fetch, cwd=tmp_path, env={"PIPELINE_MIRROR": str(mirror)})
    assert ended.code == 0, ended.output
    assert f"from {mirror}" in ended.stderr
    assert "[#" not in ended.output


def test_a_running_stage_says_who_waits_for_it(tmp_path: Path) -> None:
    """Of the stages that were asked for, and no others."""
    said = on_terminal("dry-run", "--to", "build", cwd=clone("greetings", tmp_path / "project"))
    assert "(build waits)" in said
    assert "test wait" not in said
