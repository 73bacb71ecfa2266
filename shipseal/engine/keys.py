"""Digest what decides what a stage does: while that is the same, a finished stage stands for another run of it."""

from collections.abc import Mapping
from pathlib import Path

import rfc8785

from shipseal.digest import Digest
from shipseal.engine.record import Record
from shipseal.engine.stage import Stage
from shipseal.errors import ConfigError, UsageError
from shipseal.project import checkout
from shipseal.project.config import CODE, HOME, Config
from shipseal.project.reads import DEFAULT_POLICY
from shipseal.scanning.grype import IDENTITY

_COPIED = frozenset({"source", "tests", "suite"})  # without what git ignores; the rest is read where it lies
# What the verbs print and how is no part of what a stage does, nor is how copies of it are attacked.
_NOT_CODE = frozenset({"__pycache__", "cli", "attacks"})


def code() -> Digest:
    """Return the digest of the pipeline's own code and of the requirements that it runs with."""
    requirements = Digest.of_file(HOME / "requirements.lock")
    return Digest.of(f"{Digest.of_tree(CODE, leave_out=_NOT_CODE)} {requirements}".encode())


def key(
    stage: Stage,
    run_dir: Path,
    config: Config,
    *,
    code: Digest,
    locked: Mapping[str, Digest],
    world: str,
    day: str,
) -> Digest:
    """Digest everything that decides what a stage does.

    Of a live one `day`, that dates are judged by, decides too, and the database: advisories appear, exceptions end.

    Raises:
        UsageError: a stage that it needs has not finished.
        VerificationFailed: the record of one is none.
    """
    deciding: dict[str, object] = {
        "stage": stage.name,
        "needs": {need: str(_outcome(stage, need, run_dir)) for need in stage.needs},
        "code": str(code),
        "configuration": str(config.digest),
        "reads": {name: _read(config, name) for name in stage.reads},
        "tools": {tool: str(locked[tool]) for tool in stage.tools if tool in locked},
        "world": world,
    }
    if stage.uncached:  # what is not live asks no calendar
        deciding["day"] = day
        deciding["database"] = _digest_of(config.scan.database / IDENTITY) if config.scan.database else "sample"
    return Digest.of(rfc8785.dumps(deciding))  # type: ignore[arg-type] # a dict of str, dicts and lists


def _outcome(stage: Stage, need: str, run_dir: Path) -> Digest:
    try:
        return Record.read(run_dir / need).outcome
    except FileNotFoundError:
        raise UsageError(
            f"{stage.name} needs {need}, which has not finished in {run_dir}",
            remedy=f"run `shipseal stage {need}` first, or the whole table with `dry-run`",
        ) from None


def _read(config: Config, name: str) -> list[str]:
    if name == "repository":  # `facts` digests it, and is done in every run
        return []
    # What a project's policy does not have is taken from the pipeline's own.
    more = (HOME / DEFAULT_POLICY,) if name == "policy" else ()
    if name in _COPIED:
        return [str(checkout.digest(config.root, path)) for path in config.reads(name)]
    return [_digest_of(path) for path in (*config.reads(name), *more)]


def _digest_of(path: Path) -> str:
    try:
        if path.is_dir():
            return str(Digest.of_tree(path))
        return str(Digest.of_file(path)) if path.exists() else "absent"
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path} cannot be read",
            why=error.strerror or "",
            remedy="remove it, or correct its rights",
        ) from error
