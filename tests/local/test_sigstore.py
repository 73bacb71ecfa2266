"""The local Sigstore signs like the real one, and is trusted by nobody who was not handed its root."""

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

from shipseal.local.sigstore import ISSUER, LocalSigstore, local_sigstore
from shipseal.local.sigstore.merkle import inclusion_path, leaf_hash, root_hash
from shipseal.local.sigstore.tokens import LIFETIME, LocalTokenIssuer, TokenRefused
from shipseal.local.sigstore.transparency import der

SUBJECT = "https://dry-run.invalid/somebody"
NOBODY = Identity(identity="https://dry-run.invalid/nobody", issuer=ISSUER)
SOMEBODY = Identity(identity=SUBJECT, issuer=ISSUER)


@pytest.fixture
def services() -> Iterator[LocalSigstore]:
    with local_sigstore() as running:
        yield running


def trust(services: LocalSigstore) -> ClientTrustConfig:
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": services.trusted_root(),
        "signingConfig": services.signing_config(),
    }
    return ClientTrustConfig.from_json(json.dumps(config))


def sign(services: LocalSigstore, data: bytes, claims: dict[str, str] | None = None) -> Bundle:
    context = SigningContext.from_trust_config(trust(services))
    with context.signer(IdentityToken(services.token(SUBJECT, claims or {}))) as signer:
        return signer.sign_artifact(data)


def post(url: str, value: object, token: str = "") -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as failure:
        with failure:
            return failure.code, json.load(failure)


def test_what_it_signs_verifies_with_its_own_root(services: LocalSigstore) -> None:
    bundle = sign(services, b"data")
    Verifier(trusted_root=trust(services).trusted_root).verify_artifact(b"data", bundle, SOMEBODY)


def test_every_entry_of_a_growing_log_verifies(services: LocalSigstore) -> None:
    verifier = Verifier(trusted_root=trust(services).trusted_root)
    for number in range(9):
        data = str(number).encode()
        verifier.verify_artifact(data, sign(services, data), SOMEBODY)


def test_other_bytes_are_refused(services: LocalSigstore) -> None:
    bundle = sign(services, b"data")
    with pytest.raises(VerificationError):
        Verifier(trusted_root=trust(services).trusted_root).verify_artifact(b"Data", bundle, SOMEBODY)


def test_another_identity_is_refused(services: LocalSigstore) -> None:
    bundle = sign(services, b"data")
    with pytest.raises(VerificationError):
        Verifier(trusted_root=trust(services).trusted_root).verify_artifact(b"data", bundle, NOBODY)


def test_the_public_trust_root_refuses_what_it_signs(services: LocalSigstore) -> None:
    bundle = sign(services, b"data")
    with pytest.raises(VerificationError):
        Verifier.production(offline=True).verify_artifact(b"data", bundle, SOMEBODY)


def test_the_root_of_one_run_refuses_what_another_run_signed(services: LocalSigstore) -> None:
    bundle = sign(services, b"data")
    with local_sigstore() as other, pytest.raises(VerificationError):
        Verifier(trusted_root=trust(other).trusted_root).verify_artifact(b"data", bundle, SOMEBODY)


def test_the_certificate_repeats_what_the_token_says_about_the_build(services: LocalSigstore) -> None:
    certificate = sign(services, b"data", {"source_repository_digest": "4b825dc6"}).signing_certificate
    extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.13"))
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert extension.value.value == b"\x0c\x084b825dc6"


def test_every_name_says_that_it_is_local(services: LocalSigstore) -> None:
    (authority,) = services.trusted_root()["certificateAuthorities"]
    assert ISSUER.endswith(".invalid")
    assert authority["subject"]["organization"].endswith(".invalid")
    assert "local" in authority["subject"]["commonName"]


def test_it_listens_on_loopback_and_is_gone_afterwards() -> None:
    with local_sigstore() as services:
        assert services.url.startswith("http://127.0.0.1:")
        assert post(services.url, {})[0] == 404
    with pytest.raises(urllib.error.URLError):
        post(services.url, {})


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v1/log/entries"])
@pytest.mark.parametrize("body", [{}, [], {"kind": "intoto"}, {"kind": "dsse", "spec": {}}])
def test_a_malformed_request_is_the_clients_fault(services: LocalSigstore, path: str, body: object) -> None:
    status, answer = post(services.url + path, body, services.token(SUBJECT, {}))
    assert status == 400
    assert answer["message"]


def test_a_certificate_needs_a_token() -> None:
    with local_sigstore() as services, local_sigstore() as stranger:
        foreign = stranger.token(SUBJECT, {})
        header, body, signature = services.token(SUBJECT, {}).split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        altered = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "root"}).encode()).decode().rstrip("=")
        for token in ("", "a.b", foreign, f"{header}.{altered}.{signature}", f"{header}.{body}."):
            assert post(f"{services.url}/api/v2/signingCert", {}, token)[0] == 401


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_a_token_that_names_another_way_to_sign_is_refused() -> None:
    """Neither none, nor the public key taken for a secret (RFC 8725, section 2.1)."""
    issuer = LocalTokenIssuer()
    header, body, signature = issuer.issue(SUBJECT, {}, datetime.now(UTC)).split(".")
    public = issuer._key.public
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    none, shared = (f"{encoded(json.dumps({'alg': name}).encode())}.{body}" for name in ("none", "HS256"))
    secret = encoded(hmac.digest(pem, shared.encode(), "sha256"))
    for token in (f"{none}.", f"{none}.{signature}", f"{shared}.{secret}", f"{none}.{body}.{signature}"):
        with pytest.raises(TokenRefused, match="not signed by this local issuer"):
            issuer.check(token)
    assert issuer.check(f"{header}.{body}.{signature}")["sub"] == SUBJECT


