"""Take over from a given run what only the project's own code can make: its wheel, and the results of its tests.

Of each stage the files are copied and held against its record once more. What the record says besides goes into
provenance: so it has to be what this stage can have used, by this checkout's own locks, and at a time that can be.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from shipseal.digest import Digest
from shipseal.disk import clear, empty
from shipseal.documents.inputs import InputsDocument
from shipseal.engine.record import FILENAME, Record
from shipseal.engine.run import Run
from shipseal.engine.seal import is_ours, key_file, seal
from shipseal.engine.table import TABLE
from shipseal.errors import UsageError, VerificationFailed
from shipseal.image.tree import Component
from shipseal.released.untrusted_run import UntrustedRun
from shipseal.times import read_time

ADOPTED = ("build", "test", "smoke")
"""The stages that run code of the project, each of which needs an identity like nothing."""

_LEAVES = {
    "build": re.compile(r"wheels/service/[A-Za-z0-9_.+!-]{1,200}\.whl"),
    "test": re.compile(r"junit\.xml"),
    "smoke": re.compile(r"smoke\.json|trace\.json|junit\.xml"),
}
_RUN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONGEST = 300
_SKEW = timedelta(hours=1)  # of two machines' clocks


def adopt(given: UntrustedRun, run: Run, listing: InputsDocument, version: str, say: Callable[[str], None]) -> None:
    """Put the stages of `ADOPTED` into a run of this user, as finished and with this user's seal.

    Args:
        given: the run that they are taken from.
        run: the run that goes on with them.
        listing: the `inputs.json` of this checkout.
        version: what the checkout says that its version is; empty where nothing says it.
        say: told of each.

    Raises:
        VerificationFailed: a record says what cannot be; the first such thing is named.
        UsageError: this user has no key to seal with.
    """
    for name in ADOPTED:
        record = given.records[name]
        for objection in _objections(record, run, listing):
            raise VerificationFailed(
                f"{name} of the given run says what cannot be", why=objection, remedy="find out who wrote it"
            )
        if name == "build":
            _require_version(next(iter(record.products)), version)
        _copy(given.directory / name, run.directory / name, record)
        say(f"{name} is taken over from the given run")


def _copy(source: Path, target: Path, record: Record) -> None:
    part = target.with_name(f"{target.name}.part")
    empty(part)
    for product in record.products:
        (part / product).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / product, part / product, follow_symlinks=False)
    record.check(part)  # what was copied is what counts
    # What ran over there, and what was said of it, is another's word and decides nothing.
    replace(record, headline=f"by the given run {record.run_id}", commands=()).write(part)
    seal(part / FILENAME, key_file(os.environ))
    if not is_ours(part / FILENAME, key_file(os.environ)):
        raise UsageError("this user's key cannot be written", remedy=f"see why {key_file(os.environ)} cannot be made")
    clear(target)
    part.rename(target)


def _objections(record: Record, run: Run, listing: InputsDocument) -> Iterator[str]:
    row = next(row for row in TABLE if row.name == record.stage)
    yield from (f"it has left {each[:_LONGEST]}" for each in record.products if not _LEAVES[row.name].fullmatch(each))
    if row.name == "build" and len(record.products) != 1:
        yield f"it has left {len(record.products)} wheels"
    if not _RUN_ID.fullmatch(record.run_id):
        yield "its run has no name of a run"
    for tool, digest in record.tools.items():
        if tool not in row.tools:
            yield f"it has used the program {tool[:_LONGEST]}, which its row does not name"
        elif digest != run.locked.get(tool, digest):
            yield f"it has used another {tool} than the locked one"
    locked = set(_locked(listing))
    for material, digest in record.materials.items():
        if (material, digest) not in locked:
            yield f"it has used {material[:_LONGEST]} ({digest}), which no lock of this checkout names"
    yield from _times(record, run.clock())


def _times(record: Record, now: datetime) -> Iterator[str]:
    try:
        started, finished = read_time(record.started), read_time(record.finished)
    except VerificationFailed as failure:
        yield failure.what
        return
    if not started <= finished <= now + _SKEW:
        yield f"it began at {record.started} and ended at {record.finished}, and now it is {now.isoformat()}"


def _locked(listing: InputsDocument) -> Iterator[tuple[str, Digest]]:
    """Yield what may be a material, as stages name it."""
    for wheel in (wheel for group in listing.wheels.values() for wheel in group):
        yield f"pkg:pypi/{wheel.name}@{wheel.version}", wheel.digest
        yield Component("pypi", wheel.name, wheel.version).purl, wheel.digest
    for package in (package for group in listing.debian.values() for package in group):
        yield Component("deb", package.name, package.version, package.architecture).purl, package.digest


def _require_version(wheel: str, version: str) -> None:
    name = wheel.rpartition("/")[2]
    try:
        found = str(parse_wheel_filename(name)[1])
    except InvalidWheelFilename as error:
        raise VerificationFailed("build of the given run has left no wheel", why=str(error)[:_LONGEST]) from error
    if version and found != version:
        raise VerificationFailed(
            f"build of the given run has left a wheel of version {found}, and this checkout is {version}",
            why=name,
            remedy="give the run that was made of this commit",
        )
