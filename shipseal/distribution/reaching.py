"""Say how a registry is reached from where somebody stands: whom to trust, where logins go, what stands before it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shipseal.digest import split_repository
from shipseal.errors import ConfigError, UsageError

_BEGIN = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Reach:
    """How a registry is reached to be read.

    Args:
        ca_file: certificates of the authorities that may vouch for it and for its mirror (PEM); none: this machine's.
        realm: a host that may be asked for tokens besides the registry's own.
        say: is told what is being waited for.
        mirror: `HOST` or `HOST/PREFIX`, which is asked in its place; nothing: itself.
    """

    ca_file: Path | None = None
    realm: str = ""
    mirror: str = ""
    say: Callable[[str], None] = lambda _: None

    def place(self, host: str, repository: str) -> tuple[str, str]:
        """Return the host and the repository to ask for what is named by these; raise `UsageError` for no mirror."""
        if not self.mirror:
            return host, repository
        try:
            return split_repository(f"{self.mirror.strip('/')}/{repository}")
        except ValueError as error:
            raise UsageError(
                f"{self.mirror} is not a valid mirror"[:300], why=str(error), remedy="name it as HOST or HOST/PREFIX"
            ) from error


DIRECTLY = Reach()


def authorities(file: Path | None) -> Path | None:
    """Return a file of certificates; raise `ConfigError` where there is none in it."""
    if file is None:
        return None
    try:
        if _BEGIN in file.read_bytes():
            return file.absolute()
        why = "it holds no certificate in PEM"
    except OSError as error:
        why = str(error)
    raise ConfigError(
        f"{file} does not say which authorities vouch for the registry",
        why=why,
        remedy="name a file with their certificates, each between BEGIN CERTIFICATE and END CERTIFICATE",
    )
