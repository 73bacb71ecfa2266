"""Name a key that somebody keeps as a signer, and read it from its file. Pure.

A key has no identity that anybody vouches for: it is called by its own digest, and nothing else is known of it.
"""

import base64
import binascii
import re
from collections.abc import Mapping

from shipseal.digest import Digest
from shipseal.errors import ConfigError
from shipseal.statements.builders import SignerIdentity

KEPT = "nobody"
"""The issuer of a signer that is a key. A certificate that claims it is refused."""

_PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----\s*")
_FILE = re.compile(r"(?!\.)[A-Za-z0-9._-]+(?:/(?!\.)[A-Za-z0-9._-]+)*")

Keys = Mapping[str, bytes]
"""Public keys in PEM, by the identities that they are as signers."""


def who_of(pem: bytes, name: str) -> SignerIdentity:
    """Return the signer that a public key is: the sha256 of its DER (RFC 5280, SubjectPublicKeyInfo).

    Raises:
        ConfigError: it is no public key in PEM; `name` says which file it was.
    """
    found = _PEM.fullmatch(pem)
    try:
        der = base64.b64decode(b"".join(found[1].split()), validate=True) if found else b""
    except binascii.Error:
        der = b""
    if not der:
        raise ConfigError(
            f"{name} is not a valid public key",
            remedy="name a file in PEM, such as `cosign public-key` prints: cosign.pub",
        )
    return SignerIdentity(f"key:{Digest.of(der)}", KEPT)


def is_kept(who: SignerIdentity) -> bool:
    """Say whether a signer is a key."""
    return who.issuer == KEPT


def file_name(name: str) -> str:
    """Return the name of a key's file; raise `ValueError` for one that is not beside the policy or below it."""
    if name and not _FILE.fullmatch(name):
        raise ValueError(f"{name} is not a file beside this one"[:300])
    return name
