"""Tools are built again and compared: with the lock, and with what mirrors give, whatever is in the store."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, UsageError
from shipseal.locked import listing
from shipseal.locked.inputs import Inputs
from shipseal.locked.listing import Item
from shipseal.locked.locks import LockedTool
from shipseal.locked.mirror_places import place
from shipseal.locked.store import Store
from shipseal.relocking.tool_check import ToolComparison, chosen, compare
from tests.commands import arguments, pipeline
from tests.origins import toolbox
from tests.test_fetch_tools import PLATFORM, built, cache, locked, needs_go, sources

__all__ = ["cache"]

pytestmark = [needs_go, pytest.mark.timeout(300)]


def mirror(directory: Path, platform: str, blobs: Mapping[str, tuple[Digest, bytes]]) -> Path:
    """Write a mirror that lists tools by name, each under a digest and with bytes that may be others; return it."""
    (directory / "sha256").mkdir(parents=True)
    items = [Item(digest, name, len(data), executable=True) for name, (digest, data) in blobs.items()]
    for digest, data in blobs.values():
        (directory / "sha256" / digest.hex).write_bytes(data)
    (directory / f"{platform.replace('/', '-')}.json").write_bytes(listing.listing(items, platform))
    return directory


def compared(where: Path, named: Sequence[LockedTool], *mirrors: Path) -> list[ToolComparison]:
    """Compare tools, from sources that are there already; nothing is in the store."""
    inputs, store = Inputs((), {}, tuple(named), PLATFORM), Store(where / "store")
    tools = toolbox(store, where / "log.txt", {"GOPROXY": "off"})
    places = [place(str(each)) for each in mirrors]
    return anyio.run(compare, inputs, tools, store, where / "tools", places, lambda _: None)


def test_a_mirror_that_lies_and_what_is_built_to_other_bytes_than_the_lock_names_are_named(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of it is left, nor in the store. Both are built at once: each time compiles all of Go's library."""
    program = built(tmp_path, cache)
    sources(tmp_path / "tools", "other")
    digest, data = Digest.of_file(program), program.read_bytes()
    honest = mirror(tmp_path / "honest", PLATFORM, {"hello": (digest, data)})
    liar = mirror(tmp_path / "liar", PLATFORM, {"hello": (digest, data[::-1])})
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    found, other = compared(tmp_path, [locked(digest=digest), locked("other", Digest.of(b"another"))], honest, liar)
    assert (found.built, [each.digest for each in found.given]) == (digest, [digest, Digest.of(data[::-1])])
    assert found.differences() == [
        f"hello 1.2.3 for {PLATFORM}: {liar} gives {Digest.of(data[::-1])}, and the lock names {digest}"
    ]
    expected = f"other 1.2.3 for {PLATFORM}: built from source it is {other.built}, and the lock names {other.locked}"
    assert other.differences() == [expected]
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "store" / "sha256").exists()


@pytest.mark.parametrize("content", [None, {"other": (Digest.of(b"other"), b"other")}], ids=["away", "others"])
def test_a_mirror_that_is_away_or_has_none_of_them_is_no_proof(
    tmp_path: Path, content: Mapping[str, tuple[Digest, bytes]] | None
) -> None:
    """Nothing is built before that is known."""
    where = mirror(tmp_path / "mirror", PLATFORM, content) if content else tmp_path / "mirror"
    with pytest.raises(RemoteFailed, match=r"cannot be read as a mirror|has none of these tools"):
        compared(tmp_path, [locked()], where)


def test_a_name_that_is_not_locked_is_refused() -> None:
    inputs = Inputs((), {}, (locked("one"), locked("two")), PLATFORM)
    assert [tool.name for tool in chosen(inputs, ["two"])] == ["two"]
    assert chosen(inputs, []) == inputs.tools
    with pytest.raises(UsageError, match="no locked tool is called three"):
        chosen(inputs, ["two", "three"])


def typed(*words: str | Path) -> Sequence[str | Path]:
    return ["store", "verify-tools", "olareg", *words]


def test_a_tool_of_the_lock_is_built_again_and_a_mirror_held_against_it(
    tmp_path: Path, locked: dict[str, Digest], store: Store
) -> None:
    """The exit code is 6, for the mirror alone; it is the cheapest of the tools."""
    platform, program = Inputs.of_tools().platform, store.get(locked["olareg"])
    liar = mirror(tmp_path / "liar", platform, {"olareg": (locked["olareg"], program.read_bytes()[::-1])})
    honest = mirror(tmp_path / "honest", platform, {"olareg": (locked["olareg"], program.read_bytes())})
    ended = pipeline(*typed("--mirror", liar, "--mirror", honest, "--json"), cwd=tmp_path)
    assert ended.code == 6, ended.output
    said, failure = map(json.loads, ended.stdout.splitlines())
    [tool] = said["tools"]
    assert tool["built"] == tool["locked"] == str(locked["olareg"])
    assert [each["digest"] == tool["locked"] for each in tool["mirrors"]] == [False, True]
    assert [str(liar) in line for line in failure["why"]] == [True]
    assert "building olareg" in ended.stderr


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    command = arguments(*typed())
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as run:
        assert run.stderr
        assert "building olareg" in run.stderr.readline()
        while not any(tmp_path.rglob("gotmpdir/*")):  # what the compiler leaves when nobody tidies up
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    assert list(tmp_path.iterdir()) == []
