"""Know which services a signature goes through: who certifies, which logs keep it for good, who says when it was."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shipseal.errors import ConfigError

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


def _read(signing_config: Path) -> Services:
    try:
        with signing_config.open("rb") as file:
            document = json.loads(file.read(_LARGEST))
        (authority,) = {" or ".join(_urls(document, "caUrls"))}
        logs = tuple(_chosen(document, "rekorTlogUrls", "rekorTlogConfig"))
        return Services(authority, logs, tuple(_chosen(document, "tsaUrls", "tsaConfig")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{signing_config} is no signing configuration of Sigstore",
            why=f"{type(error).__name__}: {error}",
            do="correct sign.signing-config, or the file",
        ) from error


def _urls(document: Mapping[str, Any], key: str) -> list[str]:
    return [str(each["url"]) for each in document.get(key, ())]


def _chosen(document: Mapping[str, Any], key: str, how: str) -> Iterator[str]:
    """Yield a name for each that is asked: all, so many, or one of them."""
    urls, selected = _urls(document, key), document.get(how) or {}
    if not urls:
        return
    if selected.get("selector") == "ALL":
        yield from urls
    else:
        number = int(selected["count"]) if selected.get("selector") == "EXACT" else 1
        yield from [" or ".join(urls)] * number
