"""Hold what this job has made itself against what a given run says, stage by stage, and name the first difference.

The image and what lists its content come out the same, byte for byte. What a scan has found, and what was judged by
it, has to mean the same where both are of one database and one day; else they are judged anew, which is said.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import rfc8785

from shipseal.documents.document import Kept
from shipseal.documents.image import ImageDocument
from shipseal.documents.scan import DatabaseDocument, ScanDocument
from shipseal.documents.verdict import VerdictDocument
from shipseal.documents.vex import OpenVexDocument
from shipseal.engine.record import Record
from shipseal.engine.run_contents import RunContents
from shipseal.errors import VerificationFailed
from shipseal.oci.differences import ComparedImage, first_difference
from shipseal.oci.layout import Layout
from shipseal.released.untrusted_run import UntrustedRun
from shipseal.statements.builders import VERDICT_FIELD, PredicateType, vulnerabilities
from shipseal.statements.intent import intent

_SHOWN, _LONGEST = 5, 160
_REMEDY = "sign nothing of that run: find out who made it, and make it again from this commit"


def require_same(given: UntrustedRun, run_dir: Path, stage: str, say: Callable[[str], None]) -> None:
    """Raise `VerificationFailed` where a stage of this run has come to something else than the given one.

    Args:
        given: the other run.
        run_dir: this one.
        stage: which stage, finished here; one that nobody compares passes.
        say: told what was not compared.
    """
    there, here = given.directory / stage, run_dir / stage
    if stage in {"facts", "inputs"}:
        _same_document(there, here, f"{stage}.json")
    elif stage == "image":
        _same_image(given, run_dir)
        _same_products(given, here)
    elif stage == "sbom":
        _same_products(given, here)
    elif stage in _MEANT:
        _same_meaning(given, run_dir, stage, say)


def _same_document(there: Path, here: Path, name: str) -> None:
    found = list(islice(_differences(_json(there / name), _json(here / name)), _SHOWN))
    if found:
        raise VerificationFailed(
            f"{here.name}/{name} of the given run is not that of this checkout", why=found, remedy=_REMEDY
        )


def _same_image(given: UntrustedRun, run_dir: Path) -> None:
    sides = []
    for name, directory in (("given", given.directory), ("this checkout's", run_dir)):
        digest = ImageDocument.read(RunContents(directory)).digest
        sides.append(ComparedImage(name, Layout.of_image(directory / "image" / "layout", digest), digest))
    if found := first_difference(*sides):
        raise VerificationFailed(
            "the given image is not what its wheel and the locks of this checkout give",
            why=[f"given {sides[0].digest}, written here {sides[1].digest}", *found],
            remedy=_REMEDY,
        )


def _same_products(given: UntrustedRun, here: Path) -> None:
    there, ours = given.records[here.name].products, Record.read(here).products
    if differing := sorted(name for name in {*there, *ours} if there.get(name) != ours.get(name)):
        name = differing[0]
        raise VerificationFailed(
            f"{here.name}/{name} of the given run is not what this job has made of the same inputs",
            why=[f"given {there.get(name, 'nothing')}, here {ours.get(name, 'nothing')}", *differing[1:_SHOWN]],
            remedy=_REMEDY,
        )


def _scanned(directory: Path) -> object:
    reports, database = ScanDocument.read(RunContents(directory)).root, DatabaseDocument.read(RunContents(directory))
    return {name: vulnerabilities(report, database, started="", finished="") for name, report in reports.items()}


def _stated(directory: Path) -> object:
    return _meant(PredicateType.OPENVEX, _document(directory, OpenVexDocument))


def _judged(directory: Path) -> object:
    verdict = _document(directory, VerdictDocument)
    return {
        "allowed": verdict["allowed"],
        "denied": verdict["denied"],
        "meaning": _meant(PredicateType.VERDICT, {VERDICT_FIELD: verdict}),
    }


_MEANT: Mapping[str, Callable[[Path], object]] = {"scan": _scanned, "vex": _stated, "assess": _judged}


def _same_meaning(given: UntrustedRun, run_dir: Path, stage: str, say: Callable[[str], None]) -> None:
    there = _MEANT[stage](given.directory)  # one that cannot be read is refused, whatever it says
    if why := _not_comparable(given, run_dir):
        say(f"{stage} of the given run is not compared: {why}; what is signed was made here")
        return
    if found := list(islice(_differences(there, _MEANT[stage](run_dir)), _SHOWN)):
        raise VerificationFailed(
            f"{stage} of the given run says something else than this job has found, by the same database",
            why=found,
            remedy=_REMEDY,
        )


def _not_comparable(given: UntrustedRun, run_dir: Path) -> str:
    there, here = (DatabaseDocument.read(RunContents(each)) for each in (given.directory, run_dir))
    if there != here:
        return "another database is here"
    days = {record.started[:10] for record in (given.records["scan"], Record.read(run_dir / "scan"))}
    return "it is of another day" if len(days) > 1 else ""


def _meant(kind: PredicateType, predicate: Any) -> str:
    try:
        statement = rfc8785.dumps({"predicateType": str(kind), "subject": [], "predicate": predicate})
    except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
        raise VerificationFailed("a document of the given run cannot be compared", why=type(error).__name__) from error
    return str(intent(statement))


def _document(directory: Path, model: type[Kept]) -> Any:
    """Return a document as it stands there, which has to be one."""
    data = RunContents(directory).read(model.STAGE, model.NAME)
    model.parse(data)
    return json.loads(data)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise VerificationFailed(
            f"{path} cannot be read", why=f"{type(error).__name__}: {error}", remedy=_REMEDY
        ) from error


def _differences(there: object, here: object, where: str = "") -> Iterator[str]:
    """Yield where two documents differ, and what each has there."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            yield from _differences(there.get(key), here.get(key), f"{where}.{key}" if where else key)
    elif isinstance(there, list) and isinstance(here, list):
        for index, (one, other) in enumerate(zip_longest(there, here)):
            yield from _differences(one, other, f"{where}[{index}]")
    elif there != here:
        yield f"{where or 'it'}: given {_shown(there)}, here {_shown(here)}"


def _shown(value: object) -> str:
    """Return a value for people; of what holds others, which may go on without end, only what it is."""
    return f"a {type(value).__name__}" if isinstance(value, dict | list) else f"{value!r:.{_LONGEST}}"
