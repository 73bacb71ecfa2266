"""Make what the parts of a local cluster know each other by: authorities, certificates and kubeconfigs of its own.

The authorities' keys are never written down: when the cluster has started, nobody can be let in any more.
"""

import base64
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=30)
"""For which a certificate serves: longer than anybody keeps a cluster that lies in a temporary directory."""

_SKEW = timedelta(minutes=5)
METRICS_SERVER = ("metrics-server", "kube-system")
"""The Service, and its namespace, by which the API server knows a metrics-server, whose certificate is to say so."""

_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", f"{'.'.join(METRICS_SERVER)}.svc")
_ADDRESSES = ("127.0.0.1", "10.96.0.1")
_BOTH_ENDS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
_CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
_USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files that this user alone can read."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """A certificate authority; `certificate` is the file that says so to those who trust it."""

    def __init__(self, directory: Path, name: str) -> None:
        """Make the authority, and write its certificate into a directory."""
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"{name} of a local cluster")
        certificate = (
            _builder(self._name, self._name, self._key.public_key(), self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = write(directory / f"{name}.crt", certificate.public_bytes(Encoding.PEM))

    def server(self, name: str) -> Pair:
        """Certify a server on loopback, which may be a client as well."""
        names = [x509.DNSName(each) for each in _NAMES]
        addresses = [x509.IPAddress(ip_address(each)) for each in _ADDRESSES]
        return self._issue(name, _name(name), _BOTH_ENDS, x509.SubjectAlternativeName([*names, *addresses]))

    def client(self, name: str, user: str, group: str = "") -> Pair:
        """Certify a user of the API server, and the group that it belongs to."""
        return self._issue(name, _name(user, group), _CLIENT)

    def _issue(self, file: str, subject: x509.Name, *extensions: x509.ExtensionType) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self._name, key.public_key(), self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage("digital_signature"), critical=True)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        pem = builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return Pair(write(self._directory / f"{file}.crt", pem), private_key(self._directory / f"{file}.key", key))


def private_key(path: Path, key: ec.EllipticCurvePrivateKey | None = None) -> Path:
    """Write a P-256 key, a new one unless you have one, as PEM.

    The form is that of RFC 5915: where the API server wants a public key, it takes this for one as well.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    return write(path, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def kubeconfig(path: Path, server: str, authority: Path, pair: Pair) -> Path:
    """Write how one user reaches an API server (kubernetes.io, "kubeconfig (v1)"), with all that it takes inside."""
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    user = {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": path.stem, "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": path.stem}}],
        "current-context": "local",
    }
    return write(path, json.dumps(document, indent=2).encode())  # JSON is YAML, too


def write(path: Path, data: bytes) -> Path:
    """Write a file that was not there and that this user alone can read; return where it is."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuers_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuers_key), critical=False)
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in wanted for name in _USAGES})


def _name(user: str, group: str = "") -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
