"""Verify signed statements by sigstore-python, in this process. `cosign` asks the other implementation."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509 import Certificate
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import AnyOf, Identity

from pipeline.attestation.certificate import certified
from pipeline.attestation.statements import PAYLOAD_TYPE, Signed, Who
from pipeline.errors import VerificationFailed


class _Anybody:
    """Takes every signer, for a caller who judges who it was; the signature is verified all the same."""

    def verify(self, cert: Certificate) -> None:
        """Refuse nobody."""


def trusted_root(path: Path) -> TrustedRoot:
    """Read a trust root; raise `VerificationFailed` when the file is none."""
    try:
        return TrustedRoot.from_file(str(path))
    except Exception as error:  # the library lets through whatever its parsers raise
        raise VerificationFailed(f"{path} is not a trust root", why=str(error).splitlines()[:3]) from error


def verify_bundle(bundle: bytes, root: TrustedRoot, allowed: Iterable[Who] | None) -> Signed:
    """Verify one bundle by sigstore-python.

    Args:
        bundle: a Sigstore bundle that holds a DSSE envelope.
        root: whom to trust.
        allowed: who may have signed; at least one. None where the caller judges who it was.

    Raises:
        VerificationFailed: it is malformed, or anything about it does not match.
    """
    who = _Anybody() if allowed is None else AnyOf([Identity(identity=w.identity, issuer=w.issuer) for w in allowed])
    try:
        parsed = Bundle.from_json(bundle)
        kind, payload = Verifier(trusted_root=root).verify_dsse(parsed, who)
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=str(error).splitlines()[:3]) from error
    except Exception as error:  # whatever it raises on input that nobody foresaw, it has not verified
        raise VerificationFailed(
            "sigstore-python cannot read the signature", why=f"{type(error).__name__}: {error}".splitlines()[:3]
        ) from error
    if kind != PAYLOAD_TYPE:
        raise VerificationFailed("what was signed is not an in-toto statement", why=f"its type is {kind}")
    found = certified(parsed.signing_certificate)
    return Signed(payload, found.who, _signed_at(parsed), found.claims)


def _signed_at(bundle: Bundle) -> datetime:
    """Return the time that was verified: the log's own where it gives one (Rekor v1), else the timestamp's."""
    logged = bundle.log_entry._inner.integrated_time  # it has no public name
    if logged:
        return datetime.fromtimestamp(logged, UTC)
    stamps = bundle.verification_material.timestamp_verification_data
    assert stamps is not None  # a bundle with neither has not been verified
    return min(stamp.tst_info.gen_time for stamp in stamps.rfc3161_timestamps)
