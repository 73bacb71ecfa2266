"""Verify one bundle for one file or digest, as the clients of Sigstore's public conformance suite do. Pure.

Protocol: sigstore-conformance, docs/cli_protocol.md. Identities are compared exactly; what is signed as a statement
must have the file among its subjects (in-toto attestation, spec/v1/statement.md).
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field
from sigstore.errors import Error as SigstoreError
from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify.policy import Identity
from sigstore_models.common.v1 import HashAlgorithm

from shipseal.errors import VerificationFailed
from shipseal.signing.certificates_verifier import CertificatesVerifier, words_of
from shipseal.signing.key_verifier import verify_kept
from shipseal.signing.material import Material
from shipseal.signing.proto_json import filled_bundle
from shipseal.statements.builders import PAYLOAD_TYPE, SignerIdentity
from shipseal.statements.predicates import Said, read

_MOST_SUBJECTS = 1024  # as sigstore-go bounds them


class _Subject(Said):
    digest: dict[str, object] = Field(default_factory=dict)


class _Statement(Said):
    form: Literal["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"] = Field(alias="_type")
    predicate_type: str
    subject: Annotated[list[_Subject], Field(max_length=_MOST_SUBJECTS)]


def verify_artifact(
    bundle: bytes, root: TrustedRoot, signer: SignerIdentity | Material, hashed: Mapping[str, bytes]
) -> None:
    """Raise `VerificationFailed` unless a signer has signed a file, or a statement about it.

    Args:
        bundle: the Sigstore bundle.
        root: whom to trust.
        signer: an identity that a certificate must name, or a key.
        hashed: digests of the file, by the name of the hash; of sha256 at least.
    """
    if isinstance(signer, Material):
        kept = verify_kept(bundle, root, signer, hashed)
        if kept.payload is not None:
            _require_subject(kept.payload_type, kept.payload, hashed)
        return
    try:
        _by_certificate(Bundle.from_json(filled_bundle(bundle)), root, signer, hashed)
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=words_of(error)) from error
    except VerificationFailed:
        raise
    except Exception as error:  # whatever it raises on input that nobody foresaw, it has not verified
        raise VerificationFailed(
            "sigstore-python cannot read the signature", why=[type(error).__name__, *words_of(error)]
        ) from error


def _by_certificate(bundle: Bundle, root: TrustedRoot, who: SignerIdentity, hashed: Mapping[str, bytes]) -> None:
    verifier, policy = CertificatesVerifier(trusted_root=root), Identity(identity=who.identity, issuer=who.issuer)
    if bundle._dsse_envelope is not None:
        kind, payload = verifier.verify_dsse(bundle, policy)
        _require_subject(kind, payload, hashed)
    else:
        digest = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=hashed["sha256"])
        verifier.verify_artifact(digest, bundle, policy)


def _require_subject(kind: str, payload: bytes, hashed: Mapping[str, bytes]) -> None:
    """Raise `VerificationFailed` unless a payload is a statement about a file."""
    if kind != PAYLOAD_TYPE:
        raise VerificationFailed("what was signed is not an in-toto statement", why=f"its type is {kind}")
    try:
        statement = read(_Statement, json.loads(payload))
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(
            "what was signed is not a statement that can be read", why=f"{type(error).__name__}: {error}"
        ) from error
    if not any(_is(subject.digest, hashed) for subject in statement.subject):
        raise VerificationFailed("the statement is about something else than this file")


def _is(digests: Mapping[str, object], hashed: Mapping[str, bytes]) -> bool:
    """Say whether a subject is the file: every digest that is known of both is the same, and there is one."""
    known = [(digests[name], digest.hex()) for name, digest in hashed.items() if name in digests]
    return bool(known) and all(said == digest for said, digest in known)
