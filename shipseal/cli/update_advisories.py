"""Look up what `update-locks` does to the advisories that are known of the image."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shipseal.cli import db
from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.disk import text_of
from shipseal.errors import ConfigError, ShipsealError, flatten
from shipseal.judging.policy_files import either
from shipseal.judging.rules import read_rules
from shipseal.locked import locks
from shipseal.locked.debian import Lock
from shipseal.locked.inputs import Inputs
from shipseal.project.config import Config
from shipseal.relocking import debian_lock
from shipseal.relocking.relock import Relocked
from shipseal.scanning.advisory_changes import AdvisoryChanges, Packages
from shipseal.scanning.grype import IDENTITY, Grype, Identity
from shipseal.scanning.inventory import inventory, with_sources
from shipseal.scanning.lookup import look_up
from shipseal.times import read_time
from shipseal.tools.toolbox import Toolbox

Relocks = Mapping[Path, Relocked]

_UPDATE = "shipseal db update"
_SCAN = "shipseal dry-run --to scan"


@dataclass(frozen=True)
class LookedUp:
    """What was found, by which database, and what to know of that; `age` is in days."""

    found: AdvisoryChanges
    database: Identity
    now: datetime
    notes: tuple[str, ...]

    @property
    def age(self) -> int:
        """Days since the database was built."""
        return (self.now - read_time(self.database.built)).days


@dataclass(frozen=True)
class NotLookedUp:
    """Why nothing was looked up, and what to type."""

    why: str
    remedy: str


def advisories(options: argparse.Namespace, config: Config, relocked: Sequence[Relocked]) -> LookedUp | NotLookedUp:
    """Hold the image's packages before and after against the configured database, or that of the user's cache.

    Raises:
        ShipsealError: there is a database, and it cannot be used. The locks are written all the same.
    """
    directory = db.directory(config)
    if not (directory / IDENTITY).exists():
        return NotLookedUp(f"there is no vulnerability database in {directory}", _UPDATE)
    try:
        identity = Identity.read(directory)
    except ConfigError as unknown:
        return NotLookedUp("; ".join((unknown.what, *unknown.why)), _UPDATE)
    try:
        return _compare(options, config, {each.lock: each for each in relocked}, directory, identity)
    except (ShipsealError, ExceptionGroup) as raised:
        raise _told(raised) from raised


def _compare(
    options: argparse.Namespace, config: Config, relocked: Relocks, directory: Path, identity: Identity
) -> LookedUp | NotLookedUp:
    lock = debian_lock.read(_after(config.image.package_lock, relocked))[0]
    after = _packages(config, lock, _after(config.service.lock, relocked))
    try:
        was = with_sources(debian_lock.read(_before(config.image.package_lock, relocked))[0], lock)
        before = _packages(config, was, _before(config.service.lock, relocked))
    except ConfigError as unreadable:
        return NotLookedUp(f"what was locked before cannot be read: {unreadable.what}", _SCAN)
    now = datetime.now(UTC)
    notes = (*_age(config, identity, now), *_sources((before, after)))
    return LookedUp(_look_up(options, directory, identity, before, after), identity, now, notes)


def _look_up(
    options: argparse.Namespace, directory: Path, identity: Identity, before: Packages, after: Packages
) -> AdvisoryChanges:
    with tempfile.TemporaryDirectory(prefix="advisories-") as scratch:
        tools = Toolbox(
            store=shared.the_store(options),
            locked=Inputs.of_tools().locked(),
            declared=frozenset({"grype"}),
            log=Path(scratch) / "log.txt",
        )
        tools.path("grype")  # that it is missing is not the database's fault
        grype = Grype(tools, directory, Path(scratch))
        grype.require_same(identity)
        return run_async(lambda: look_up(grype, identity, before, after))


def _told(raised: Exception) -> Exception:
    """Say that the locks are written all the same."""
    (failure, *others) = flatten(raised)
    if others or not isinstance(failure, ShipsealError):
        return raised
    return type(failure)(
        "the advisories of the new locks cannot be looked up; the locks are written",
        why=[failure.what, *failure.why],
        remedy=failure.remedy,
    )


def _before(lock: Path, relocked: Relocks) -> str:
    return relocked[lock].old if lock in relocked else _text(lock)


def _after(lock: Path, relocked: Relocks) -> str:
    return relocked[lock].new if lock in relocked else _text(lock)


def _text(lock: Path) -> str:
    try:
        return text_of(lock)
    except (OSError, ValueError) as failure:
        raise ConfigError(f"the lock {lock} cannot be read", why=str(failure), remedy="make this one too") from failure


def _packages(config: Config, lock: Lock, wheels: str) -> Packages:
    requirements, extra = locks.requirements(wheels, config.service.lock.name), config.image.extra_packages
    return {platform: inventory(lock, requirements, platform, extra) for platform in config.image.platforms}


def _age(config: Config, identity: Identity, now: datetime) -> list[str]:
    limit = read_rules(text_of(either(config.policy.directory, "rules.toml"))).database.maximum_age_days
    if identity.sample or (now - read_time(identity.built)).days <= limit:
        return []
    return [
        f"the database is older than the {limit} days that rules.toml allows: newer advisories are not in it; {_UPDATE}"
    ]


def _sources(packages: Sequence[Packages]) -> list[str]:
    every = {each for side in packages for listed in side.values() for each in listed if each.type == "deb"}
    names = sorted({each.name for each in every if "upstream" not in dict(each.qualifiers)})
    if not names:
        return []
    return [
        f"the lock does not say the source of {', '.join(names)}: advisories of it may be missing; update-locks debian"
    ]
