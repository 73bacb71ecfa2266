"""Verify what certificates have signed by sigstore-python, with what it refuses and should not, and what it takes.

It refuses the old `intoto` entries of Rekor, and a timestamp at the very end of its authority's validity. It takes a
log that an entry does not name, and logs and authorities that a trust root has ended before anything was signed.
Nothing is left out: whatever sigstore-python checks is checked by it or, for what these need, here. Pure.
"""

from copy import copy
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, ExtensionNotFound, PrecertificateSignedCertificateTimestamps
from rfc3161_client import TimeStampResponse
from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
from sigstore._internal.trust import CertificateAuthority
from sigstore.errors import CertValidationError, VerificationError
from sigstore.models import Bundle
from sigstore.verify import Verifier
from sigstore.verify.policy import VerificationPolicy

from shipseal.errors import VerificationFailed
from shipseal.signing.log_entries import Made
from shipseal.signing.material import Material
from shipseal.signing.timestamps import stamped
from shipseal.signing.transparency_log import require_entry, require_log, within

_OLD = ("intoto", "0.0.2")
_LONGEST = 300  # characters; it prints whole entries of logs


class CertificatesVerifier(Verifier):
    """sigstore-python's verifier."""

    def _verify_signed_timestamp(
        self, timestamp_response: TimeStampResponse, message: bytes
    ) -> TimestampVerificationResult | None:
        at = stamped(self._trusted_root, timestamp_response, message)
        return None if at is None else TimestampVerificationResult(TimestampSource.TIMESTAMP_AUTHORITY, at)

    def _establish_time(self, bundle: Bundle) -> list[TimestampVerificationResult]:
        entry = bundle.log_entry._inner
        if not (_is_old(bundle) and entry.integrated_time and entry.inclusion_promise):
            return super()._establish_time(bundle)
        # The promise, which binds the time, is verified with the entry, as that of the kinds that the library knows.
        logged = TimestampVerificationResult(
            TimestampSource.TRANSPARENCY_SERVICE, datetime.fromtimestamp(entry.integrated_time, UTC)
        )
        if not bundle.verification_material.timestamp_verification_data:
            return [logged]
        if not self._trusted_root.get_timestamp_authorities():
            raise VerificationError("the bundle has timestamps, and the trust root no timestamp authority")
        return [*self._verify_timestamp_authority(bundle), logged]

    def _verify_common_signing_cert(self, bundle: Bundle, policy: VerificationPolicy) -> None:
        try:
            require_log(bundle.log_entry._inner, self._trusted_root)
            self._require_certificate_log(bundle.signing_certificate)
        except VerificationFailed as failure:
            raise VerificationError(failure.what) from failure
        super()._verify_common_signing_cert(bundle, policy)

    def _require_certificate_log(self, certificate: Certificate) -> None:
        """Raise `VerificationFailed` where the log that has promised to keep a certificate was not trusted then."""
        try:
            promises = certificate.extensions.get_extension_for_class(PrecertificateSignedCertificateTimestamps).value
        except ExtensionNotFound:
            return  # the library refuses it
        for each in promises:
            at = each.timestamp.replace(tzinfo=UTC)
            logs = [log for log in self._trusted_root._inner.ctlogs if log.log_id.key_id == each.log_id]
            if not any(within(log.public_key.valid_for, at) for log in logs):
                raise VerificationFailed("failed to verify SCT: the certificate log was not trusted when it promised")

    def _verify_chain_at_time(
        self, certificate: Certificate, timestamp_result: TimestampVerificationResult
    ) -> list[Certificate]:
        """Build the chain from those authorities alone that the root trusted at the time, and not only by now."""
        authorities = self._trusted_root._inner.certificate_authorities
        then = [CertificateAuthority(each) for each in authorities if within(each.valid_for, timestamp_result.time)]
        chain = [each for authority in then for each in authority.certificates(allow_expired=True)]
        if not chain:
            raise CertValidationError("failed to build timestamp certificate chain: no authority was trusted then")
        narrowed = copy(self)
        narrowed._fulcio_certificate_chain = chain
        return Verifier._verify_chain_at_time(narrowed, certificate, timestamp_result)

    def verify_dsse(self, bundle: Bundle, policy: VerificationPolicy) -> tuple[str, bytes]:
        """Verify an envelope as the library does, with entries of the old kind too; return its type and payload."""
        if not _is_old(bundle):
            return super().verify_dsse(bundle, policy)
        self._verify_common_signing_cert(bundle, policy)
        envelope = bundle._dsse_envelope
        if envelope is None:
            raise VerificationError("the bundle has no envelope")
        certificate = bundle.signing_certificate
        try:
            material = Material.of_certificate(certificate)
            material.verify(envelope.signature, envelope.pae())
            payload, kind = envelope._inner.payload, envelope._inner.payload_type
            encoded = (certificate.public_bytes(Encoding.PEM), certificate.public_bytes(Encoding.DER))
            require_entry(
                bundle.log_entry._inner, Made(material, envelope.signature, {}, payload, kind, certificate=encoded)
            )
        except VerificationFailed as failure:
            raise VerificationError(failure.what) from failure
        return kind, payload


def words_of(error: BaseException) -> list[str]:
    """Return what an exception of the library says, in a few lines of a bearable length."""
    return [each[:_LONGEST] for each in str(error).splitlines()[:3]]


def _is_old(bundle: Bundle) -> bool:
    kind = bundle.log_entry._inner.kind_version
    return (kind.kind, kind.version) == _OLD
