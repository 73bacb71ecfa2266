"""`update-locks`: choose versions now, for people to review and commit; nothing else in the pipeline chooses any."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.config import HOME, Config
from pipeline.environment import network_environment
from pipeline.errors import UsageError
from pipeline.locked.fetch import PROGRAMS
from pipeline.locked.inputs import TOOLS
from pipeline.locked.relock_debian import relock_debian
from pipeline.locked.relock_python import relock_python
from pipeline.locked.relock_tools import relock_tools
from pipeline.locked.store import Store
from pipeline.toolbox import Toolbox

_KINDS = ("python", "debian", "tools")


def add(verbs: Any) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("update-locks", help="choose new versions, for review", description=__doc__)
    verb.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(_KINDS)}; default: all of them")
    verb.add_argument(
        "--upgrade", action="store_true", help="take the newest Python packages, not only what must change"
    )
    shared.common(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the locks that have changed, and name them."""
    config, store = Config.load(options.config), shared.the_store(options)
    kinds = options.kinds or _KINDS
    for kind in kinds:
        if kind not in _KINDS:
            raise UsageError(f"there is no kind of lock {kind}", do=f"name some of {', '.join(_KINDS)}")
    with tempfile.NamedTemporaryFile(prefix="locks-", suffix=".log") as log:
        tools = Toolbox(store, {}, frozenset(PROGRAMS), Path(log.name), network_environment())
        changed = run_async(lambda: _update(kinds, config, tools, store, upgrade=options.upgrade))
    print("\n".join(f"changed: {lock}" for lock in changed) or "every lock is as it was")
    return 0


async def _update(kinds: tuple[str, ...], config: Config, tools: Toolbox, store: Store, *, upgrade: bool) -> list[Path]:
    changed = []
    if "python" in kinds:
        for sources, lock in _python_locks(config):
            before = lock.read_bytes() if lock.exists() else b""
            await relock_python(tools, sources, lock, upgrade=upgrade)
            changed += [lock] if lock.read_bytes() != before else []
    if "debian" in kinds:
        lock = config.image.package_lock
        changed += _written(lock, await relock_debian(tools, store, lock.read_text(encoding="utf-8"), _say))
    if "tools" in kinds:
        lock = TOOLS / "tools.lock.toml"
        changed += _written(lock, await relock_tools(tools, store, TOOLS, lock.read_text(encoding="utf-8"), _say))
    return changed


def _python_locks(config: Config) -> Iterator[tuple[list[Path], Path]]:
    """Yield what is asked for and where its lock is: `NAME.in` beside `NAME.lock`, and the pipeline's own."""
    for lock in (config.service.lock, config.service.build_lock, config.test.lock):
        if lock.with_suffix(".in").exists():
            yield [lock.with_suffix(".in")], lock
    if config.root == HOME:
        yield [HOME / "pyproject.toml"], HOME / "requirements.lock"
        yield [HOME / "pyproject.toml", HOME / "requirements-dev.in"], HOME / "requirements-dev.lock"


def _written(lock: Path, text: str) -> list[Path]:
    """Write a lock, whole or not at all; return it when it has changed."""
    if lock.read_text(encoding="utf-8") == text:
        return []
    part = lock.with_name(f"{lock.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(lock)
    return [lock]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
