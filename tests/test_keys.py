"""A key stands for a signer: in the policy, in the configuration, and at Cosign, which alone ever has it."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shipseal.digest import Digest
from shipseal.errors import ConfigError, UsageError, VerificationFailed
from shipseal.local.sigstore import local_sigstore, tokens
from shipseal.locked.store import Store
from shipseal.project.config import Config, Sign
from shipseal.signing.key_settings import key_settings
from shipseal.signing.keys import KEPT, who_of
from shipseal.signing.signer import release_signer
from shipseal.signing.verifiers import Stranger, trusted_root, verify_bundle
from shipseal.statements.builders import SignerIdentity
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.both_verifiers import Both
from shipseal.verification.trust import Policy
from tests import bundles
from tests.bundles import Case, Ground
from tests.conftest import PIPELINE_TOML
from tests.release.issuer import serving

HEAD = """
[require]
signature = "image"
[policies.p]
trust-root = "public"
slsa-build-level = 1
"""


def pem(key: bundles.PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


def signed(ground: Ground, at: datetime | None, payload: bytes = b"") -> Case:
    """Return a statement that the test's key has signed, logged with a time or without one."""
    payload = payload or bundles.statement()
    content, signature = bundles.statement_signed(ground.key, payload)
    if at:
        entry = ground.log.entry("dsse", "0.0.1", bundles.dsse(signature, pem(ground.key), payload), at)
    else:
        spec = bundles.hashedrekord_2(signature, ground.key, bundles.pae(payload))
        entry = ground.log.entry("hashedrekord", "0.0.2", spec, None)
    return ground.kept(content, entry)


def verify(case: Case, work: Path, *keys: bytes, allowed: tuple[SignerIdentity, ...] | None = None) -> Any:
    (work / "root.json").write_text(json.dumps(case.root))
    named = {who_of(each, "a key").identity: each for each in keys}
    who = tuple(SignerIdentity(each, KEPT) for each in named) if allowed is None else allowed
    return verify_bundle(json.dumps(case.bundle).encode(), trusted_root(work / "root.json"), who, named)


def test_a_statement_is_signed_by_the_key_at_the_time_of_the_log(ground: Ground, tmp_path: Path) -> None:
    at = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    found = verify(signed(ground, at), tmp_path, pem(ec.generate_private_key(ec.SECP256R1())), pem(ground.key))
    assert (found.who, found.signed_at, found.claims) == (who_of(pem(ground.key), "a key"), at, {})


