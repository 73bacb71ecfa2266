"""Look at a run directory that another job has made, and whom nobody here trusts: is it what `release` leaves?

Its records prove that nobody has altered a file without its record. They do not prove who wrote both: what can be made
again is made again and compared (`same_again`), and little of the rest is taken over (`adopted`).
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shipseal import terminal_text
from shipseal.engine.record import FILENAME, Record
from shipseal.engine.table import RECORDED
from shipseal.errors import UsageError, VerificationFailed

_MADE_BY = "shipseal release --to facts,test,smoke,admit"
_BESIDE = frozenset({"run.json", "lock", ".gitignore"})
_REPORT = "report"  # which nobody reads here
_MOST_FILES, _DEEPEST = 20_000, 16
_LARGEST, _LARGEST_DOCUMENT, _LARGEST_OF_ALL = 2 << 30, 64 << 20, 8 << 30  # bytes


@dataclass(frozen=True)
class UntrustedRun:
    """A run directory whose records and files agree.

    Args:
        directory: where it is.
        records: of each stage before anything is signed.
    """

    directory: Path
    records: Mapping[str, Record]

    @classmethod
    def look(cls, directory: Path) -> "UntrustedRun":
        """Read all records, and hold every file against them.

        Raises:
            UsageError: there is no such directory.
            VerificationFailed: something is missing, altered, foreign, a link, or too large.
        """
        if not directory.is_dir():
            raise UsageError(f"there is no run directory {directory}", remedy=f"name one that `{_MADE_BY}` has made")
        place = directory.resolve()
        _bound(place)
        _require_no_other(place)
        return cls(place, {name: _record(place / name) for name in RECORDED})


def _record(directory: Path) -> Record:
    name = directory.name
    try:
        record = Record.read(directory)
    except (FileNotFoundError, NotADirectoryError):
        raise VerificationFailed(f"the given run has not finished {name}", remedy=f"make it by `{_MADE_BY}`") from None
    if (record.stage, record.world) != (name, "release"):
        raise VerificationFailed(
            f"{name}/{FILENAME} of the given run is of another stage or world",
            why=f"it says that it is of {record.stage} in a {record.world}",
            remedy=f"make the run by `{_MADE_BY}`",
        )
    record.check(directory)
    return record


def _require_no_other(directory: Path) -> None:
    """Refuse what no run leaves there: whoever put it there meant it for somebody."""
    known = {*RECORDED, *_BESIDE, _REPORT}
    if foreign := sorted(terminal_text.name(path.name) for path in directory.iterdir() if path.name not in known):
        raise VerificationFailed(
            f"{foreign[0]} is in the given run, and no run leaves it there",
            why=[f"and {name}" for name in foreign[1:5]],
            remedy=f"give what `{_MADE_BY}` has left, and nothing besides",
        )


def _bound(directory: Path) -> None:
    """Refuse what would take too long, and what is no file, before anything is read; links are never followed."""
    pending, files, total = [(directory, 0)], 0, 0
    while pending:
        place, depth = pending.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = terminal_text.name(Path(entry.path).relative_to(directory).as_posix())
                about = entry.stat(follow_symlinks=False)
                files += 1
                if files > _MOST_FILES or depth >= _DEEPEST:
                    raise _too_much(name, f"a run has {_MOST_FILES} files in {_DEEPEST} levels at most")
                if stat.S_ISDIR(about.st_mode):
                    pending.append((Path(entry.path), depth + 1))
                    continue
                total += about.st_size
                _require_small_file(name, about, total)


def _require_small_file(name: str, about: os.stat_result, total: int) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise VerificationFailed(
            f"{name} of the given run is not a file, and a run leaves nothing else",
            why="it is a link" if stat.S_ISLNK(about.st_mode) else "it is a pipe, a socket or a device",
            remedy="find out who put it there",
        )
    most = _LARGEST_DOCUMENT if name.endswith((".json", ".xml", ".txt", ".toml")) else _LARGEST
    if about.st_size > most or total > _LARGEST_OF_ALL:
        raise _too_much(name, f"a file has {most} bytes at most, and all of them {_LARGEST_OF_ALL}")


def _too_much(name: str, why: str) -> VerificationFailed:
    return VerificationFailed(f"the given run is too large, at {name}", why=why, remedy="find out who put it there")
