"""Read who was certified, and hold it against who was promised. Pure.

Source: Fulcio, docs/oid-info.md (the numbers of the extensions).
"""

import base64
import json

from cryptography import x509

from shipseal.errors import VerificationFailed
from shipseal.signing.identity import CERTIFICATE_CLAIMS, Certified
from shipseal.statements.builders import SignerIdentity

_FULCIO = "1.3.6.1.4.1.57264.1"


def certified(certificate: x509.Certificate) -> Certified:
    """Return what a certificate says; each value is a DER UTF8String of fewer than 65536 bytes."""
    found: dict[str, str] = {}
    for name, number in {"issuer": 8, **CERTIFICATE_CLAIMS}.items():
        try:
            value = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(f"{_FULCIO}.{number}")).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            head = 2 if value.value[1] < 0x80 else 2 + (value.value[1] & 0x7F)
            found[name] = value.value[head:].decode("utf-8", "replace")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return Certified(SignerIdentity(str(next(iter(names)).value), found.pop("issuer", "")), found)


def require_promised(bundle: bytes, promise: Certified) -> None:
    """Raise `VerificationFailed` unless a bundle's certificate names whom was promised.

    Whether the bundle is good is not judged here, but by `verify`: this ends a release after its first statement.
    """
    try:
        raw = json.loads(bundle)["verificationMaterial"]["certificate"]["rawBytes"]
        found = certified(x509.load_der_x509_certificate(base64.b64decode(raw)))
    except (ValueError, KeyError, TypeError, IndexError, x509.ExtensionNotFound) as error:
        raise VerificationFailed(
            "what was signed has no certificate that can be read", why=f"{type(error).__name__}: {error}"
        ) from error
    if found.who != promise.who:
        raise VerificationFailed(
            "the authority certified somebody else than was expected",
            why=(
                f"certified  {found.who.identity}, by {found.who.issuer}",
                f"expected   {promise.who.identity}, by {promise.who.issuer}",
            ),
            remedy="sign as who was expected, or correct [sign] identity and issuer in pipeline.toml",
        )
