"""Take bytes only for those of their digest, and say what it is when they are others. Pure."""

import json
from typing import Any

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed


def checked(data: bytes, digest: Digest, what: str) -> bytes:
    """Return bytes that are those of a digest; raise `VerificationFailed` when they are others."""
    actual = Digest.of(data)
    if actual != digest:
        raise altered(what, digest, f"the digest of what is there is {actual}")
    return data


def altered(what: str, digest: Digest, *why: str) -> VerificationFailed:
    """Return the failure that says that bytes are not those of their digest."""
    return VerificationFailed(
        f"{what} was altered: {digest}",
        why=why,
        remedy="do not use this image; publish it again from a run that you trust",
    )


def checked_json(data: bytes, digest: Digest, what: str) -> dict[str, Any]:
    """Return the object in bytes that are those of a digest; raise `VerificationFailed` otherwise."""
    try:
        value = json.loads(checked(data, digest, what))
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(f"{what} is not JSON: {digest}", why=str(error)) from error
    if not isinstance(value, dict):
        raise VerificationFailed(f"{what} is not an object: {digest}")
    return value
