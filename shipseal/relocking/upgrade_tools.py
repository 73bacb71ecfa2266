"""Move the module graphs of tools to the newest versions that can be had, by the go command, in a copy of them."""

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from shipseal.errors import ConfigError, FailureReason, RemoteFailed, ToolFailed, UsageError
from shipseal.locked.fetch_tools import environment
from shipseal.locked.locks import LockedTool
from shipseal.tools.toolbox import Toolbox

GRAPH = ("go.mod", "go.sum")
"""The files of a module graph."""

_SECONDS = 900  # a large graph is some hundred small files
_RELEASE = re.compile(r"v(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)  # of prereleases none is chosen
_OURS = "its main package is ours, and goes with one version: `go get` in its directory, then `update-locks tools`"


@dataclass(frozen=True)
class Left:
    """A tool that stays at its version although it was to be moved, and why."""

    name: str
    version: str
    why: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"{self.name} stays at {self.version}: {self.why}"


async def upgrade_graphs(
    tools: Toolbox,
    go: str | Path,
    locked: Collection[LockedTool],
    graphs: Path,
    keep: Collection[str],
    say: Callable[[str], None],
) -> list[Left]:
    """Move each tool to its newest release; one that cannot be had whole is left where it is, and told.

    Args:
        tools: `go` is used.
        go: the Go to start; it fetches a newer one where a tool asks for that.
        locked: the tools.
        graphs: a copy of the directory with `NAME/go.mod` and `NAME/go.sum` of each; these are changed.
        keep: names of tools to leave alone.
        say: told of each tool.

    Raises:
        RemoteFailed: no versions can be listed at all: the proxy does not answer.
        ConfigError: a module graph does not hold the tool that the lock names.
    """
    left: list[Left] = []
    unlisted: list[str] = []
    asked = [each for each in locked if each.name not in keep]
    for tool in asked:
        source = graphs / tool.name
        module, version = holding((source / "go.mod"), tool)
        if own(source / "go.mod", tool):
            left.append(Left(tool.name, version, _OURS))
            continue
        say(f"asking for the versions of {tool.name}")
        try:
            newest = _newest(await _go(tools, go, source, "list", "-m", "-versions", "-json", "--", module), version)
        except ToolFailed as failure:
            unlisted.append(_said(failure))
            left.append(Left(tool.name, version, f"its versions cannot be listed: {unlisted[-1]}"))
            continue
        if newest and (why := await _move(tools, go, source, tool, newest)):
            left.append(Left(tool.name, version, f"{newest} cannot be had: {why}"))
    if asked and len(unlisted) == len(asked):
        raise RemoteFailed(
            "no versions of any tool can be listed",
            why=sorted(set(unlisted)),
            remedy="modules come from the proxy that `go env GOPROXY` names: see whether this machine reaches it",
        )
    return left


def require_known(keep: Collection[str], locked: Iterable[str]) -> None:
    """Raise `UsageError` for a tool to keep that no lock names."""
    names = set(locked)
    if unknown := sorted(set(keep) - names):
        raise UsageError(f"no lock names a tool {unknown[0]}", remedy=f"name some of {', '.join(sorted(names))}")


def own(module: Path, tool: LockedTool) -> bool:
    """Say whether the tool's main package is one of ours, that stands beside its module graph."""
    return f"module {tool.package}" in module.read_text(encoding="utf-8").splitlines()


def holding(module: Path, tool: LockedTool) -> tuple[str, str]:
    """Return the module that holds the package, and its version; of our own package, the one it is named after.

    Raises:
        ConfigError: the graph does not hold it.
    """
    text = module.read_text(encoding="utf-8")
    required: dict[str, str] = dict(re.findall(r"^\t?(?:require )?(\S+) v(\S+)", text, re.MULTILINE))
    ours = own(module, tool)
    names = [
        name
        for name in required
        if (name.endswith(f"/{tool.name}") if ours else f"{tool.package}/".startswith(f"{name}/"))
    ]
    if not names:
        raise ConfigError(
            f"{module} does not require {tool.package}", remedy=f"run `go get -tool {tool.package}@latest` there"
        )
    name = max(names, key=len)
    return name, required[name]


def _newest(answer: bytes, version: str) -> str:
    """Return the newest release that is newer than a version; nothing when there is none."""
    try:
        listed = json.loads(answer).get("Versions") or ()
    except (ValueError, AttributeError, RecursionError) as error:
        raise ToolFailed(
            "go lists versions that nobody can read", why=str(error), reason=FailureReason.EXITED
        ) from error
    releases = {_order(str(each)): str(each).removeprefix("v") for each in listed if _RELEASE.fullmatch(str(each))}
    newest = max(releases, default=(0, 0, 0))
    return releases[newest] if newest > _order(f"v{version.partition('-')[0]}") else ""


def _order(version: str) -> tuple[int, ...]:
    match = _RELEASE.match(version)
    return tuple(map(int, match.groups())) if match else (sys.maxsize,)  # of unknown order: moved by hand alone


async def _move(tools: Toolbox, go: str | Path, source: Path, tool: LockedTool, version: str) -> str:
    """Have Go write the graph of one version of a tool; return why not, and then the graph is as it was."""
    before = {name: (source / name).read_bytes() for name in GRAPH if (source / name).exists()}
    try:
        await _go(tools, go, source, "get", "-tool", f"{tool.package}@v{version}", flags="-mod=mod")
        # What `go get` has written may lack the files of a module that the package needs: this asks for each.
        await _go(tools, go, source, "list", "-deps", "--", tool.package)
    except ToolFailed as failure:
        for name in GRAPH:
            (source / name).unlink(missing_ok=True)
        for name, content in before.items():
            (source / name).write_bytes(content)
        return _said(failure)
    return ""


async def _go(tools: Toolbox, go: str | Path, source: Path, *arguments: str, flags: str = "-mod=readonly") -> bytes:
    settings = environment(source, "linux/amd64", os.environ)
    settings = {**settings, "GOTOOLCHAIN": f"{settings['GOTOOLCHAIN']}+auto", "GOFLAGS": flags}
    return (await tools.run(go, *arguments, cwd=source, env=settings, timeout=_SECONDS)).stdout


def _said(failure: ToolFailed) -> str:
    """Return the line in which Go says what it could not read, else its last; raise again where Go did not run."""
    if not failure.ran:
        raise failure
    lines = [each.strip() for each in failure.why] or [failure.what]
    return next((each for each in lines if ": reading " in each), lines[-1])
