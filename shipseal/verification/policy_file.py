"""Read who may sign what from the file that says so, and the keys that it names from beside it."""

from pathlib import Path

from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.verification.trust import Policy


def read_policy(path: Path, name: str) -> Policy:
    """Read one policy of a `verification.toml`; raise `ConfigError` when there is none, or it is wrong."""
    return Policy.read(_read(path), name, lambda key: _read(path.parent / key))


def _read(path: Path) -> bytes:
    try:
        return text_of(path).encode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read",
            why=str(error),
            remedy="it says who may sign what; without it nothing passes",
        ) from error
