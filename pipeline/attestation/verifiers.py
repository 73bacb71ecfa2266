"""Verify signed statements by sigstore-python, in this process. `cosign` asks the other implementation."""

from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from sigstore._internal.tuf import DEFAULT_TUF_URL
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import AnyOf, Identity

from pipeline.attestation.signing import CERTIFICATE_CLAIMS
from pipeline.attestation.statements import PAYLOAD_TYPE, Signed, Who
from pipeline.errors import VerificationFailed

_FULCIO = "1.3.6.1.4.1.57264.1"


def public_root() -> Path:
    """Return the trust root of the public Sigstore that came with sigstore-python, without asking the network."""
    return Path(str(resources.files("sigstore._store") / quote(DEFAULT_TUF_URL, safe="") / "trusted_root.json"))


def trusted_root(path: Path) -> TrustedRoot:
    """Read a trust root; raise `VerificationFailed` when the file is none."""
    try:
        return TrustedRoot.from_file(str(path))
    except Exception as error:  # the library lets through whatever its parsers raise
        raise VerificationFailed(f"{path} is not a trust root", why=str(error).splitlines()[:3]) from error


def verify_bundle(bundle: bytes, root: TrustedRoot, allowed: Iterable[Who]) -> Signed:
    """Verify one bundle by sigstore-python.

    Args:
        bundle: a Sigstore bundle that holds a DSSE envelope.
        root: whom to trust.
        allowed: who may have signed; at least one.

    Raises:
        VerificationFailed: it is malformed, or anything about it does not match.
    """
    anyone = [Identity(identity=who.identity, issuer=who.issuer) for who in allowed]
    try:
        parsed = Bundle.from_json(bundle)
        kind, payload = Verifier(trusted_root=root).verify_dsse(parsed, AnyOf(list(anyone)))
    except SigstoreError as error:
        raise VerificationFailed("sigstore-python refuses the signature", why=str(error).splitlines()[:3]) from error
    except Exception as error:  # whatever it raises on input that nobody foresaw, it has not verified
        raise VerificationFailed(
            "sigstore-python cannot read the signature", why=f"{type(error).__name__}: {error}".splitlines()[:3]
        ) from error
    if kind != PAYLOAD_TYPE:
        raise VerificationFailed("what was signed is not an in-toto statement", why=f"its type is {kind}")
    certificate = parsed.signing_certificate
    claims = _claims(certificate)
    return Signed(
        payload,
        Who(_subject(certificate), claims.pop("issuer", "")),
        _signed_at(parsed),
        claims,
    )


def _signed_at(bundle: Bundle) -> datetime:
    """Return the time that was verified: the log's own where it gives one (Rekor v1), else the timestamp's."""
    logged = bundle.log_entry._inner.integrated_time  # it has no public name
    if logged:
        return datetime.fromtimestamp(logged, UTC)
    stamps = bundle.verification_material.timestamp_verification_data
    assert stamps is not None  # a bundle with neither has not been verified
    return min(stamp.tst_info.gen_time for stamp in stamps.rfc3161_timestamps)


def _subject(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(next(iter(names)).value)


def _claims(certificate: x509.Certificate) -> dict[str, str]:
    """Return what the certificate says; each value is a DER UTF8String of fewer than 65536 bytes."""
    found: dict[str, str] = {}
    for name, number in {"issuer": 8, **CERTIFICATE_CLAIMS}.items():
        try:
            value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(f"{_FULCIO}.{number}")).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            head = 2 if value.value[1] < 0x80 else 2 + (value.value[1] & 0x7F)
            found[name] = value.value[head:].decode("utf-8", "replace")
    return found
