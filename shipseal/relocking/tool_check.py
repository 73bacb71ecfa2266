"""Build the locked tools from source again, and compare: with the lock, and with what a mirror gives.

Nothing that is there already is believed. What a build makes goes into a directory of its own, the store is not asked,
and Go starts with empty caches: modules come from this user's cache as the archives that they arrived in, which Go
compares with `go.sum`, and else from the proxy.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread

from shipseal.digest import Digest
from shipseal.errors import RemoteFailed, UsageError
from shipseal.locked import mirrors
from shipseal.locked.fetch_tools import USERS, at_once, build, timed, toolchain
from shipseal.locked.inputs import Inputs
from shipseal.locked.listing import Item
from shipseal.locked.locks import LockedTool
from shipseal.locked.mirror_places import MirrorLocation
from shipseal.locked.store import Store
from shipseal.tools import download
from shipseal.tools.toolbox import Toolbox


@dataclass(frozen=True)
class MirrorCopy:
    """What a mirror gave for one tool: its digest; none, and why, where it lists it not or nothing came."""

    mirror: str
    digest: Digest | None
    why: str = ""
    listed: bool = True


@dataclass(frozen=True)
class ToolComparison:
    """One tool for one platform: as locked, as built, as given."""

    tool: LockedTool
    platform: str
    built: Digest
    given: tuple[MirrorCopy, ...]

    @property
    def locked(self) -> Digest:
        """What the lock names."""
        return self.tool.digest(self.platform)

    def differences(self) -> list[str]:
        """Return a line for each that is not what the lock names."""
        name = f"{self.tool.name} {self.tool.version} for {self.platform}"
        built = [f"{name}: built from source it is {self.built}"] if self.built != self.locked else []
        given = [f"{name}: {each.mirror} gives {each.digest}" for each in self.given if each.digest]
        lies = [line for line, each in zip(given, filter(_came, self.given), strict=True) if each.digest != self.locked]
        return [f"{line}, and the lock names {self.locked}" for line in (*built, *lies)]


async def compare(
    inputs: Inputs,
    tools: Toolbox,
    store: Store,
    sources: Path,
    places: Sequence[MirrorLocation],
    say: Callable[[str], None],
) -> list[ToolComparison]:
    """Build tools from source and compare each with the lock and with mirrors.

    Args:
        inputs: the tools, and the platform that they are built for.
        tools: `go` is used, and `python` when this machine has no Go.
        store: asked for that Go alone, never for a tool.
        sources: the directory with `NAME/go.mod` and `NAME/go.sum` of each tool.
        places: the mirrors.
        say: told of each build and each mirror.

    Raises:
        ToolFailed: a build fails.
        RemoteFailed: a mirror cannot be read, or has none of the tools: nothing was compared with it.
    """
    found: dict[str, ToolComparison] = {}
    with tempfile.TemporaryDirectory(prefix="verify-tools-") as directory:
        scratch = Path(directory)
        given = {place.name: await _given(place, inputs, Store(scratch / "arriving"), say) for place in places}
        limit = at_once()
        async with toolchain(tools, store, sources, say) as go, anyio.create_task_group() as group:
            users = await _settings(tools, go, scratch)

            async def one(tool: LockedTool, number: int) -> None:
                source, into = sources / tool.name, scratch / tool.name
                async with limit:
                    into.mkdir()
                    async with timed(f"{tool.name} {tool.version} ({number} of {len(inputs.tools)})", say):
                        built = await build(tools, go, tool, inputs.platform, source, into, users=users)
                    digest = await anyio.to_thread.run_sync(Digest.of_file, built)
                    built.unlink()
                offered = tuple(each[tool.name] for each in given.values())
                found[tool.name] = ToolComparison(tool, inputs.platform, digest, offered)

            for number, tool in enumerate(inputs.tools, 1):
                group.start_soon(one, tool, number)
    return [found[tool.name] for tool in inputs.tools]


def chosen(inputs: Inputs, names: Sequence[str]) -> tuple[LockedTool, ...]:
    """Return the tools of these names, all where none is named; raise `UsageError` for one that is not locked."""
    locked = {tool.name: tool for tool in inputs.tools}
    if unknown := [name for name in names if name not in locked]:
        raise UsageError(f"no locked tool is called {unknown[0]}", remedy=f"name some of {', '.join(locked)}, or none")
    return tuple(tool for name, tool in locked.items() if not names or name in names)


async def _given(
    place: MirrorLocation, inputs: Inputs, store: Store, say: Callable[[str], None]
) -> dict[str, MirrorCopy]:
    """Return what a mirror gives for each tool."""
    try:
        listed = await anyio.to_thread.run_sync(mirrors.listed_by, place, inputs)
    except download.FAILURES as failure:
        raise RemoteFailed(f"{place.name} cannot be read as a mirror", why=download.failure_text(failure)) from failure
    given: dict[str, MirrorCopy] = {}
    for tool in inputs.tools:
        item = listed.get(tool.digest(inputs.platform))
        if item is None:
            given[tool.name] = MirrorCopy(place.name, None, "it does not list it", listed=False)
            continue
        say(f"reading {tool.name} {tool.version} from {place.name}")
        given[tool.name] = await anyio.to_thread.run_sync(_read, place, item, store, abandon_on_cancel=True)
    if not any(map(_came, given.values())):
        raise RemoteFailed(
            f"{place.name} has none of these tools for {inputs.platform}",
            why=[f"{name}: {each.why}" for name, each in given.items()],
            remedy="put them there by `shipseal store push`, with the locks of this checkout",
        )
    return given


def _read(place: MirrorLocation, item: Item, store: Store) -> MirrorCopy:
    with store.arriving(item.digest) as file:
        try:
            mirrors.receive(place, item, file, store, lambda _: None)
            found = hashlib.file_digest(cast(BufferedRandom, file), "sha256")
            return MirrorCopy(place.name, Digest("sha256", found.hexdigest()))
        except download.FAILURES as failure:
            return MirrorCopy(place.name, None, f"it does not come: {download.failure_text(failure)}")
        finally:
            file.truncate(0)  # the next mirror has to give all of it


def _came(given: MirrorCopy) -> bool:
    return given.digest is not None


async def _settings(tools: Toolbox, go: str | Path, scratch: Path) -> dict[str, str]:
    """Return this user's settings of Go with caches that are empty, and the archives of theirs as the first proxy."""
    users = {name: os.environ[name] for name in USERS if name in os.environ}
    answer = await tools.run(go, "env", "-json", "GOMODCACHE", "GOPROXY", env={**users, "GOTOOLCHAIN": "local"})
    said = json.loads(answer.stdout)
    archives = Path(said["GOMODCACHE"], "cache", "download").as_uri()
    return {**users, **_own(scratch), "GOPROXY": f"{archives},{said['GOPROXY']}"}


def _own(scratch: Path) -> dict[str, str]:
    """Make places of their own for what Go keeps, and for what it leaves where it is stopped."""
    places = {name: scratch / name.lower() for name in ("GOCACHE", "GOMODCACHE", "GOTMPDIR")}
    for directory in places.values():
        directory.mkdir()
    return {name: str(directory) for name, directory in places.items()}
