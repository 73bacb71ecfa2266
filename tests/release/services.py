"""Sigstore's own services on loopback: Fulcio, Rekor 2 and the timestamp authority, as real as in public.

What is missing of a whole Sigstore is the tests': an OpenID Connect issuer, and a certificate-transparency log.
"""

import base64
import fcntl
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store
from shipseal.signing.material import Material
from tests.release.certificate_log import CertificateLog, certificate_log
from tests.release.issuer import Issuer, issuer

START = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
VALID = {"start": START}
PATIENCE = 30  # seconds for a service to come up


@dataclass(frozen=True)
class Services:
    """The services, while they run.

    Args:
        fulcio, rekor, times: where they are.
        issuer: who vouches for whoever signs.
        files: where the log is kept.
        root: what verifies what they certify, log and stamp.
    """

    fulcio: str
    rekor: str
    times: str
    issuer: Issuer
    files: Path
    root: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Where certificates come from."""
        return self.fulcio

    def trusted_root(self) -> dict[str, Any]:
        """Return what a verifier has to trust."""
        return dict(self.root)

    def signing_config(self) -> dict[str, Any]:
        """Return where a signer finds the services."""
        about = {"validFor": VALID, "operator": "tests"}
        return {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [{"url": self.fulcio, "majorApiVersion": 1, **about}],
            "oidcUrls": [{"url": self.issuer.url, "majorApiVersion": 1, **about}],
            "rekorTlogUrls": [{"url": self.rekor, "majorApiVersion": 2, **about}],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [{"url": f"{self.times}/api/v1/timestamp", "majorApiVersion": 1, **about}],
            "tsaConfig": {"selector": "ANY"},
        }

    def checkpoint(self) -> str:
        """Return what the log says of itself (C2SP, tlog-tiles)."""
        return (self.files / "checkpoint").read_text()

    def token(self, identity: str, claims: Mapping[str, str]) -> str:
        """Return the token of a job of GitHub's, with the claims that Fulcio asks for."""
        workflow = identity.removeprefix("https://github.com/")
        repository = claims["source_repository_uri"].removeprefix("https://github.com/")
        revision, ref = claims["source_repository_digest"], claims["source_repository_ref"]
        return self.issuer.token(
            sub=f"repo:{repository}:ref:{ref}",
            job_workflow_ref=workflow, workflow_ref=workflow, workflow="release", repository=repository, ref=ref,
            sha=revision, job_workflow_sha=revision, workflow_sha=revision, event_name="push",
            runner_environment="github-hosted", repository_id="1", repository_owner="acme", repository_owner_id="2",
            repository_visibility="public", run_id="3", run_attempt="1",
        )  # fmt: skip


@contextmanager
def services(store: Store, work: Path, kind: str = "github-workflow") -> Iterator[Services]:
    """Run the services; `kind` is what Fulcio makes of the issuer's tokens."""
    locked = Inputs.of_sigstore().locked()
    programs = {name: store.get(digest) for name, digest in locked.items()}
    with ExitStack() as stack:
        there, log = stack.enter_context(issuer()), stack.enter_context(certificate_log())
        fulcio = stack.enter_context(_fulcio(programs["fulcio"], work, there, log, kind))
        rekor, rekor_key = stack.enter_context(_rekor(programs["rekor-tiles"], work))
        times = stack.enter_context(_times(programs["timestamp-authority"], work))
        root = _root(_get(f"{fulcio}/api/v2/trustBundle"), _get(f"{times}/api/v1/timestamp/certchain"))
        root["ctlogs"] = [_log(log.url, Material.of(log.key.public))]
        root["tlogs"] = [_log(rekor, rekor_key)]
        yield Services(fulcio, rekor, times, there, work / "log", root)


@contextmanager
def _fulcio(program: Path, work: Path, there: Issuer, log: CertificateLog, kind: str) -> Iterator[str]:
    (work / "ct.pem").write_bytes(log.pem)
    known = {there.url: {"issuer-url": there.url, "client-id": "sigstore", "type": kind}}
    (work / "fulcio.yaml").write_text(yaml.safe_dump({"oidc-issuers": known}))
    # HTTP and gRPC on one port would be simpler: this version panics on it.
    http, grpc = _free(), _free()
    ports = ("--host", "127.0.0.1", "--port", http, "--grpc-host", "127.0.0.1", "--grpc-port", grpc)
    others = ("--metrics-port", _free(), "--legacy-unix-domain-socket", f"@tests-fulcio-{http}")
    logs = ("--ct-log-url", log.url, "--ct-log-public-key-path", work / "ct.pem")
    password = _authority_files(work)
    files = ("--fileca-cert", work / "ca.pem", "--fileca-key", work / "ca.key", "--fileca-key-passwd", password)
    own = ("--ca", "fileca", *files, "--fileca-watch=false", "--config-path", work / "fulcio.yaml")
    url = f"http://127.0.0.1:{http}"
    with _running("fulcio", (program, "serve", *own, *ports, *others, *logs), work, f"{url}/api/v2/trustBundle"):
        yield url


