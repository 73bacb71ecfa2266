"""Look into a trust root: whom it lets certify, and how old it is (Sigstore, `sigstore_trustroot.proto`). Pure."""

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from cryptography.x509 import load_der_x509_certificate

from shipseal.errors import VerificationFailed
from shipseal.statements.predicates import Said, read


def public_root() -> Path:
    """Return the trust root of the public Sigstore that came with sigstore-python, without asking the network."""
    return _came_with("https://tuf-repo-cdn.sigstore.dev")  # `sigstore._internal.tuf.DEFAULT_TUF_URL`, slow to import


def staging_root() -> Path:
    """Return that of the public Sigstore's staging instance, likewise: nobody relies on what it signs."""
    return _came_with("https://tuf-repo-cdn.sigstage.dev")


def _came_with(repository: str) -> Path:
    return Path(str(resources.files("sigstore._store") / quote(repository, safe="") / "trusted_root.json"))


class _Range(Said):
    start: str = ""
    end: str = ""


class _Certificate(Said):
    raw_bytes: str


class _Chain(Said):
    certificates: list[_Certificate]


class _Authority(Said):
    cert_chain: _Chain
    valid_for: _Range | None = None


class _Key(Said):
    valid_for: _Range | None = None


class _Log(Said):
    public_key: _Key | None = None


class _Root(Said):
    """A trust root; a list that is empty may be absent, or null (protobuf.dev, "ProtoJSON Format")."""

    tlogs: list[_Log] | None = None
    ctlogs: list[_Log] | None = None
    certificate_authorities: list[_Authority] | None = None
    timestamp_authorities: list[_Authority] | None = None

    @property
    def authorities(self) -> Mapping[str, Sequence[_Authority]]:
        """Those that certify, and those that give times."""
        return {
            "certificateAuthorities": self.certificate_authorities or (),
            "timestampAuthorities": self.timestamp_authorities or (),
        }

    @property
    def ranges(self) -> Iterator[_Range]:
        """When each part is used, where it says so."""
        keys = [each.public_key for each in (*(self.tlogs or ()), *(self.ctlogs or ())) if each.public_key]
        parts = (*keys, *(each for every in self.authorities.values() for each in every))
        yield from (each.valid_for for each in parts if each.valid_for)


def certifying(root: bytes) -> frozenset[str]:
    """Return the certificates of the authorities that a trust root lets certify signers, in base64."""
    authorities = _read(root).certificate_authorities
    if authorities is None:
        raise VerificationFailed("the trust root names no authority")
    return frozenset(each.raw_bytes for authority in authorities for each in authority.cert_chain.certificates)


def newest(root: bytes) -> datetime | None:
    """Return when the newest part of a trust root began to be used: it is no older than that, and may be no younger."""
    return max((_time(each.start) for each in _read(root).ranges if each.start), default=None)


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
    found = {kind: [_end(each) for each in every] for kind, every in _read(root).authorities.items()}
    return {kind: max(every) for kind, every in found.items() if every}


def _end(authority: _Authority) -> datetime:
    try:
        chain = [b64decode(each.raw_bytes, validate=True) for each in authority.cert_chain.certificates]
        until = [load_der_x509_certificate(each).not_valid_after_utc for each in chain]
        stated = [_time(authority.valid_for.end)] if authority.valid_for and authority.valid_for.end else []
        return min(until + stated)
    except ValueError as error:
        raise _malformed(error) from error


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise _malformed(error) from error


def _read(root: bytes) -> _Root:
    try:
        document = json.loads(root)
    except (ValueError, RecursionError) as error:
        raise VerificationFailed("the trust root is not JSON", why=str(error)) from error
    try:
        return read(_Root, document)
    except ValueError as error:
        raise _malformed(error) from error


def _malformed(error: ValueError) -> VerificationFailed:
    return VerificationFailed("the trust root is malformed", why=str(error))
