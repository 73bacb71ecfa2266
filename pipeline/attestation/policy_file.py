"""Read who may sign what from the file that says so."""

from pathlib import Path

from pipeline.attestation.trust import Policy
from pipeline.disk import text_of
from pipeline.errors import ConfigError


def read_policy(path: Path, name: str) -> Policy:
    """Read one policy of a `verification.toml`; raise `ConfigError` when there is none, or it is wrong."""
    try:
        return Policy.read(text_of(path).encode(), name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read",
            why=str(error),
            do="it says who may sign what; without it nothing passes",
        ) from error
