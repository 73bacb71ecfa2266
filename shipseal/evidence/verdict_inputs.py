"""Read a verdict with all that it was given on: out of a run directory, or out of a pack that somebody hands over.

Every input is held against the digest that the verdict has of it; whoever judges looks at its shape.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipseal import strict
from shipseal.digest import Digest, opened
from shipseal.documents.verdict import VerdictDocument
from shipseal.errors import UsageError, VerificationFailed
from shipseal.judging.case import TESTS, Case
from shipseal.judging.catalogue import VERSION
from shipseal.oci import pack
from shipseal.terminal_text import line
from shipseal.times import read_time

NAME = "verdict.json"
MOST_SHOWN = 20  # differences
_INPUT = re.compile(r"(policy|scan|vex|image|sbom|facts|smoke)(/[A-Za-z0-9_][A-Za-z0-9._-]{0,80}){1,3}")
_LARGEST = 256 << 20  # bytes
_MOST = 10_000  # inputs


@dataclass(frozen=True)
class RecordedVerdict:
    """A verdict, and the case that it was given on.

    Args:
        place: where it was read, as the reader named it.
        verdict: what it says.
        written: the same as it was written, to be compared.
        case: its inputs, each with the bytes that the verdict names.
        run: the run directory, where it is in one.
    """

    place: str
    verdict: VerdictDocument
    written: object
    case: Case
    run: Path | None


def recorded(place: Path, work: Path) -> RecordedVerdict:
    """Read a verdict.

    Args:
        place: a run directory, the `verdict.json` in one, or a pack.
        work: an empty directory, for what is in a pack.

    Raises:
        UsageError: there is no verdict, it is older than what a replay needs, or one of its inputs is not there.
        VerificationFailed: an input has other bytes than the verdict says, or it has another shape.
    """
    file, run = _find(place, work)
    data = _bytes(file, f"{place}: the verdict")
    written = _parsed(data, f"{place}: the verdict")
    _require_version(written, place)
    verdict = VerdictDocument.parse(data, f"{place}: the verdict")
    files = dict(_inputs(verdict.inputs, file.parent, run, place))
    return RecordedVerdict(str(place), verdict, written, Case(files, read_time(verdict.judged), verdict.release), run)


def _find(place: Path, work: Path) -> tuple[Path, Path | None]:
    """Return the file of a verdict, and the run directory that it is in."""
    if place.is_file() and place.name == NAME:
        return place, place.parent.parent if place.parent.name == "assess" else None
    if place.is_file():
        pack.unpack(place, work / "pack")
        if (work / "pack" / "verdict" / NAME).is_file():
            return work / "pack" / "verdict" / NAME, None
        raise UsageError(f"{place} is a pack without a verdict", remedy="pack a run: `shipseal pack run -o FILE`")
    if (place / "assess" / NAME).is_file():
        return place / "assess" / NAME, place
    raise UsageError(
        f"{place} holds no verdict",
        why=f"there is no assess/{NAME}",
        remedy=f"name a run directory, the {NAME} in one, or a pack; `shipseal dry-run --to assess` makes one",
    )


def _require_version(verdict: object, place: Path) -> None:
    """Refuse what other versions have given before its shape is looked at, which may be another too."""
    said = verdict.get("version") if isinstance(verdict, dict) else VERSION
    if said is None:
        raise UsageError(
            f"{place}: the verdict was given before verdicts kept what they rest on",
            remedy="judge again: `shipseal dry-run`",
        )
    if said != VERSION:
        raise UsageError(
            f"{place}: the verdict was given by rules of version {str(said)[:20]}, and this pipeline has {VERSION}",
            remedy="replay it by the pipeline that gave it",
        )


def _inputs(inputs: Mapping[str, Digest], beside: Path, run: Path | None, place: Path) -> Iterator[tuple[str, bytes]]:
    if len(inputs) > _MOST:
        raise VerificationFailed(f"{place}: the verdict names {len(inputs)} inputs, and {_MOST} are the most")
    for name, digest in sorted(inputs.items()):
        if "/" not in name:  # the image, and the database: named, and not read
            continue
        if not _INPUT.fullmatch(name):
            raise VerificationFailed(f"{place}: the verdict names {name[:100]!a}, which is the input of no verdict")
        kept = name == TESTS or name.startswith("policy/")  # by `assess` itself
        file = (run if run and not kept else beside) / name
        data = _bytes(file, f"{place}: {name}")
        if Digest.of(data) != digest:
            raise VerificationFailed(
                f"{place}: {name} is not the one that was judged",
                why=(f"expected {digest}", f"found    {Digest.of(data)}"),
                remedy="find out who changed it; the stages from `scan` on, run again, give a new verdict",
            )
        yield name, data


def _parsed(data: bytes, what: str) -> object:
    try:
        return strict.loads(data)
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(
            f"{what} is not JSON", why=line(str(error))[:200], remedy="get it again, whole"
        ) from error


def _bytes(file: Path, what: str) -> bytes:
    try:
        with opened(file) as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{what} is not there", why=str(error), remedy="name a run whose files are whole") from error
    if len(data) > _LARGEST:
        raise VerificationFailed(f"{what} has more than {_LARGEST >> 20} MiB", remedy="get it again")
    return bytes(data)


def require_same(place: str, found: Sequence[str]) -> None:
    """Raise `VerificationFailed` where a verdict, given again, differs from the one on record.

    Args:
        place: where the one on record is.
        found: the first of the places where they differ: `differences`.
    """
    if found:
        raise VerificationFailed(
            f"{place}: judged again, something else comes out",
            why=[*found[:MOST_SHOWN], *(["and more"] if len(found) > MOST_SHOWN else [])],
            remedy="the verdict was changed, or given by another version of the pipeline: find out which",
        )


def differences(one: object, other: object, where: str = "") -> Iterator[str]:
    """Yield each place where two documents differ, as a path of keys with both values, shortened.

    Args:
        one: the one on record.
        other: the other one.
        where: the path that led here.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            path = f"{where}.{key}" if where else str(key)
            if key not in one or key not in other:
                yield f"{path}: {'only on record' if key in one else 'not on record'}"
            else:
                yield from differences(one[key], other[key], path)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{where}[{number}]")
    elif one != other or type(one) is not type(other):
        yield f"{where}: on record {_short(one)}, now {_short(other)}"


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = json.dumps(value, ensure_ascii=False)
    return line(text if len(text) <= 120 else f"{text[:120]}…")