def test_a_statement_of_no_time_is_neither_old_nor_new_and_refused(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(Stranger, match="nobody says when") as refused:
        verify(signed(ground, None), tmp_path, pem(ground.key))
    assert bundles.statement() == refused.value.signed.statement, "Cosign, which takes it, is told the same"


def test_a_key_that_is_not_named_has_signed_nothing(ground: Ground, tmp_path: Path) -> None:
    case = signed(ground, datetime.now(UTC))
    with pytest.raises(VerificationFailed, match="no key that may has signed this"):
        verify(case, tmp_path, pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(VerificationFailed, match="no key that may has signed this"):
        verify(case, tmp_path)


def test_a_key_may_sign_only_where_the_policy_lets_it(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="the policy refuses the signature"):
        verify(
            signed(ground, datetime.now(UTC)), tmp_path, pem(ground.key), allowed=(SignerIdentity("somebody", "else"),)
        )


def policy(signers: str, **files: bytes) -> Policy:
    return Policy.read(f"{HEAD}{signers}".encode(), "p", lambda name: files[name.partition(".")[0]])


def test_a_policy_names_a_key_by_its_file_and_knows_it_by_its_digest() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = policy('[[policies.p.signers]]\nkey = "cosign.pub"\nstatements = ["signature"]\n', cosign=pem(key))
    identity = f"key:sha256:{hashlib.sha256(der).hexdigest()}"
    assert found.named == {SignerIdentity(identity, "nobody")}
    assert found.keys == {identity: pem(key)}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('key = "a.pub"\nissuer = "https://issuer.example"', "give a key, or else an issuer"),
        ('key = "a.pub"\nidentity = "somebody"', "give a key, or else an issuer"),
        ('key = "../a.pub"', "is not a file beside this one"),
        ('key = "/etc/a.pub"', "is not a file beside this one"),
        ('key = "-a"', "is not a valid public key"),
        ('key = ""', "issuer: it is missing"),
    ],
)
def test_a_policy_that_names_no_key_is_refused(rule: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        policy(f"[[policies.p.signers]]\n{rule}\n", **{"a": b"no key", "-a": b"no key"})
    assert said in str(refused.value.explain())


@pytest.mark.parametrize("key", ["hashivault://release", "awskms:///alias/release", "keys/release.key"])
def test_a_key_is_a_file_or_the_address_of_one(tmp_path: Path, key: str) -> None:
    (tmp_path / "pipeline.toml").write_text(f'{PIPELINE_TOML}\n[sign]\nkey = "{key}"\n')
    assert Config.load(tmp_path / "pipeline.toml").sign.key == (key if "://" in key else str(tmp_path / key))


@pytest.mark.parametrize(
    "sign", ['key = "env://SECRET"', 'key = "https://a.example/b"', 'key = "awskms://a b"', 'key = "a"\nidentity = "b"']
)
def test_a_key_that_cosign_would_take_for_something_else_is_refused(tmp_path: Path, sign: str) -> None:
    (tmp_path / "pipeline.toml").write_text(f"{PIPELINE_TOML}\n[sign]\n{sign}\n")
    with pytest.raises(ConfigError):
        Config.load(tmp_path / "pipeline.toml")


def test_cosign_sees_what_its_key_needs_and_no_more() -> None:
    everything = {"COSIGN_PASSWORD": "p", "VAULT_TOKEN": "v", "AWS_SECRET_ACCESS_KEY": "a", "HOME": "/"}
    assert key_settings("/a/cosign.key", everything) == {"COSIGN_PASSWORD": "p"}
    assert key_settings("/a/cosign.key", {}) == {"COSIGN_PASSWORD": ""}
    assert key_settings("hashivault://release", everything) == {"VAULT_TOKEN": "v"}
    assert key_settings("awskms:///alias/release", everything) == {"AWS_SECRET_ACCESS_KEY": "a"}


class Vault:
    """As much of HashiCorp's Vault as signs: the transit engine with one key."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.asked: list[str] = []

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Answer as `transit` does (developer.hashicorp.com, "Transit secrets engine (API)")."""
        self.asked.append(path)
        if path.startswith("/v1/transit/keys/release"):
            versions = {"1": {"public_key": pem(self.key).decode()}}
            return 200, {}, {"data": {"latest_version": 1, "type": "ecdsa-p256", "keys": versions}}
        if path.startswith("/v1/transit/sign/release"):
            digest = base64.b64decode(json.loads(body)["input"])
            signature = self.key.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
            return 200, {}, {"data": {"signature": f"vault:v1:{base64.b64encode(signature).decode()}"}}
        return 404, {}, {"errors": []}


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """Give a key service on loopback, and the environment that names it."""
    there = Vault()
    with serving(there.answer) as url:
        monkeypatch.setenv("VAULT_ADDR", url)
        monkeypatch.setenv("VAULT_TOKEN", "a token of the vault")
        yield there


@pytest.fixture
def tools(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Toolbox:
    return Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt")


async def test_a_key_that_a_service_keeps_signs_and_both_verifiers_accept_it(
    tools: Toolbox, tmp_path: Path, vault: Vault
) -> None:
    (tmp_path / "statement.json").write_bytes(bundles.statement())
    with local_sigstore() as services:
        config, root = tmp_path / "config.json", tmp_path / "root.json"
        config.write_text(json.dumps(services.signing_config()))
        root.write_text(json.dumps(services.trusted_root()))
        sign = Sign.model_construct(key="hashivault://release", signing_config=config, trusted_root=root)
        async with release_signer(tools, sign) as signer:
            who = signer.promise({}).who
            both = Both.by(tools, root, {who.identity: pem(vault.key)})
            piece = await both.sign(signer, tmp_path / "statement.json", tmp_path / "bundle.json", {})
    assert who_of(pem(vault.key), "the vault's key") == piece.statement.signed.who
    assert any("/sign/release" in path for path in vault.asked)
    assert "a token of the vault" not in (tmp_path / "log.txt").read_text()


async def test_a_service_that_does_not_know_the_key_is_said(tools: Toolbox, vault: Vault) -> None:
    with pytest.raises(UsageError, match="the key that signs cannot be used"):
        async with release_signer(tools, Sign.model_construct(key="hashivault://another")):
            pass
    assert vault.asked


def test_a_certificate_cannot_claim_to_be_a_key(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority that certifies the issuer "nobody" makes nobody a key."""
    monkeypatch.setattr(tokens, "ISSUER", KEPT)
    who = who_of(pem(ground.key), "a key")
    with local_sigstore() as services:
        bundle = bundles.sign_statement(services, who.identity)
    case = Case(json.loads(bundle.to_json()), services.trusted_root())
    with pytest.raises(VerificationFailed, match="claims to be a key"):
        verify(case, tmp_path, pem(ground.key), allowed=(who,))
