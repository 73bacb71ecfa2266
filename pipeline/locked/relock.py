"""Make locks again: choose for all of them first, then write them, so that no set of locks is half an old one."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.disk import text_of
from pipeline.errors import ConfigError, PipelineError, UsageError
from pipeline.locked.inputs import CLUSTER, TOOLS
from pipeline.locked.lock_changes import Change, changes
from pipeline.locked.relock_debian import relock_debian
from pipeline.locked.relock_python import relock_python
from pipeline.locked.relock_tools import relock_tools
from pipeline.locked.store import Store
from pipeline.project.config import HOME, Config
from pipeline.tools.toolbox import Toolbox

KINDS = ("python", "debian", "tools")
"""The kinds of locks."""


@dataclass(frozen=True)
class Wanted:
    """A lock to make again, `sources` what it is made from; or why it is not one to make again here."""

    kind: str
    lock: Path
    sources: tuple[Path, ...] = ()
    left: str = ""


@dataclass(frozen=True)
class Relocked:
    """A lock before and after; `old` is empty where there was none."""

    kind: str
    lock: Path
    old: str
    new: str

    @property
    def changes(self) -> tuple[Change, ...]:
        """What changed, by name. Another sha256 of the same version is a change of the lock, and none of these."""
        return changes(self.kind, self.old, self.new)


_OWN = (
    Wanted("python", HOME / "requirements.lock", (HOME / "pyproject.toml",)),
    Wanted("python", HOME / "requirements-dev.lock", (HOME / "pyproject.toml", HOME / "requirements-dev.in")),
    Wanted("python", HOME / "requirements-workflows.lock", (HOME / "requirements-workflows.in",)),
    Wanted("python", HOME / "service" / "requirements-edge.lock", (HOME / "service" / "requirements-edge.in",)),
    Wanted("python", HOME / "requirements-terraform.lock", left="what it holds is put together by hand, see its top"),
)


def wanted(config: Config, kinds: Collection[str]) -> Iterator[Wanted]:
    """Yield the locks of some kinds: the project's, and those of the pipeline in its own checkout alone."""
    own = config.root == HOME
    if "python" in kinds:
        for lock in dict.fromkeys((config.service.lock, config.service.build_lock, config.test.lock)):
            source = lock.with_suffix(".in")
            yield Wanted("python", lock, (source,), "" if source.exists() else f"there is no {source.name} beside it")
        if own:
            yield from _OWN
    elsewhere = "" if own else f"it comes with the pipeline: it is made again in {HOME}"
    if "debian" in kinds:
        yield Wanted("debian", config.image.package_lock, left="" if config.image.packages else elsewhere)
    if "tools" in kinds:
        yield Wanted("tools", TOOLS / "tools.lock.toml", left=elsewhere)
        yield Wanted("tools", CLUSTER, left=elsewhere)


async def relock(
    tools: Toolbox, store: Store, asked: Collection[Wanted], say: Callable[[str], None], *, upgrade: bool
) -> list[Relocked]:
    """Choose versions for every lock, then write those that have changed. Nothing is written when one fails.

    Raises:
        PipelineError: what `relock_python`, `relock_debian` and `relock_tools` raise.
        UsageError: a lock cannot be written.
    """
    try:
        chosen = [await _choose(tools, store, each, say, upgrade=upgrade) for each in asked]
    except PipelineError as failure:
        raise type(failure)(f"{failure.what}; no lock was changed", why=failure.why, do=failure.do) from failure
    _write([each for each in chosen if each.new != each.old])
    return chosen


async def _choose(
    tools: Toolbox, store: Store, asked: Wanted, say: Callable[[str], None], *, upgrade: bool
) -> Relocked:
    old = _text(asked)
    if asked.kind == "python":
        say(f"asking the index for {asked.lock.parent.name}/{asked.lock.name}")
        new = await relock_python(tools, asked.sources, asked.lock.name, old, upgrade=upgrade)
    elif asked.kind == "debian":
        new = await relock_debian(tools, store, old, say, asked.lock.name)
    else:
        new = await relock_tools(tools, store, TOOLS, old, say)
    return Relocked(asked.kind, asked.lock, old, new)


def _text(asked: Wanted) -> str:
    if asked.kind == "python" and not asked.lock.exists():
        return ""
    try:
        return text_of(asked.lock)
    except (OSError, ValueError) as failure:
        raise ConfigError(
            f"the lock {asked.lock} cannot be read", why=str(failure), do="name another in pipeline.toml, or restore it"
        ) from failure


def _write(chosen: Collection[Relocked]) -> None:
    """Write everything beside its place, then rename: a full disk or a directory that is read-only changes nothing."""
    parts: dict[Path, Relocked] = {}
    try:
        for each in chosen:
            parts[_part(each)] = each
        for part, each in parts.items():
            part.replace(each.lock)
    except OSError as failure:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise UsageError(
            "the locks cannot be written", why=str(failure), do="make room, or the place writable"
        ) from failure


def _part(relocked: Relocked) -> Path:
    """Write a lock beside its place, in a file that was not there: a link under a name that is known leads anywhere."""
    lock = relocked.lock
    handle, name = tempfile.mkstemp(prefix=f"{lock.name}.", suffix=".part", dir=lock.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, lock.stat().st_mode & 0o777 if lock.exists() else 0o644)
            file.write(relocked.new)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
