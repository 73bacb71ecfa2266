"""Copy parts of a finished run, by hard links where the disk has them, and change what is in the copy and nowhere else.

A file of a copy shares its bytes with the run's own, so nothing is ever written into one: another file takes its name.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from shipseal.digest import Digest
from shipseal.engine.record import FILENAME, Record, products
from shipseal.oci.layout_copy import one_file

_RECORDED = "products"


def link_tree(source: Path, target: Path) -> None:
    """Copy a directory; a file of it stays one file with two names where the disk can do that."""
    shutil.copytree(source, target, copy_function=one_file)


def replace(path: Path, data: bytes) -> None:
    """Put other bytes in the place of a file; what else has the old one keeps it."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    draft.rename(path)


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    """Change a JSON document: in place, or to what the change returns."""
    value = json.loads(path.read_bytes())
    changed = change(value)
    replace(path, json.dumps(value if changed is None else changed, indent=2, sort_keys=True).encode())


def fit(directory: Path) -> None:
    """Make a stage's record fit what is there now, as whoever owns the directory can."""

    def change(record: Any) -> None:
        record[_RECORDED] = {name: str(digest) for name, digest in products(directory).items()}

    edit_json(directory / FILENAME, change)


def without(data: bytes, at: int = -1) -> bytes:
    """Return bytes of the same number, one of them another."""
    place = at % len(data)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def check(run: Path, stages: Iterable[str]) -> None:
    """Raise `VerificationFailed` where a stage of a run is not as its record has it."""
    for stage in stages:
        Record.read(run / stage).check(run / stage)


def state(run: Path, stages: Iterable[str]) -> Digest:
    """Digest all that stages of a run hold, records and logs included."""
    return Digest.of_rows((stage, str(Digest.of_tree(run / stage))) for stage in sorted(stages))