def _authority_files(work: Path) -> str:
    """Write an authority of a root and an intermediate, as the public one is; return the password of its key."""
    root, own, password = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1()), token_hex()
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("root.test", "intermediate.test")]
    certificates = [
        _certificate(names[0], names[1], own.public_key(), root, length=0),
        _certificate(names[0], names[0], root.public_key(), root, length=1),
    ]
    (work / "ca.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    encrypted = BestAvailableEncryption(password.encode())
    (work / "ca.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted))
    return password


def _certificate(
    issuer: x509.Name, name: x509.Name, key: ec.EllipticCurvePublicKey, by: ec.EllipticCurvePrivateKey, *, length: int
) -> x509.Certificate:
    now = datetime.now(UTC)
    times = (x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(days=1))
    signs = {"key_cert_sign": True, "crl_sign": True}
    others = ("content_commitment", "data_encipherment", "decipher_only", "digital_signature", "encipher_only")
    usage = x509.KeyUsage(**signs, **dict.fromkeys((*others, "key_agreement", "key_encipherment"), False))
    names = x509.SubjectKeyIdentifier.from_public_key
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(names(by.public_key()))
    return (
        x509.CertificateBuilder(issuer, name, key, *times)
        .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(names(key), critical=False)
        .add_extension(authority, critical=False)
        .sign(by, hashes.SHA384())
    )


@contextmanager
def _times(program: Path, work: Path) -> Iterator[str]:
    port = _free()
    own = ("--timestamp-signer", "memory", "--disable-ntp-monitoring")
    command = (program, "serve", "--host", "127.0.0.1", "--port", port, *own)
    with _one_at_a_time(), _running("times", command, work, f"http://127.0.0.1:{port}/ping"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait for other processes of the tests: the timestamp authority shows its metrics at port 2112, wherever it is."""
    with Path(tempfile.gettempdir(), "timestamp-authority.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _rekor(program: Path, work: Path) -> Iterator[tuple[str, Material]]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = work / "rekor.pem"
    private.touch(0o600)
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    url = f"http://127.0.0.1:{_free()}"
    ports = ("--http-port", url.rpartition(":")[2], "--grpc-port", _free(), "--http-metrics-port", _free())
    speed = ("--checkpoint-interval", "200ms", "--batch-max-age", "50ms")
    files = ("--hostname", "127.0.0.1", "--storage-dir", work / "log", "--signer-filepath", private)
    (work / "log").mkdir()
    with _running("rekor", (program, "serve", *ports, *speed, *files), work, f"{url}/healthz"):
        yield url, Material.of(key.public_key())


def _root(fulcio: bytes, times: bytes) -> dict[str, Any]:
    chains = json.loads(fulcio)["chains"]
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "certificateAuthorities": [_authority("\n".join(each["certificates"]).encode()) for each in chains],
        "timestampAuthorities": [_authority(times)],
    }


def _authority(pems: bytes) -> dict[str, Any]:
    chain = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pems)]
    certificates = [{"rawBytes": base64.b64encode(each).decode()} for each in chain]
    name = {"organization": "tests", "commonName": "tests"}
    return {"subject": name, "uri": "", "certChain": {"certificates": certificates}, "validFor": VALID}


def _log(url: str, key: Material) -> dict[str, Any]:
    public = {"rawBytes": base64.b64encode(key.der).decode(), "keyDetails": key.details.value, "validFor": VALID}
    name = base64.b64encode(bytes.fromhex(key.digest.hex)).decode()
    return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": name}}


@contextmanager
def _running(name: str, command: tuple[str | Path, ...], work: Path, url: str) -> Iterator[None]:
    """Run a service until it is no longer needed; wait until it answers."""
    said = work / f"{name}.log"
    environment = {"HOME": str(work), "PATH": os.environ["PATH"]}
    with said.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as server:
        try:
            _wait(url, server, said)
            yield
        finally:
            server.kill()


def _wait(url: str, server: "subprocess.Popen[bytes]", said: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            _get(url)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{url} did not come up: {said.read_text()[-2000:]}")


def _get(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
        return bytes(answer.read())


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
