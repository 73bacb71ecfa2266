"""Know which services a signature goes through: who certifies, which logs keep it for good, who says when it was."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from shipseal.errors import ConfigError
from shipseal.statements.predicates import Said, read

PUBLIC_LOG = "the public log of Sigstore"
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Services:
    """The services of each signature.

    Args:
        authority: who certifies the signer; empty where a key signs that nobody certifies.
        logs: one for each entry that a signature leaves; several that Cosign chooses from are one.
        timestamps: likewise for each timestamp.
    """

    authority: str
    logs: tuple[str, ...]
    timestamps: tuple[str, ...] = ()


PUBLIC = Services("the public authority of Sigstore", (PUBLIC_LOG,), ("the public timestamp authority of Sigstore",))
"""The public Sigstore's, as its signing configuration has them (v0.2, July 2025): Cosign finds them when it signs."""


def services_of(signing_config: Path | None, *, certified: bool = True) -> Services:
    """Return the services that a signing configuration of Sigstore names (SigningConfig, v0.2); None: the public.

    Args:
        signing_config: the file.
        certified: whether a certificate is asked for; none is where a key signs.

    Raises:
        ConfigError: the file is none.
    """
    found = PUBLIC if signing_config is None else _read(signing_config)
    return found if certified else replace(found, authority="")


class _Service(Said):
    url: str


class _Choice(Said):
    selector: str = ""
    count: Annotated[int | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.selector == "EXACT" and self.count is None:
            raise ValueError("it asks for so many, and not for how many")
        return self

    def among(self, urls: Sequence[str]) -> Iterator[str]:
        """Yield a name for each that is asked: all, so many, or one of them."""
        if self.selector == "ALL":
            yield from urls
        elif urls:
            yield from [" or ".join(urls)] * (self.count or 0 if self.selector == "EXACT" else 1)


class SigningConfig(Said):
    """A signing configuration (Sigstore, `sigstore_trustroot.proto`, `SigningConfig`)."""

    ca_urls: Sequence[_Service] = ()
    oidc_urls: Sequence[_Service] = ()
    rekor_tlog_urls: Sequence[_Service] = ()
    rekor_tlog_config: _Choice | None = None
    tsa_urls: Sequence[_Service] = ()
    tsa_config: _Choice | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one; raise `OSError` or `ValueError` where there is none."""
        with path.open("rb") as file:
            text = file.read(_LARGEST)
        try:
            return read(cls, json.loads(text))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


def _read(signing_config: Path) -> Services:
    try:
        found = SigningConfig.load(signing_config)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{signing_config} is not a valid signing configuration of Sigstore",
            why=f"{type(error).__name__}: {error}",
            remedy="correct sign.signing-config, or the file",
        ) from error
    logs, stamps = found.rekor_tlog_config or _Choice(), found.tsa_config or _Choice()
    return Services(
        " or ".join(each.url for each in found.ca_urls),
        tuple(logs.among([each.url for each in found.rekor_tlog_urls])),
        tuple(stamps.among([each.url for each in found.tsa_urls])),
    )
