"""Verify what a key has signed that somebody keeps, by sigstore-python's parts: the library alone knows certificates.

The signature is verified with the key that the caller names, and never with one that the bundle brings. Where the trust
root has transparency logs, one of them must have recorded the very signature. Pure.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError
from sigstore._internal.trust import KeyringPurpose
from sigstore.dsse import Envelope
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TimestampVerificationData, TransparencyLogEntry, TrustedRoot
from sigstore_models.bundle.v1 import Bundle as BundleMessage
from sigstore_models.common.v1 import HashAlgorithm

from shipseal.errors import VerificationFailed
from shipseal.signing.certificates_verifier import words_of
from shipseal.signing.log_entries import Made
from shipseal.signing.material import NAMES, Material
from shipseal.signing.proto_json import filled_bundle
from shipseal.signing.timestamps import times
from shipseal.signing.transparency_log import require_entry, require_log

_FIRST = Bundle.BundleType.BUNDLE_0_1


@dataclass(frozen=True)
class SignedByKey:
    """What a key was found to have signed.

    Args:
        payload: of the envelope; None where a file was signed.
        payload_type: likewise.
        times: when, as others than the signer say, the oldest first; none where nobody does.
    """

    payload: bytes | None
    payload_type: str
    times: tuple[datetime, ...]


def verify_kept(bundle: bytes, root: TrustedRoot, key: Material, hashed: Mapping[str, bytes]) -> SignedByKey:
    """Verify a bundle that a managed key has signed.

    Args:
        bundle: a Sigstore bundle, version 0.1 to 0.3.
        root: which logs and timestamp authorities to trust.
        key: whose signature it must be.
        hashed: the digests of the file that must have been signed, by the name of the hash, where a file was.

    Raises:
        VerificationFailed: it is malformed, or anything about it does not match.
    """
    try:
        return _verify(bundle, root, key, hashed)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise VerificationFailed("the bundle is malformed", why=f"{where}: {problem['msg']}") from error
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=words_of(error)) from error
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        # Whatever its parts raise on input that nobody foresaw, it has not been verified.
        raise VerificationFailed(
            "the signature cannot be read", why=[type(error).__name__, *words_of(error)]
        ) from error


def _verify(bundle: bytes, root: TrustedRoot, key: Material, hashed: Mapping[str, bytes]) -> SignedByKey:
    message = BundleMessage.from_json(filled_bundle(bundle))
    kind, material = _kind(message.media_type), message.verification_material
    if material.public_key is None or material.certificate or material.x509_certificate_chain:
        raise VerificationFailed("a certificate has signed this, and no key", remedy="name the identity, and no key")
    made = _signed(message, key, hashed)
    stamps = material.timestamp_verification_data
    given = TimestampVerificationData(stamps) if stamps and stamps.rfc3161_timestamps else None
    found = [*times(root, given, made.signature), *_logged(message, kind, root, made)]
    return SignedByKey(made.payload, made.payload_type, tuple(sorted(found)))


def _kind(media_type: str) -> Bundle.BundleType:
    try:
        return Bundle.BundleType(media_type)
    except ValueError as error:
        raise VerificationFailed(f"{media_type} is not a valid Sigstore bundle of a version from 0.1 to 0.3") from error


def _signed(message: BundleMessage, key: Material, hashed: Mapping[str, bytes]) -> Made:
    """Verify the signature itself; return it with what was signed."""
    if (message.dsse_envelope is None) == (message.message_signature is None):
        raise VerificationFailed("a bundle holds either an envelope or the signature of a file")
    if message.dsse_envelope is not None:
        envelope = Envelope(message.dsse_envelope)
        encoded = envelope.pae()
        key.verify(envelope.signature, encoded)
        digests = {name: hashlib.new(name, encoded).digest() for name in NAMES}
        return Made(key, envelope.signature, digests, envelope._inner.payload, envelope._inner.payload_type)
    assert message.message_signature is not None  # one of the two is there
    signature, said = message.message_signature.signature, message.message_signature.message_digest
    if key.hash_name not in hashed:
        raise VerificationFailed(
            f"this key signs a {key.hash_name} digest, and only {', '.join(hashed) or 'no digest'} is known",
            remedy="name the file itself",
        )
    if said is not None and said.digest != hashed.get(_name(said.algorithm)):
        raise VerificationFailed("the bundle is of another file: its digest is another")
    key.verify_digest(signature, hashed[key.hash_name])
    return Made(key, signature, hashed)


def _name(algorithm: HashAlgorithm) -> str:
    return next((name for name, each in NAMES.items() if each == algorithm), "")


def _logged(message: BundleMessage, kind: Bundle.BundleType, root: TrustedRoot, made: Made) -> list[datetime]:
    """Verify the log's entry; return the time that it promises, if it promises one."""
    entries = message.verification_material.tlog_entries
    if not root._inner.tlogs and not entries:
        return []
    if len(entries) != 1:
        raise VerificationFailed(f"a bundle has exactly one entry of a transparency log, and this has {len(entries)}")
    entry = TransparencyLogEntry(entries[0])
    promise, time = entries[0].inclusion_promise, entries[0].integrated_time
    if (kind is _FIRST and not promise) or (promise and not time):
        raise VerificationFailed("the log's promise is not there, or names no time")
    require_log(entries[0], root)
    entry._verify(root.rekor_keyring(KeyringPurpose.VERIFY))
    require_entry(entries[0], made)
    return [datetime.fromtimestamp(time, UTC)] if promise and time else []
