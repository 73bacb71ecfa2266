"""Seal what this user's own runs have finished: a release keeps nothing that somebody else has laid in its way.

A record proves that a directory is as its writer left it. It does not say who that was: a repository, an archive or a
cache of another job can carry whole run directories, each with records that agree. The key of the seal is this user's,
made on first use, and in no run directory. RFC 2104 (HMAC), with SHA-256.
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FILENAME = "seal"
_BYTES = 32


def key_file(environment: Mapping[str, str]) -> Path:
    """Return where this user's key is (XDG Base Directory Specification, `XDG_STATE_HOME`)."""
    state = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local" / "state"
    return Path(state) / "supply-chain-pipeline" / "seal.key"


def key(path: Path) -> bytes:
    """Return the key, made now if there is none; raise `OSError` where it can be neither read nor made."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
    return path.read_bytes()


def seal(record: Path, path: Path) -> None:
    """Write the seal of a finished stage beside its record; without a key of one's own nothing is sealed."""
    with suppress(OSError):
        record.with_name(FILENAME).write_text(_of(record, path) + "\n", encoding="ascii")


def is_ours(record: Path, path: Path) -> bool:
    """Say whether a stage's record bears this user's seal."""
    try:
        return hmac.compare_digest(_of(record, path), record.with_name(FILENAME).read_text("ascii").strip())
    except (OSError, ValueError):
        return False


def _of(record: Path, path: Path) -> str:
    return hmac.new(key(path), record.read_bytes(), "sha256").hexdigest()
