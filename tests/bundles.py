"""Make Sigstore bundles of every kind, valid ones, to be verified and to be tampered with.

Certificates come from the local authority and signatures from keys of the test. Logs and timestamp authorities are the
test's own: the log keeps whatever it is given, of old kinds and new ones, and openssl gives the times.
"""

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sigstore.dsse import Statement
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import Signer, SigningContext

from shipseal.local.sigstore import ISSUER, LocalSigstore, local_sigstore
from shipseal.local.sigstore.keys import LocalKey
from shipseal.local.sigstore.merkle import inclusion_path, leaf_hash, root_hash
from shipseal.signing.material import Material

SUBJECT = "https://dry-run.invalid/somebody"
FILE = b"what was signed\n"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def statement(data: bytes = FILE, kind: str = "https://in-toto.io/Statement/v1") -> bytes:
    """Return a statement about a file."""
    subject = {"name": "file", "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
    said = {"_type": kind, "subject": [subject], "predicateType": "https://example.test/p", "predicate": {}}
    return json.dumps(said).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pae(payload: bytes) -> bytes:
    """Return what is signed of an envelope (DSSE, protocol.md)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Sign as Sigstore does with a key of this kind."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    known = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
    return key.sign(data, ec.ECDSA(known[key.key_size]))


@dataclass
class Log:
    """A transparency log that takes anything, with a promise like Rekor 1, or a checkpoint alone like Rekor 2."""

    key: LocalKey = field(default_factory=LocalKey)
    leaves: list[bytes] = field(default_factory=lambda: [leaf_hash(b"the first entry")])

    def entry(self, kind: str, version: str, spec: Mapping[str, Any], at: datetime | None) -> dict[str, Any]:
        """Keep an entry, and return it as bundles have it; with a promise where a time is given."""
        body = rfc8785.dumps({"apiVersion": version, "kind": kind, "spec": dict(spec)})
        self.leaves.append(leaf_hash(body))
        index, root = len(self.leaves) - 1, root_hash(tuple(self.leaves))
        origin = "log.test - 1" if at else "log.test"
        note = f"{origin}\n{len(self.leaves)}\n{b64(root)}\n"
        signature = b64(self.key.key_id[:4] + self.key.sign(note.encode()))
        entry: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.key.key_id)},
            "kindVersion": {"kind": kind, "version": version},
            "inclusionProof": {
                "logIndex": str(index),
                "rootHash": b64(root),
                "treeSize": str(len(self.leaves)),
                "hashes": [b64(each) for each in inclusion_path(index, tuple(self.leaves))],
                "checkpoint": {"envelope": f"{note}\n\N{EM DASH} log.test {signature}\n"},
            },
            "canonicalizedBody": b64(body),
        }
        if at:
            seconds, name = int(at.timestamp()), self.key.key_id.hex()
            promised: Any = {"body": b64(body), "integratedTime": seconds, "logID": name, "logIndex": index}
            promise = b64(self.key.sign(rfc8785.dumps(promised)))
            entry |= {"integratedTime": str(seconds), "inclusionPromise": {"signedEntryTimestamp": promise}}
        return entry

    def trusted(self) -> dict[str, Any]:
        """Return what a trust root says of it."""
        key = {"rawBytes": b64(self.key.spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since()}
        name = {"keyId": b64(self.key.key_id)}
        return {"baseUrl": "https://log.test", "hashAlgorithm": "SHA2_256", "publicKey": key, "logId": name}


def since(end: datetime | None = None) -> dict[str, str]:
    return {"start": "2020-01-01T00:00:00Z", **({"end": end.strftime("%Y-%m-%dT%H:%M:%SZ")} if end else {})}


class Stamps:
    """A timestamp authority: openssl with certificates of the test's own."""

    def __init__(self, work: Path) -> None:
        self.work = work
        now = datetime.now(UTC)
        root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "times.test")])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root.test")])
        start, end = now - timedelta(days=1), now + timedelta(days=1)
        one = x509.CertificateBuilder(issuer, issuer, root.public_key(), 1, start, end)
        one = one.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        two = x509.CertificateBuilder(issuer, name, own.public_key(), 2, start, end)
        two = two.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        self.chain = [each.sign(root, hashes.SHA256()) for each in (two, one)]
        (work / "tsa.pem").write_bytes(self.chain[0].public_bytes(Encoding.PEM))
        encoding = (Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (work / "tsa.key").write_bytes(own.private_bytes(*encoding))
        (work / "tsa.cnf").write_text(
            "[tsa]\ndefault_tsa = a\n[a]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\n"
            "digests = sha256\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
        )

    def stamp(self, signature: bytes) -> str:
        """Return a timestamp of now for a signature, in base64."""
        (self.work / "signature").write_bytes(signature)
        self._openssl("-query", "-data", "signature", "-sha256", "-cert", "-out", "query")
        self._openssl("-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
        return b64((self.work / "reply").read_bytes())

    def trusted(self, end: datetime | None = None) -> dict[str, Any]:
        """Return what a trust root says of it."""
        chain = {"certificates": [{"rawBytes": b64(each.public_bytes(Encoding.DER))} for each in self.chain]}
        return {
            "subject": {"organization": "times.test", "commonName": "times.test"},
            "certChain": chain,
            "validFor": since(end),
        }

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", "ts", *arguments], cwd=self.work, check=True, capture_output=True)


@dataclass(frozen=True)
class Case:
    """A bundle, and what it has to be verified with.

    Args:
        bundle: the bundle.
        root: the trust root.
        key: the public key in PEM; None where an identity has signed.
    """

    bundle: Mapping[str, Any]
    root: Mapping[str, Any]
    key: bytes | None = None

    def arguments(self, work: Path, file: str) -> list[str]:
        """Write the files, and return the arguments of `conformance verify-bundle`."""
        (work / "bundle.json").write_text(json.dumps(self.bundle))
        (work / "root.json").write_text(json.dumps(self.root))
        (work / "key.pub").write_bytes(self.key or b"")
        who = ["--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER]
        signer = ["--key", str(work / "key.pub")] if self.key else who
        return ["--bundle", str(work / "bundle.json"), *signer, "--trusted-root", str(work / "root.json"), file]


class Ground:
    """All that bundles are made from, for as long as tests run."""

    def __init__(self, work: Path) -> None:
        self.log, self.stamps = Log(), Stamps(work)
        self.key: PrivateKey = ec.generate_private_key(ec.SECP256R1())
        with local_sigstore() as services:
            self.services = services
            with _signing(services, SUBJECT) as signer:
                self.of_file = signer.sign_artifact(FILE)
                self.of_statement = signer.sign_dsse(Statement(statement()))

    def root(self, *, end: datetime | None = None) -> dict[str, Any]:
        """Return the trust root: the local authority, its log and the test's, and the timestamp authority."""
        root = self.services.trusted_root()
        return {
            **root,
            "tlogs": [*root["tlogs"], self.log.trusted()],
            "timestampAuthorities": [self.stamps.trusted(end)],
        }

    def kept(self, content: dict[str, Any], entry: dict[str, Any] | None, stamps: list[str] | None = None) -> Case:
        """Return a bundle that the test's key has signed."""
        key = self.key.public_key()
        pem = key.public_bytes(Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return Case(bundle({"publicKey": {"hint": "a key"}}, content, entry, stamps), self.root(), pem)


def _signing(services: LocalSigstore, subject: str) -> AbstractContextManager[Signer]:
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": services.trusted_root(),
        "signingConfig": services.signing_config(),
    }
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(json.dumps(config)))
    return context.signer(IdentityToken(services.token(subject, {})))


def sign_statement(services: LocalSigstore, subject: str) -> Bundle:
    """Sign the statement as an identity that the authority certifies."""
    with _signing(services, subject) as signer:
        return signer.sign_dsse(Statement(statement()))


def bundle(
    signer: dict[str, Any], content: dict[str, Any], entry: dict[str, Any] | None, stamps: list[str] | None
) -> dict[str, Any]:
    """Put a bundle of version 0.3 together."""
    material: dict[str, Any] = {**signer, "tlogEntries": [entry] if entry else []}
    if stamps:
        material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": each} for each in stamps]}
    return {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material, **content}


def file_signed(key: PrivateKey, data: bytes = FILE) -> tuple[dict[str, Any], bytes]:
    """Sign a file; return the content of a bundle, and the signature."""
    signature, name = sign(key, data), Material.of(key.public_key()).hash_name
    digest = {"algorithm": f"SHA2_{name[3:]}", "digest": b64(hashlib.new(name, data).digest())}
    return {"messageSignature": {"messageDigest": digest, "signature": b64(signature)}}, signature


def statement_signed(key: PrivateKey, payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Sign a statement; return the content of a bundle, and the signature."""
    signature = sign(key, pae(payload))
    return envelope(payload, signature), signature


def envelope(payload: bytes, signature: bytes) -> dict[str, Any]:
    return {
        "dsseEnvelope": {"payload": b64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": b64(signature)}]}
    }


def hashedrekord(signature: bytes, verifier: bytes, data: bytes = FILE, name: str = "sha256") -> dict[str, Any]:
    """Return what Rekor 1 records of a file's signature."""
    kept = {"algorithm": name, "value": hashlib.new(name, data).hexdigest()}
    return {"data": {"hash": kept}, "signature": {"content": b64(signature), "publicKey": {"content": b64(verifier)}}}


def hashedrekord_2(signature: bytes, key: PrivateKey, data: bytes) -> dict[str, Any]:
    """Return what Rekor 2 records of the signature of a file, or of an envelope's encoding, by a key."""
    material = Material.of(key.public_key())
    digest = b64(hashlib.new(material.hash_name, data).digest())
    verifier = {"publicKey": {"rawBytes": b64(material.der)}, "keyDetails": material.details.value}
    kept = {"algorithm": f"SHA2_{material.hash_name[3:]}", "digest": digest}
    return {"hashedRekordV002": {"data": kept, "signature": {"content": b64(signature), "verifier": verifier}}}


def dsse(signature: bytes, verifier: bytes, payload: bytes) -> dict[str, Any]:
    """Return what Rekor 1 records of an envelope."""
    kept = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
    signed = [{"signature": b64(signature), "verifier": b64(verifier)}]
    return {"envelopeHash": kept, "payloadHash": kept, "signatures": signed}


def intoto(signature: bytes, verifier: bytes, payload: bytes) -> dict[str, Any]:
    """Return what Rekor 1 recorded of an envelope until 2023."""
    kept = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
    signed = {"publicKey": b64(verifier), "sig": b64(b64(signature).encode())}
    return {
        "content": {
            "envelope": {"payloadType": PAYLOAD_TYPE, "signatures": [signed]},
            "hash": kept,
            "payloadHash": kept,
        }
    }


def certificate_of(found: Bundle) -> bytes:
    """Return the signer's certificate in PEM."""
    return found.signing_certificate.public_bytes(Encoding.PEM)


Make = Callable[[Ground], Case]
