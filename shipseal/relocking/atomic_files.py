"""Write several files, all of them or none: locks that belong together, and what they are made from."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from shipseal.errors import UsageError


def write_together(texts: Mapping[Path, str]) -> None:
    """Write everything beside its place, then rename: a full disk or a directory that is read-only changes nothing.

    Raises:
        UsageError: something cannot be written.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            parts[_part(path, text)] = path
        for part, path in parts.items():
            part.replace(path)
    except OSError as failure:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise UsageError(
            "the locks cannot be written", why=str(failure), remedy="make room, or the place writable"
        ) from failure


def _part(path: Path, text: str) -> Path:
    """Write a text beside its place, in a file that was not there: a link under a name that is known leads anywhere."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, path.stat().st_mode & 0o777 if path.exists() else 0o644)
            file.write(text)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
