"""Lock the tools again: build each from its module graph, and record what came out."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import tomlkit

from shipseal.digest import Digest
from shipseal.locked import locks
from shipseal.locked.fetch_tools import build, toolchain
from shipseal.locked.locks import LockedTool
from shipseal.locked.store import BUILT, Store
from shipseal.relocking.upgrade_tools import GRAPH, Left, holding, upgrade_graphs
from shipseal.tools.toolbox import Toolbox


@dataclass(frozen=True)
class Upgraded:
    """What came of choosing the newest versions.

    Args:
        text: the lock with them.
        files: what each file of a module graph should hold, where that has changed.
        left: tools that stay although something newer may be there.
    """

    text: str
    files: Mapping[Path, str]
    left: tuple[Left, ...]


async def relock_tools(tools: Toolbox, store: Store, sources: Path, text: str, say: Callable[[str], None]) -> str:
    """Build every tool for every platform that the lock names; return the lock with what came out.

    Versions are those of each `go.mod`: `upgrade_tools` chooses others, or `go get -tool PACKAGE@VERSION` does there.

    Raises:
        ToolFailed: a build fails.
        ConfigError: a module graph does not hold the tool that the lock names.
    """
    locked = locks.tools(text, "tools.lock.toml")  # before any program starts
    async with toolchain(tools, store, sources, say) as go:
        return await _Builder(tools, go, store, sources, say).lock(text, locked.values())


async def upgrade_tools(
    tools: Toolbox, store: Store, sources: Path, text: str, keep: Collection[str], say: Callable[[str], None]
) -> Upgraded:
    """Choose the newest version of every tool, and build each that has another module graph; write nothing.

    Args:
        tools: `go` is used, and `python` when this machine has no Go.
        store: where the tools go.
        sources: the directory with the module graph of each tool: it is copied, and stays as it is.
        text: the lock.
        keep: names of tools to leave alone.
        say: told of each step.

    Raises:
        ToolFailed: a build fails.
        RemoteFailed: no versions can be listed.
        ConfigError: a module graph does not hold the tool that the lock names.
    """
    locked = locks.tools(text, "tools.lock.toml")
    with tempfile.TemporaryDirectory(prefix="graphs-") as directory:
        graphs = Path(directory)
        for name in locked:
            shutil.copytree(sources / name, graphs / name)
        async with toolchain(tools, store, sources, say) as go:
            left = await upgrade_graphs(tools, go, list(locked.values()), graphs, keep, say)
            files = dict(_changed(locked, sources, graphs))
            names = {path.parent.name for path in files}
            moved = [each for each in locked.values() if each.name in names or _version(graphs, each) != each.version]
            text = await _Builder(tools, go, store, graphs, say).lock(text, moved)
    return Upgraded(text, files, tuple(left))


def _changed(names: Iterable[str], sources: Path, graphs: Path) -> Iterator[tuple[Path, str]]:
    for name, file in product(names, GRAPH):
        old, new = (root / name / file for root in (sources, graphs))
        if new.exists() and (not old.exists() or old.read_bytes() != new.read_bytes()):
            yield old, new.read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Builder:
    tools: Toolbox
    go: str | Path
    store: Store
    sources: Path
    say: Callable[[str], None]

    async def lock(self, text: str, locked: Iterable[LockedTool]) -> str:
        """Build tools for all their platforms; return the lock with their versions and what came out."""
        document: Any = tomlkit.parse(text)  # keeps comments, order and layout as people wrote them
        for tool in locked:
            version, entry = _version(self.sources, tool), document[tool.name]
            moved = replace(tool, version=version, ldflags=tool.ldflags.replace(tool.version, version))
            entry.update({key: getattr(moved, key) for key in ("version", "ldflags") if key in entry})
            for platform in tool.digests:
                self.say(f"building {tool.name} {version} for {platform}")
                entry["sha256"][platform] = (await self._built(moved, platform)).hex
        return str(document.as_string())

    async def _built(self, tool: LockedTool, platform: str) -> Digest:
        with tempfile.TemporaryDirectory(prefix="build-") as scratch:
            built = await build(self.tools, self.go, tool, platform, self.sources / tool.name, Path(scratch))
            digest = Digest.of_file(built)
            self.store.add(built, digest)
            self.store.note_origin(digest, BUILT)
        return digest


def _version(sources: Path, tool: LockedTool) -> str:
    return holding(sources / tool.name / "go.mod", tool)[1]
