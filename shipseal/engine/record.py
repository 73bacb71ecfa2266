"""Keep the record of a finished stage: what ran, what went in, what came out, by digest.

Provenance is made from records, and a stage is kept on the next run by them. `record.json` is written last, so a
directory that has one is whole.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import rfc8785
from pydantic import ConfigDict, TypeAdapter, ValidationError

from shipseal import strict
from shipseal.digest import Digest, walk
from shipseal.documents.document import DigestText, problems
from shipseal.engine.seal import FILENAME as SEAL
from shipseal.errors import VerificationFailed
from shipseal.tools.toolbox import Command

FILENAME = "record.json"
LOG = "log.txt"


@dataclass(frozen=True)
class Record:
    """One finished stage. Times are RFC 3339 in UTC; `key` is the digest of all that decided what it did."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    stage: str
    run_id: str
    world: str
    key: DigestText
    headline: str
    commands: tuple[Command, ...]
    tools: Mapping[str, DigestText]
    materials: Mapping[str, DigestText]
    products: Mapping[str, DigestText]
    started: str
    finished: str

    @property
    def outcome(self) -> Digest:
        """The digest of the list of products: what a stage that needs this one depends on."""
        return Digest.of(rfc8785.dumps({name: str(digest) for name, digest in self.products.items()}))

    def write(self, directory: Path) -> None:
        """Write it into a stage's directory."""
        value = _RECORD.dump_python(self, mode="json")
        (directory / FILENAME).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read it from a stage's directory.

        Raises:
            FileNotFoundError: the stage did not finish.
            VerificationFailed: the file is not a record.
        """
        path = directory / FILENAME
        try:
            data = path.read_bytes()
            strict.loads(data)
            return cls(**vars(_RECORD.validate_json(data, strict=True)))
        except (ValueError, RecursionError) as error:
            raise VerificationFailed(
                f"{path} is not a record",
                why=problems(error) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}",
                remedy=f"run `shipseal stage {directory.name}` again",
            ) from error

    def check(self, directory: Path) -> None:
        """Compare the directory with its record; raise `VerificationFailed` with the first file that differs."""
        present = products(directory)
        for name in sorted({*present, *self.products}):
            if present.get(name) != self.products.get(name):
                raise VerificationFailed(
                    f"{directory.name}/{name} was {_change(name, present, self.products)} after the stage had finished",
                    why=f"recorded {self.products.get(name, 'nothing')}, found {present.get(name, 'nothing')}",
                    remedy=f"run `shipseal stage {directory.name}` again, and find out who changed it",
                )


_RECORD = TypeAdapter(Record)


def products(directory: Path) -> dict[str, Digest]:
    """Digest every file of a stage's directory but those that tell of the run, and not of its result.

    Raises:
        VerificationFailed: something there is a link, or no file: its content would be another's, or without end.
    """
    found = {path.relative_to(directory).as_posix(): path for path in walk(directory)}
    for name, path in found.items():
        if path.is_symlink() or not path.is_file():
            raise VerificationFailed(
                f"{directory.name}/{name} is not a file, and a stage leaves nothing else",
                remedy=f"run `shipseal stage {directory.name}` again, and find out who put it there",
            )
    return {name: Digest.of_file(path) for name, path in found.items() if name not in {FILENAME, LOG, SEAL}}


def _change(name: str, present: Mapping[str, Digest], recorded: Mapping[str, Digest]) -> str:
    if name not in present:
        return "removed"
    return "altered" if name in recorded else "added"
