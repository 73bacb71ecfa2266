"""Building tools with the real Go, offline: a module of our own that needs no other."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, ToolFailed, flatten
from shipseal.locked.build_times import SHIPPED, Times
from shipseal.locked.fetch_tools import build, build_tools
from shipseal.locked.inputs import Inputs
from shipseal.locked.locks import LockedTool
from shipseal.locked.store import Store
from tests.origins import toolbox

needs_go = pytest.mark.skipif(
    not shutil.which("go"), reason="no Go on this machine: its tools were built by one that was fetched for that"
)

PLATFORM = "linux/amd64"
MAIN = 'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'


def sources(where: Path, name: str = "hello", main: str = MAIN) -> Path:
    """Write a tool's module for the Go that this machine has; return the directory of all tools."""
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    tool = where / name
    tool.mkdir(parents=True)
    (tool / "go.mod").write_text(f"module tools.invalid/{name}\n\ngo {version.removeprefix('go')}\n")
    (tool / "main.go").write_text(main)
    return where


def locked(name: str = "hello", digest: Digest | None = None) -> LockedTool:
    """Return the lock's entry of a tool; nothing has these bytes when none are given."""
    digests = {PLATFORM: digest or Digest.of(b"")}
    return LockedTool(name, "1.2.3", f"tools.invalid/{name}", "-s -w -X main.version=1.2.3", digests)


@pytest.fixture
def cache() -> Path:
    """Give the user's build cache, which has the standard library where the tools were built."""
    done = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def built(where: Path, cache: Path, *, main: str = MAIN) -> Path:
    """Build the tool from sources in a directory of their own; return the executable."""
    source = sources(where / "tools", main=main) / "hello"
    tools = toolbox(Store(where / "store"), where / "log.txt", {"GOCACHE": str(cache), "GOPROXY": "off"})
    return anyio.run(build, tools, "go", locked(), PLATFORM, source, where)


@needs_go
def test_two_builds_in_two_places_give_the_same_bytes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the directory nor the cache nor the flags that the user has set reach them."""
    first = built(tmp_path / "first", cache)
    settings = tmp_path / "go.env"
    settings.write_text("CGO_ENABLED=1\nGOAMD64=v3\nGOFLAGS=-ldflags=-X=main.version=user\n")
    monkeypatch.setenv("GOENV", str(settings))
    second = built(tmp_path / "second" / "deeper", tmp_path / "empty-cache")
    assert first.read_bytes() == second.read_bytes()


@needs_go
def test_a_tool_says_the_version_that_the_lock_says(tmp_path: Path, cache: Path) -> None:
    """The lock's ldflags set it; without them it is what the source says."""
    done = subprocess.run([built(tmp_path, cache)], capture_output=True, text=True, check=True)
    assert done.stderr == "1.2.3\n"


@needs_go
def test_a_build_that_gives_other_bytes_is_refused(tmp_path: Path, cache: Path) -> None:
    """Nothing of it reaches the store."""
    store = Store(tmp_path / "store")
    tools = toolbox(store, tmp_path / "log.txt", {"GOPROXY": "off", "GOCACHE": str(cache)})
    with pytest.raises(ExceptionGroup) as raised:
        anyio.run(build_tools, tools, store, [locked()], PLATFORM, sources(tmp_path / "tools"), print)
    [failure] = flatten(raised.value)
    assert isinstance(failure, ToolFailed)
    assert failure.what == "hello 1.2.3 was built, but not to the bytes that the lock names"
    assert list(store.entries()) == []


@needs_go
def test_builds_arrive_in_the_store_with_a_line_for_each_start_and_end(tmp_path: Path, cache: Path) -> None:
    """Each line names the tool, its version and how far along this is."""
    expected = Digest.of_file(built(tmp_path / "before", cache))
    store, said = Store(tmp_path / "store"), list[str]()
    tools = toolbox(store, tmp_path / "log.txt", {"GOPROXY": "off", "GOCACHE": str(cache)})
    anyio.run(build_tools, tools, store, [locked(digest=expected)], PLATFORM, sources(tmp_path / "tools"), said.append)
    assert os.access(store.get(expected), os.X_OK)
    assert said[0] == "building hello 1.2.3 (1 of 1)"
    assert re.fullmatch(r"built hello 1\.2\.3 \(1 of 1\) in \d+ s", said[1])


@needs_go
def test_a_tool_that_does_not_compile_is_named_with_what_go_said(tmp_path: Path, cache: Path) -> None:
    """And with where to look."""
    with pytest.raises(ToolFailed, match=r"hello 1\.2\.3 could not be built") as raised:
        built(tmp_path, cache, main="package main\n\nfunc main() { nonsense }\n")
    assert "undefined: nonsense" in "\n".join(raised.value.why)
    assert "GOPROXY" in raised.value.remedy


def test_a_module_that_names_no_toolchain_is_refused(tmp_path: Path) -> None:
    """`go 1.26` would take whichever 1.26 there is, and with it other bytes."""
    (tmp_path / "go.mod").write_text("module tools.invalid/hello\n\ngo 1.26\n")
    tools = toolbox(Store(tmp_path / "store"), tmp_path / "log.txt", {})
    with pytest.raises(ConfigError, match="names no toolchain"):
        anyio.run(build, tools, "go", locked(), PLATFORM, tmp_path, tmp_path)


@pytest.mark.parametrize("tool", Inputs.of_tools().tools, ids=lambda tool: tool.name)
def test_every_locked_tool_says_its_version(tool: LockedTool, store: Store) -> None:
    """A scanner that calls itself [not provided] makes evidence that names no version."""
    path = store.get(tool.digest(Inputs.of_tools().platform))
    done = subprocess.run([path, "version"], capture_output=True, text=True, check=True)
    assert re.search(rf"(^|[ v]){re.escape(tool.version)}$", done.stdout, re.MULTILINE)


@needs_go
def test_a_build_says_about_how_long_it_takes(tmp_path: Path, cache: Path) -> None:
    """As is said beside the lock the first time; then as it took here."""
    expected = Digest.of_file(built(tmp_path / "before", cache))
    store, said, where = Store(tmp_path / "store"), list[str](), sources(tmp_path / "tools")
    (where / SHIPPED).write_text("hello = 0.1\n")
    tools = toolbox(store, tmp_path / "log.txt", {"GOPROXY": "off", "GOCACHE": str(cache)})
    anyio.run(build_tools, tools, store, [locked(digest=expected)], PLATFORM, where, said.append)
    assert said[0] == "building hello 1.2.3 (1 of 1), about 5 s"
    assert Times.read(where, store, ["hello"]).seconds["hello"] >= 1
