"""Look into a trust root: whom it lets certify, and how old it is (Sigstore, `sigstore_trustroot.proto`). Pure."""

import json
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.x509 import load_der_x509_certificate

from shipseal.errors import VerificationFailed

_CERTIFIED = ("certificateAuthorities", "timestampAuthorities")
_PARTS = ("tlogs", "ctlogs", *_CERTIFIED)


def public_root() -> Path:
    """Return the trust root of the public Sigstore that came with sigstore-python, without asking the network."""
    return _came_with("https://tuf-repo-cdn.sigstore.dev")  # `sigstore._internal.tuf.DEFAULT_TUF_URL`, slow to import


def staging_root() -> Path:
    """Return that of the public Sigstore's staging instance, likewise: nobody relies on what it signs."""
    return _came_with("https://tuf-repo-cdn.sigstage.dev")


def _came_with(repository: str) -> Path:
    return Path(str(resources.files("sigstore._store") / quote(repository, safe="") / "trusted_root.json"))


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


def ends(root: bytes) -> dict[str, datetime]:
    """Return until when a trust root names an authority, by their kind: the end of the one that lasts longest.

    An authority ends with the first certificate of its chain, or before, where the root says so. Kinds of which it
    names none are left out.

    Raises:
        VerificationFailed: it is no trust root.
    """
    document = _document(root)
    try:
        found = {kind: [_end(each) for each in document.get(kind) or ()] for kind in _CERTIFIED}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VerificationFailed("the trust root is malformed", why=f"{type(error).__name__}: {error}") from error
    return {kind: max(every) for kind, every in found.items() if every}


def _end(authority: dict[str, Any]) -> datetime:
    chain = [b64decode(each["rawBytes"], validate=True) for each in authority["certChain"]["certificates"]]
    until = [load_der_x509_certificate(each).not_valid_after_utc for each in chain]
    if end := (authority.get("validFor") or {}).get("end"):
        until.append(datetime.fromisoformat(str(end)).astimezone(UTC))
    return min(until)


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
