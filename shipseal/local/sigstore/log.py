"""Keep the transparency log of a dry run, as Rekor does (its API version 1): entries, promises, proofs, a checkpoint.

Formats: Rekor, types/dsse and types/hashedrekord; checkpoint: C2SP, tlog-checkpoint and signed-note.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shipseal.local.sigstore.keys import LocalKey
from shipseal.local.sigstore.merkle import inclusion_path, leaf_hash, root_hash

_KEY = b"-----BEGIN PUBLIC KEY-----"  # of somebody who signs with a key, and without a certificate
ORIGIN = "local-sigstore.invalid"


class LocalTransparencyLog:
    """An append-only list in memory, safe to use from several threads."""

    def __init__(self) -> None:
        self.key = LocalKey()
        # A clients' reader takes a log whose origin ends in " - DIGITS" for Rekor v1, any other for v2.
        self._tree_id = secrets.randbits(62)
        self._lock = threading.Lock()
        # Entry zero. Cosign leaves zeros out of its JSON, so a bundle with index 0 would lack fields that others need.
        self._leaves = [leaf_hash(b"the first entry of a local stand-in")]

    def __len__(self) -> int:
        """Count the entries, entry zero included."""
        return len(self._leaves)

    def append(self, request: Mapping[str, Any], now: datetime) -> tuple[str, dict[str, Any]]:
        """Answer `POST /api/v1/log/entries` with the new entry's identifier and the entry.

        Raises:
            ValueError, KeyError: the request is malformed or of a kind that is not kept here.
            InvalidSignature: the signature is not by the certificate in the request.
        """
        kind = str(request["kind"])
        if kind not in _SPECS:
            raise ValueError(f"entries of kind {kind} are not kept by this local log")
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": kind, "spec": _SPECS[kind](request["spec"])})
        with self._lock:
            self._leaves.append(leaf_hash(body))
            leaves = tuple(self._leaves)
        return f"{self._tree_id:016x}{leaves[-1].hex()}", self._entry(body, leaves, now)

    def _entry(self, body: bytes, leaves: tuple[bytes, ...], now: datetime) -> dict[str, Any]:
        index, root = len(leaves) - 1, root_hash(leaves)
        entry: dict[str, Any] = {
            "body": base64.b64encode(body).decode(),
            "integratedTime": int(now.timestamp()),
            "logID": self.key.key_id.hex(),
            "logIndex": index,
        }
        promise = self.key.sign(rfc8785.dumps(entry))
        proof = {
            "checkpoint": self._checkpoint(len(leaves), root),
            "hashes": [sibling.hex() for sibling in inclusion_path(index, leaves)],
            "logIndex": index,
            "rootHash": root.hex(),
            "treeSize": len(leaves),
        }
        verification = {"signedEntryTimestamp": base64.b64encode(promise).decode(), "inclusionProof": proof}
        return {**entry, "verification": verification}

    def _checkpoint(self, size: int, root: bytes) -> str:
        note = f"{ORIGIN} - {self._tree_id}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = base64.b64encode(self.key.key_id[:4] + self.key.sign(note.encode())).decode()
        return f"{note}\n\N{EM DASH} {ORIGIN} {signature}\n"


def _dsse(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Check an envelope (DSSE v1) and return what the log keeps of it: hashes, signatures and the certificate."""
    raw = spec["proposedContent"]["envelope"]
    (verifier,) = spec["proposedContent"]["verifiers"]
    envelope = json.loads(raw)
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    signatures = [signature["sig"] for signature in envelope["signatures"]]
    if not signatures:
        raise ValueError("the envelope is not signed")
    for signature in signatures:
        _check(verifier, signature, signed)
    return {
        "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(raw.encode()).hexdigest()},
        "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
        "signatures": [{"signature": signature, "verifier": verifier} for signature in signatures],
    }


def _hashedrekord(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the log keeps of a signature over a digest, which is all that it is shown."""
    return {
        "data": {"hash": {key: spec["data"]["hash"][key] for key in ("algorithm", "value")}},
        "signature": {
            "content": spec["signature"]["content"],
            "publicKey": {"content": spec["signature"]["publicKey"]["content"]},
        },
    }


_SPECS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"dsse": _dsse, "hashedrekord": _hashedrekord}


def _check(verifier: str, signature: str, data: bytes) -> None:
    pem = base64.b64decode(verifier)
    key = load_pem_public_key(pem) if _KEY in pem else x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("only elliptic curve keys sign here")
    key.verify(base64.b64decode(signature), data, ec.ECDSA(hashes.SHA256()))
