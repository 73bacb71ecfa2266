"""Look into a trust root: whom it lets certify, and how old it is (Sigstore, `sigstore_trustroot.proto`). Pure."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import VerificationFailed

_PARTS = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")


def public_root() -> Path:
    """Return the trust root of the public Sigstore that came with sigstore-python, without asking the network."""
    place = quote(
        "https://tuf-repo-cdn.sigstore.dev", safe=""
    )  # `sigstore._internal.tuf.DEFAULT_TUF_URL`, slow to import
    return Path(str(resources.files("sigstore._store") / place / "trusted_root.json"))


def certifying(root: bytes) -> frozenset[str]:
    """Return the certificates of the authorities that a trust root lets certify signers, in base64."""
    try:
        return frozenset(
            str(certificate["rawBytes"])
            for authority in _document(root)["certificateAuthorities"]
            for certificate in authority["certChain"]["certificates"]
        )
    except (KeyError, TypeError) as error:
        raise VerificationFailed("the trust root names no authority", why=f"{type(error).__name__}: {error}") from error


def newest(root: bytes) -> datetime | None:
    """Return when the newest part of a trust root began to be used: it is no older than that, and may be no younger."""
    return max(_starts(_document(root)), default=None)


def age(root: bytes, now: datetime) -> str:
    """Say how old a trust root is: a key that was withdrawn since is in it still, until somebody installs another."""
    started = newest(root)
    if started is None:
        return "a trust root that says nothing of its age"
    return f"a trust root whose newest part is of {started:%Y-%m-%d}, {(now - started).days} days ago"


def _document(root: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(root))
    except (ValueError, TypeError, RecursionError) as error:
        raise VerificationFailed("the trust root is not JSON", why=str(error)) from error


def _starts(document: dict[str, Any]) -> Iterator[datetime]:
    for part in _PARTS:
        for each in document.get(part) or ():
            valid = each.get("validFor") or each.get("publicKey", {}).get("validFor") or {}
            if start := valid.get("start"):
                yield datetime.fromisoformat(str(start)).astimezone(UTC)
