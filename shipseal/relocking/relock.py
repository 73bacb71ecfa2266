"""Make locks again: choose for all of them first, then write them, so that no set of locks is half an old one."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shipseal.disk import text_of
from shipseal.errors import ConfigError, ShipsealError
from shipseal.locked.inputs import CLUSTER, SIGSTORE, TOOLS, packages_of
from shipseal.locked.store import Store
from shipseal.project.config import CODE, HOME, PACKAGE_LOCKS, Config
from shipseal.relocking.atomic_files import write_together
from shipseal.relocking.lock_changes import LockChange, changes
from shipseal.relocking.relock_actions import relock_actions, workflows
from shipseal.relocking.relock_base import relock_base
from shipseal.relocking.relock_debian import relock_debian
from shipseal.relocking.relock_python import OLDEST, relock_python
from shipseal.relocking.relock_tools import relock_tools, upgrade_tools
from shipseal.relocking.upgrade_tools import Left
from shipseal.tools.toolbox import Toolbox

KINDS = ("python", "debian", "tools", "base", "actions")
"""The kinds of locks."""


@dataclass(frozen=True)
class Wanted:
    """A lock to make again, `sources` what it is made from; or why it is not one to make again here.

    `python` is the oldest that a lock of Python packages has to work with.
    """

    kind: str
    lock: Path
    sources: tuple[Path, ...] = ()
    left: str = ""
    python: str = OLDEST


@dataclass(frozen=True)
class Relocked:
    """A lock before and after; `old` is empty where there was none.

    Args:
        files: what the module graphs that it is made from should hold, where that has changed too.
        left: tools that stay although something newer may be there.
    """

    kind: str
    lock: Path
    old: str
    new: str
    files: Mapping[Path, str] = field(default_factory=dict)
    left: tuple[Left, ...] = ()

    @property
    def changes(self) -> tuple[LockChange, ...]:
        """What changed, by name. Another sha256 of the same version is a change of the lock, and none of these."""
        return changes(self.kind, self.old, self.new)


_OWN = (
    Wanted("python", HOME / "requirements.lock", (HOME / "pyproject.toml",)),
    Wanted("python", HOME / "requirements-dev.lock", (HOME / "pyproject.toml", HOME / "requirements-dev.in")),
    Wanted("python", HOME / "requirements-workflows.lock", (HOME / "requirements-workflows.in",)),
    Wanted("python", HOME / "service" / "requirements-edge.lock", (HOME / "service" / "requirements-edge.in",)),
    Wanted("python", HOME / "requirements-terraform.lock", left="what it holds is put together by hand, see its top"),
)


_PLACE = "a newer one has newer ones" if HOME.parent == CODE else f"it is made again in {HOME}"


def wanted(config: Config, kinds: Collection[str]) -> Iterator[Wanted]:
    """Yield the locks of some kinds: the project's, and those of the pipeline in its own checkout alone."""
    own = config.root == HOME
    if "python" in kinds:
        for lock in dict.fromkeys((config.service.lock, config.service.build_lock, config.test.lock)):
            source = lock.with_suffix(".in")
            left = "" if source.exists() else f"there is no {source.name} beside it"
            yield Wanted("python", lock, (source,), left, packages_of(config).runtime.python)
        if own:
            yield from _OWN
    elsewhere = "" if own else f"it comes with the pipeline: {_PLACE}"
    if "debian" in kinds:
        yield Wanted("debian", config.image.package_lock, left="" if config.image.packages else elsewhere)
        for name, lock in PACKAGE_LOCKS.items() if own else ():
            if lock != config.image.package_lock:
                yield Wanted("debian", lock, left=f"it is made again where image.base is {name}, by that Debian's apt")
    if "tools" in kinds:
        yield Wanted("tools", TOOLS / "tools.lock.toml", left=elsewhere)
        yield Wanted("tools", CLUSTER, left=elsewhere)
        yield Wanted("tools", SIGSTORE, left=elsewhere)
    if "base" in kinds:
        yield Wanted("base", HOME / "pyproject.toml", left=elsewhere)
    if "actions" in kinds:
        every = workflows(config.root)
        yield from (Wanted("actions", each, every) for each in every)


Check = Callable[[Sequence[Relocked]], Awaitable[None]]
"""Looks at what was chosen before any of it is written; raises `ShipsealError` where it must not be."""


async def _no_check(_: Sequence[Relocked]) -> None:
    """Take what was chosen as it is."""


async def relock(
    tools: Toolbox,
    store: Store,
    asked: Collection[Wanted],
    say: Callable[[str], None],
    *,
    upgrade: bool,
    keep: Collection[str] = (),
    check: Check = _no_check,
) -> list[Relocked]:
    """Choose versions for every lock, then write those that have changed. Nothing is written when one fails.

    Args:
        tools: the programs that choose, fetch and build.
        store: where what was fetched and built goes.
        asked: the locks.
        say: told of each step.
        upgrade: take the newest versions, not only what must change.
        keep: tools that stay at their version all the same.
        check: looks at what was chosen before it is written.

    Raises:
        ShipsealError: what `relock_python`, `relock_debian`, `relock_tools`, `upgrade_tools` and the check raise.
        UsageError: a lock cannot be written.
    """
    try:
        chosen = [await _choose(tools, store, each, say, upgrade=upgrade, keep=keep) for each in asked]
        await check(chosen)
    except ShipsealError as failure:
        raise type(failure)(f"{failure.what}; no lock was changed", why=failure.why, remedy=failure.remedy) from failure
    write_together({path: text for each in chosen for path, text in _texts(each)})
    return chosen


async def _choose(
    tools: Toolbox, store: Store, asked: Wanted, say: Callable[[str], None], *, upgrade: bool, keep: Collection[str]
) -> Relocked:
    old = _text(asked)
    if asked.kind == "python":
        say(f"asking the index for {asked.lock.parent.name}/{asked.lock.name}")
        new = await relock_python(tools, asked.sources, asked.lock.name, old, upgrade=upgrade, python=asked.python)
    elif asked.kind == "debian":
        new = await relock_debian(tools, store, old, say, asked.lock.name)
    elif asked.kind == "base":
        say("asking the registry of the base image")
        new = await relock_base(tools, old)
    elif asked.kind == "actions":
        new = relock_actions(asked.lock, asked.sources)
    elif upgrade:
        chosen = await upgrade_tools(tools, store, asked.lock.parent, old, keep, say)
        return Relocked(asked.kind, asked.lock, old, chosen.text, chosen.files, chosen.left)
    else:
        new = await relock_tools(tools, store, asked.lock.parent, old, say)
    return Relocked(asked.kind, asked.lock, old, new)


def _texts(relocked: Relocked) -> Iterator[tuple[Path, str]]:
    """Yield the files to write: the lock last, which names what the others say."""
    yield from relocked.files.items()
    if relocked.new != relocked.old:
        yield relocked.lock, relocked.new


def _text(asked: Wanted) -> str:
    if asked.kind == "python" and not asked.lock.exists():
        return ""
    try:
        return text_of(asked.lock)
    except (OSError, ValueError) as failure:
        raise ConfigError(
            f"the lock {asked.lock} cannot be read",
            why=str(failure),
            remedy="name another in pipeline.toml, or restore it",
        ) from failure
