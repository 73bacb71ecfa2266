"""Read documents out of a run directory, as a stage reads them from its context: outside of a run."""

from dataclasses import dataclass
from pathlib import Path

from shipseal.engine.record import Record
from shipseal.errors import UsageError, VerificationFailed


@dataclass(frozen=True)
class RunContents:
    """What a run has left in its directory."""

    directory: Path

    def read(self, stage: str, relative: str) -> bytes:
        """Read a file of a stage; raise `VerificationFailed` when there is none."""
        try:
            return (self.directory / stage / relative).read_bytes()
        except OSError as error:
            raise VerificationFailed(
                f"{stage}/{relative} cannot be read", why=str(error), remedy=f"run `shipseal stage {stage}` again"
            ) from error


@dataclass(frozen=True)
class Untouched(RunContents):
    """What finished stages have left, each held against its record before anything of it is read."""

    def read(self, stage: str, relative: str) -> bytes:
        """Read a file of a stage.

        Raises:
            UsageError: the stage has not finished there.
            VerificationFailed: its files are not those that it wrote, or there is no such file.
        """
        directory = self.directory / stage
        try:
            Record.read(directory).check(directory)
        except FileNotFoundError as error:
            raise UsageError(
                f"{stage} has not finished in {self.directory}", remedy=f"run `shipseal dry-run --to {stage}` first"
            ) from error
        return super().read(stage, relative)
