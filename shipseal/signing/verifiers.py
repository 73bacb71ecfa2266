"""Verify signed statements by sigstore-python, in this process. `cosign` asks the other implementation."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from cryptography.x509 import Certificate
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify.policy import Identity
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootMessage

from shipseal.errors import VerificationFailed
from shipseal.signing.certificate import certified
from shipseal.signing.certificates_verifier import CertificatesVerifier, words_of
from shipseal.signing.identity import Certified
from shipseal.signing.key_verifier import verify_kept
from shipseal.signing.keys import KEPT, Keys, is_kept
from shipseal.signing.material import Material
from shipseal.signing.proto_json import filled_bundle, filled_root
from shipseal.signing.signers import Allowed
from shipseal.signing.timestamps import times
from shipseal.statements.builders import PAYLOAD_TYPE, Signed, SignerIdentity

_TOLD = 3  # reasons, where many may sign
_NEVER = datetime.fromtimestamp(0, UTC)


class _Anybody:
    """Takes every signer, for a caller who judges who it was; the signature is verified all the same."""

    def verify(self, cert: Certificate) -> None:
        """Refuse nobody."""


class Stranger(VerificationFailed):
    """The signature is good, and does not count: whoever made it may not sign, or a key has, and nobody says when.

    `signed` is what was signed all the same.
    """

    signed: Signed


def trusted_root(path: Path) -> TrustedRoot:
    """Read a trust root; raise `VerificationFailed` when the file is none."""
    try:
        return TrustedRoot(TrustedRootMessage.from_json(filled_root(path.read_bytes())))
    except Exception as error:  # the library lets through whatever its parsers raise
        raise VerificationFailed(f"{path} is not a trust root", why=words_of(error)) from error


def verify_bundle(
    bundle: bytes,
    root: TrustedRoot,
    allowed: Iterable[SignerIdentity | Allowed] | None,
    keys: Keys = MappingProxyType({}),
) -> Signed:
    """Verify one bundle by sigstore-python.

    Args:
        bundle: a Sigstore bundle that holds a DSSE envelope.
        root: whom to trust.
        allowed: who may have signed; at least one. None where the caller judges who it was.
        keys: the keys that may have signed in place of an identity.

    Raises:
        Stranger: somebody else has signed it.
        VerificationFailed: it is malformed, or anything else about it does not match.
    """
    if _by_key(bundle):
        signed = _kept(bundle, root, keys)
        if allowed is not None:
            _require_allowed(signed, Certified.of(signed), allowed)
        return signed
    try:
        parsed = Bundle.from_json(filled_bundle(bundle))
        found = certified(parsed.signing_certificate)
        if is_kept(found.who):
            raise VerificationFailed("a certificate claims to be a key")
        # What is judged below is read by us, so the library has to read the same identity.
        same = Identity(identity=found.who.identity, issuer=found.who.issuer)
        kind, payload = CertificatesVerifier(trusted_root=root).verify_dsse(
            parsed, _Anybody() if allowed is None else same
        )
    except VerificationFailed:
        raise
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=words_of(error)) from error
    except Exception as error:  # whatever it raises on input that nobody foresaw, it has not verified
        raise VerificationFailed(
            "sigstore-python cannot read the signature", why=[type(error).__name__, *words_of(error)]
        ) from error
    if kind != PAYLOAD_TYPE:
        raise VerificationFailed("what was signed is not an in-toto statement", why=f"its type is {kind}")
    signed = Signed(payload, found.who, _signed_at(parsed, root), found.claims)
    if allowed is not None:
        _require_allowed(signed, found, allowed)
    return signed


def _by_key(bundle: bytes) -> bool:
    """Say whether a bundle names a key as its signer, and no certificate."""
    try:
        return json.loads(bundle)["verificationMaterial"].get("publicKey") is not None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False  # whoever reads it next says what is wrong


def _kept(bundle: bytes, root: TrustedRoot, keys: Keys) -> Signed:
    """Verify what one of some keys has signed; which of them the bundle's own hint does not decide."""
    failures: list[VerificationFailed] = []
    for identity, pem in keys.items():
        try:
            found = verify_kept(bundle, root, Material.of_pem(pem), {})
        except VerificationFailed as failure:
            failures.append(failure)
            continue
        if found.payload is None or found.payload_type != PAYLOAD_TYPE:
            raise VerificationFailed("what was signed is not an in-toto statement")
        signed = Signed(found.payload, SignerIdentity(identity, KEPT), min(found.times, default=_NEVER), {})
        if not found.times:
            undated = Stranger(
                "nobody says when a key has signed this", why="it has neither a time of a log nor one of an authority"
            )
            undated.signed = signed
            raise undated
        return signed
    raise VerificationFailed(
        "no key that may has signed this",
        why=[": ".join((each.what, *each.why[:1])) for each in failures[:_TOLD]] or "the policy names no key",
    )


def _require_allowed(signed: Signed, found: Certified, allowed: Iterable[SignerIdentity | Allowed]) -> None:
    rules = [each if isinstance(each, Allowed) else Allowed.exactly(each) for each in allowed]
    objections = [objection for each in rules if (objection := each.objection(found))]
    if rules and len(objections) < len(rules):
        return
    said = "; ".join(dict.fromkeys(objections[:_TOLD])) or "nobody may"
    failure = Stranger(
        "the policy refuses the signature", why=f"{found.who.identity}, by {found.who.issuer}, signed it: {said}"
    )
    failure.signed = signed
    raise failure


def _signed_at(bundle: Bundle, root: TrustedRoot) -> datetime:
    """Return the time that was verified: the log's own where it promises one (Rekor v1), else the first timestamp's.

    What the log does not promise, and what no trusted authority has stamped, anybody can have written into the bundle.
    """
    entry = bundle.log_entry._inner  # it has no public name
    if entry.integrated_time and entry.inclusion_promise:
        return datetime.fromtimestamp(entry.integrated_time, UTC)
    return min(times(root, bundle.verification_material.timestamp_verification_data, bundle.signature))