@pytest.mark.parametrize("ago", [LIFETIME + timedelta(seconds=1), timedelta(minutes=-1)], ids=["old", "of the future"])
def test_a_token_is_good_for_half_an_hour(ago: timedelta) -> None:
    issuer = LocalTokenIssuer()
    with pytest.raises(TokenRefused, match="not valid at this time"):
        issuer.check(issuer.issue(SUBJECT, {}, datetime.now(UTC) - ago))


def test_a_token_has_the_signature_of_its_key_and_no_other_bytes() -> None:
    """Also not what a lenient reader of base64 drops: one token has one text."""
    issuer = LocalTokenIssuer()
    token = issuer.issue(SUBJECT, {}, datetime.now(UTC))
    for altered in (f"{token}A", f"{token}!", f" {token}", f"{token[:-2]}", token.replace(".", "..", 1), "\udce9", "é"):
        with pytest.raises(TokenRefused):
            issuer.check(altered)


def test_the_log_refuses_an_envelope_that_nobody_signed(services: LocalSigstore) -> None:
    envelope = {"payload": "", "payloadType": "text", "signatures": []}
    content = {"envelope": json.dumps(envelope), "verifiers": [""]}
    request = {"kind": "dsse", "spec": {"proposedContent": content}}
    status, answer = post(f"{services.url}/api/v1/log/entries", request)
    assert status == 400
    assert "not signed" in answer["message"]


def request_for(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a certificate signing request with the key's own signature."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def as_pem(request: bytes) -> str:
    pem = (
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(request) + b"-----END CERTIFICATE REQUEST-----\n"
    )
    return base64.b64encode(pem).decode()


def test_a_certificate_needs_the_private_key_by_request(services: LocalSigstore) -> None:
    url, token = f"{services.url}/api/v2/signingCert", services.token(SUBJECT, {})
    good = request_for(ec.generate_private_key(ec.SECP256R1()))
    bad = good[:-1] + bytes([good[-1] ^ 1])
    assert post(url, {"certificateSigningRequest": as_pem(good)}, token)[0] == 200
    status, answer = post(url, {"certificateSigningRequest": as_pem(bad)}, token)
    assert (status, "not signed by its own key" in answer["message"]) == (400, True)


def test_a_certificate_needs_the_private_key_by_proof(services: LocalSigstore) -> None:
    url, token = f"{services.url}/api/v2/signingCert", services.token(SUBJECT, {})
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    content = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for signer, expected in ((key, 200), (other, 400)):
        proof = base64.b64encode(signer.sign(SUBJECT.encode(), ec.ECDSA(hashes.SHA256()))).decode()
        body = {"publicKeyRequest": {"publicKey": {"content": content.decode()}, "proofOfPossession": proof}}
        assert post(url, body, token)[0] == expected


def test_the_log_refuses_an_envelope_that_another_key_signed(services: LocalSigstore) -> None:
    certificate = sign(services, b"data").signing_certificate.public_bytes(serialization.Encoding.PEM)
    stranger = ec.generate_private_key(ec.SECP256R1()).sign(b"DSSEv1 4 text 0 ", ec.ECDSA(hashes.SHA256()))
    envelope = {
        "payload": "",
        "payloadType": "text",
        "signatures": [{"sig": base64.b64encode(stranger).decode()}],
    }
    content = {"envelope": json.dumps(envelope), "verifiers": [base64.b64encode(certificate).decode()]}
    request = {"kind": "dsse", "spec": {"proposedContent": content}}
    status, answer = post(f"{services.url}/api/v1/log/entries", request)
    assert (status, answer["message"]) == (400, "the signature does not match")


@pytest.mark.parametrize("size", range(1, 18))
def test_a_proof_leads_from_each_leaf_to_the_root(size: int) -> None:
    """Verification as in RFC 9162, section 2.1.3.2, written down independently of how proofs are made."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    for index in range(size):
        position, last, node = index, size - 1, leaves[index]
        for sibling in inclusion_path(index, leaves):
            if position & 1 or position == last:
                node = hashlib.sha256(b"\1" + sibling + node).digest()
                while not position & 1 and position:
                    position, last = position >> 1, last >> 1
            else:
                node = hashlib.sha256(b"\1" + node + sibling).digest()
            position, last = position >> 1, last >> 1
        assert last == 0
        assert node == root_hash(leaves)


@pytest.mark.parametrize(
    ("length", "head"), [(0, b"\4\0"), (127, b"\4\x7f"), (128, b"\4\x81\x80"), (256, b"\4\x82\1\0")]
)
def test_lengths_are_written_in_their_shortest_form(length: int, head: bytes) -> None:
    assert der(4, b"x" * length) == head + b"x" * length
