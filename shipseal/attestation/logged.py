"""Hold what a transparency log has recorded against the signature that it was recorded for. Pure.

That the entry is in the log is verified elsewhere; here it is read, so that no entry of another signature can stand in
for it (CVE-2022-36056). Formats: Rekor, pkg/types (hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.2), and Rekor v2,
rekor-v2-spec, section 6.1 (hashedrekord 0.0.2).
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sigstore.models import TrustedRoot
from sigstore_models.common.v1 import TimeRange
from sigstore_models.rekor.v1 import TransparencyLogEntry

from shipseal.attestation.material import NAMES, Material
from shipseal.errors import VerificationFailed
from shipseal.times import timestamp

_RAISED = (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, binascii.Error)


@dataclass(frozen=True)
class Made:
    """A signature, with what was signed.

    Args:
        material: the key.
        signature: the signature.
        hashed: digests of what was signed, by the name of the hash: of a file, or of a DSSE envelope's encoding.
        payload: of an envelope; None for the signature of a file.
        payload_type: likewise.
        certificate: of the key, in PEM and DER; None where there is a key alone.
    """

    material: Material
    signature: bytes
    hashed: Mapping[str, bytes]
    payload: bytes | None = None
    payload_type: str = ""
    certificate: tuple[bytes, bytes] | None = None

    def by(self, pem: bytes) -> bool:
        """Say whether a verifier in a log, in PEM, is the one who signed this: the very certificate, or the key."""
        if self.certificate is None:
            return b"-----BEGIN CERTIFICATE-----" not in pem and self.material.same(pem)
        return pem.strip() == self.certificate[0].strip()


def require_log(entry: TransparencyLogEntry, root: TrustedRoot) -> None:
    """Raise `VerificationFailed` unless an entry names a log of the trust root, which was trusted when it promised.

    sigstore-python takes the name for a hint, tries the keys of all logs, and asks for no time; other clients look the
    log up by it, and hold the time of the promise against its validity, both ends included (`TimeRange`).
    """
    logs = [log.public_key.valid_for for log in root._inner.tlogs if log.log_id.key_id == entry.log_id.key_id]
    if not logs:
        raise VerificationFailed("the log that the entry names is not one that is trusted")
    if not entry.inclusion_promise:
        return
    at = datetime.fromtimestamp(entry.integrated_time or 0, UTC)
    if not any(within(valid, at) for valid in logs):
        raise VerificationFailed(f"the log that the entry names was not trusted when it promised, {timestamp(at)}")


def within(valid: TimeRange | None, at: datetime) -> bool:
    """Say whether a time is in a range, both ends included (protobuf-specs, `TimeRange`); in none, no time is."""
    return valid is not None and valid.start <= at and (valid.end is None or at <= valid.end)


def require_entry(entry: TransparencyLogEntry, made: Made) -> None:
    """Raise `VerificationFailed` unless an entry of a log is that of a signature."""
    kind = f"{entry.kind_version.kind} {entry.kind_version.version}"
    check = _KINDS.get((kind, made.payload is None))
    if check is None:
        what = "a file's signature" if made.payload is None else "a signed statement"
        raise VerificationFailed(f"the log's entry is of the kind {kind}, which does not record {what}")
    try:
        body = json.loads(entry.canonicalized_body)
        if (body["kind"], body["apiVersion"]) != (entry.kind_version.kind, entry.kind_version.version):
            raise VerificationFailed(f"the log's entry says that it is {kind}, and is another")
        objections = [words for words, same in check(body["spec"], made).items() if not same]
    except _RAISED as error:
        raise VerificationFailed(
            f"the log's entry of the kind {kind} cannot be read", why=f"{type(error).__name__}: {error}"
        ) from error
    if objections:
        raise VerificationFailed(f"the log's entry is of another signature: {', '.join(objections)}")


def _hashedrekord(spec: Mapping[str, Any], made: Made) -> dict[str, bool]:
    algorithm = str(spec["data"]["hash"]["algorithm"])
    return {
        "another file": made.hashed[made.material.hash_name].hex() == spec["data"]["hash"]["value"]
        and algorithm == made.material.hash_name,
        "another signature": made.signature == _decoded(spec["signature"]["content"]),
        "another signer": made.by(_decoded(spec["signature"]["publicKey"]["content"])),
    }


def _hashedrekord_2(spec: Mapping[str, Any], made: Made) -> dict[str, bool]:
    (name,) = spec  # the one variant that there is: rekor-v2-spec, section 6.1
    record, name_of_hash = spec["hashedRekordV002"], made.material.hash_name
    signed, verifier = record["signature"], record["signature"]["verifier"]
    if made.certificate is None:
        signer = "x509Certificate" not in verifier and made.material.same_der(
            _decoded(verifier["publicKey"]["rawBytes"])
        )
    else:
        signer = (
            "publicKey" not in verifier and _decoded(verifier["x509Certificate"]["rawBytes"]) == made.certificate[1]
        )
    return {
        "another kind": name == "hashedRekordV002",
        "another file": made.hashed[name_of_hash] == _decoded(record["data"]["digest"])
        and record["data"]["algorithm"] == NAMES[name_of_hash].value,
        "another signature": made.signature == _decoded(signed["content"]),
        "another signer": signer and verifier["keyDetails"] == made.material.details.value,
    }


def _dsse(spec: Mapping[str, Any], made: Made) -> dict[str, bool]:
    (signature,) = spec["signatures"]
    return {
        "another statement": _is_sha256(spec["payloadHash"], made),
        "another signature": made.signature == _decoded(signature["signature"]),
        "another signer": made.by(_decoded(signature["verifier"])),
    }


def _intoto(spec: Mapping[str, Any], made: Made) -> dict[str, bool]:
    """Compare an entry as Rekor kept them before 2023: signatures in base64 twice, and without the payload."""
    content = spec["content"]
    (signature,) = content["envelope"]["signatures"]
    kept = content["envelope"].get("payload")
    return {
        "another statement": _is_sha256(content["payloadHash"], made)
        and (kept is None or _decoded(_decoded(kept)) == made.payload),
        "another type of statement": content["envelope"]["payloadType"] == made.payload_type,
        "another signature": made.signature == _decoded(_decoded(signature["sig"])),
        "another signer": made.by(_decoded(signature["publicKey"])),
    }


_KINDS: dict[tuple[str, bool], Callable[[Mapping[str, Any], Made], dict[str, bool]]] = {
    ("hashedrekord 0.0.1", True): _hashedrekord,
    ("hashedrekord 0.0.2", True): _hashedrekord_2,
    ("hashedrekord 0.0.2", False): _hashedrekord_2,
    ("dsse 0.0.1", False): _dsse,
    ("intoto 0.0.2", False): _intoto,
}


def _is_sha256(named: Mapping[str, Any], made: Made) -> bool:
    return bool(named["algorithm"] == "sha256" and named["value"] == hashlib.sha256(made.payload or b"").hexdigest())


def _decoded(text: str | bytes) -> bytes:
    return base64.b64decode(text, validate=True)
