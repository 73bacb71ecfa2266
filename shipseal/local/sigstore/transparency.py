"""Promise, in a signed certificate timestamp, that a certificate of the dry run is in a log (RFC 6962, section 3)."""

import struct
from datetime import datetime

from cryptography import x509

from shipseal.local.sigstore.keys import LocalKey

SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")  # RFC 6962, section 3.3

_VERSION_1 = 0
_CERTIFICATE_TIMESTAMP = 0
_PRECERT_ENTRY = 1
_NO_EXTENSIONS = 0
_SHA256_ECDSA = b"\x04\x03"
_OCTET_STRING = 4


class LocalCertificateLog:
    """Signs timestamps for certificates. It keeps no list: nobody can ask it later, it does not live that long."""

    def __init__(self) -> None:
        self.key = LocalKey()

    def extension(self, tbs: bytes, issuer_key_hash: bytes, now: datetime) -> x509.UnrecognizedExtension:
        """Return the extension that holds one timestamp.

        Args:
            tbs: the certificate's to-be-signed bytes, without this extension.
            issuer_key_hash: sha256 of the issuer's SubjectPublicKeyInfo.
            now: the time that is promised.
        """
        milliseconds = int(now.timestamp() * 1000)
        head = struct.pack("!BBQH", _VERSION_1, _CERTIFICATE_TIMESTAMP, milliseconds, _PRECERT_ENTRY)
        entry = issuer_key_hash + len(tbs).to_bytes(3, "big") + tbs
        signature = self.key.sign(head + entry + struct.pack("!H", _NO_EXTENSIONS))
        timestamp = (
            bytes([_VERSION_1])
            + self.key.key_id
            + struct.pack("!QH", milliseconds, _NO_EXTENSIONS)
            + _SHA256_ECDSA
            + _sized(signature)
        )
        return x509.UnrecognizedExtension(SCT_LIST, der(_OCTET_STRING, _sized(_sized(timestamp))))


def _sized(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def der(tag: int, content: bytes) -> bytes:
    """Return one DER value of up to 65535 bytes (X.690, section 8.1.3)."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    if len(content) < 0x100:
        return bytes([tag, 0x81, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack("!H", len(content)) + content
