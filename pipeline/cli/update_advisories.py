"""Look up what `update-locks` does to the advisories that are known of the image."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.cli import db
from pipeline.cli import options as shared
from pipeline.cli.engine import run_async
from pipeline.config import Config
from pipeline.errors import ConfigError, PipelineError
from pipeline.judging.policy import read_time
from pipeline.judging.policy_files import either
from pipeline.judging.rules import read_rules
from pipeline.locked import debian_lock, locks
from pipeline.locked.debian import Lock
from pipeline.locked.inputs import Inputs
from pipeline.locked.relock import Relocked
from pipeline.scanning.advisory_changes import AdvisoryChanges, Packages
from pipeline.scanning.grype import Grype, Identity
from pipeline.scanning.inventory import inventory, with_sources
from pipeline.scanning.lookup import look_up
from pipeline.toolbox import Toolbox

_UPDATE = "python -m pipeline db update"


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
    do: str


def advisories(options: argparse.Namespace, config: Config, relocked: Sequence[Relocked]) -> LookedUp | NotLookedUp:
    """Hold the image's packages before and after against the configured database, or that of the user's cache.

    Raises:
        PipelineError: there is a database, and it cannot be used. The locks are written all the same.
    """
    directory = db.directory(config)
    try:
        identity = Identity.read(directory)
    except ConfigError as missing:
        return NotLookedUp("; ".join((missing.what, *missing.why)), _UPDATE)
    try:
        return _look_up(options, config, relocked, directory, identity)
    except PipelineError as failure:
        raise type(failure)(
            "the advisories of the new locks cannot be looked up; the locks are written",
            why=[failure.what, *failure.why],
            do=failure.do,
        ) from failure


def _look_up(
    options: argparse.Namespace, config: Config, relocked: Sequence[Relocked], directory: Path, identity: Identity
) -> LookedUp:
    old, new = ({each.lock: getattr(each, when) for each in relocked} for when in ("old", "new"))
    after = debian_lock.read(_text(config.image.package_lock, new))[0]
    before = with_sources(debian_lock.read(_text(config.image.package_lock, old))[0], after)
    packages = _packages(config, before, old), _packages(config, with_sources(after, before), new)
    with tempfile.TemporaryDirectory(prefix="advisories-") as scratch:
        tools = Toolbox(
            store=shared.the_store(options),
            locked=Inputs.of_tools().locked(),
            declared=frozenset({"grype"}),
            log=Path(scratch) / "log.txt",
        )
        grype = Grype(tools, directory, Path(scratch))
        found = run_async(lambda: look_up(grype, identity, *packages))
    now = datetime.now(UTC)
    return LookedUp(found, identity, now, (*_age(config, identity, now), *_sources(packages)))


def _text(lock: Path, texts: Mapping[Path, str]) -> str:
    return texts[lock] if lock in texts else lock.read_text(encoding="utf-8")


def _packages(config: Config, lock: Lock, texts: Mapping[Path, str]) -> Packages:
    wheels = locks.requirements(_text(config.service.lock, texts), config.service.lock.name)
    extra = config.image.extra_packages
    return {platform: inventory(lock, wheels, platform, extra) for platform in config.image.platforms}


def _age(config: Config, identity: Identity, now: datetime) -> list[str]:
    limit = read_rules(
        either(config.policy.directory, "rules.toml").read_text(encoding="utf-8")
    ).database.maximum_age_days
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
