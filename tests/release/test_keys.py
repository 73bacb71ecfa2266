"""A release that a key has signed, and no identity: by a file with a password, and by a key that a service keeps."""

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.conftest import commit
from tests.release.projects import POLICY, REPOSITORY, Project, import_database, make
from tests.release.registries import Served
from tests.release.watching import files_with, seen, tracing

PASSWORD = "a password that nobody else has"
SIGNERS = POLICY[POLICY.index("[[policies.production.signers]]") :]

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class WithKey(Project):
    """The project of somebody who signs with a key, and has no token."""

    def variables(self, **more: str) -> dict[str, str]:
        """Return what a release sees: the password in place of a token."""
        return {**super().variables(), "SIGSTORE_ID_TOKEN": "", "COSIGN_PASSWORD": PASSWORD, **more}

    def verify(self) -> Ended:
        """Verify as a consumer does, who has the policy and the public key beside it."""
        reference = f"{self.registry.host}/{REPOSITORY}:1.0"
        return self.run("verify", reference, "--policy", self.policy, COSIGN_PASSWORD="")

    def sign_with(self, key: str) -> None:
        """Name another key to sign with."""
        path = self.root / "pipeline.toml"
        path.write_text(f"{path.read_text().partition('key = ')[0]}key = {json.dumps(key)}\n")
        commit(self.root)


def new_key(cosign: Path, home: Path) -> None:
    """Make a key with a password, `cosign.key`, and its public part."""
    environment = {"HOME": str(home), "COSIGN_PASSWORD": PASSWORD, "PATH": ""}
    subprocess.run([cosign, "generate-key-pair"], cwd=home, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def cosign(store: Store, locked: dict[str, Digest]) -> Path:
    """Give the real Cosign."""
    return store.get(locked["cosign"])


@pytest.fixture(scope="module")
def project(
    authority: LocalSigstore,
    own_registry: Served,
    store: Store,
    cosign: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> WithKey:
    """Give the project, set up for a key; nothing is released."""
    made = WithKey(**vars(make(tmp_path_factory.mktemp("project"), own_registry, authority, store.root)))
    new_key(cosign, made.home)
    (made.root / "rules" / "cosign.pub").write_bytes((made.home / "cosign.pub").read_bytes())
    rules = '[[policies.production.signers]]\nkey = "cosign.pub"\n'
    made.policy.write_text(made.policy.read_text().replace(SIGNERS, rules))
    text = (made.root / "pipeline.toml").read_text()
    before, _, after = text.partition("[sign]\n")
    sign, _, rest = after.partition("[scan]")
    (made.root / "pipeline.toml").write_text(f"{before}[scan]{rest}\n[sign]\n{sign.strip()}\n")
    made.sign_with(str(made.home / "cosign.key"))
    imported = import_database(made)
    assert imported.code == 0, imported.output
    return made


@dataclass(frozen=True)
class Released:
    """What was released, how that ended, and what was started."""

    project: WithKey
    ended: Ended
    log: Path


@pytest.fixture(scope="module")
def released(project: WithKey) -> Released:
    """Give the project once it is released."""
    log = project.root.with_name("started.log")
    ended = replace(project, prefix=tracing(log)).release()
    assert ended.code == 0, ended.output
    return Released(project, ended, log)


def test_every_statement_is_signed_by_the_key_and_logged(released: Released) -> None:
    files = list((released.project.run_dir / "attest" / "bundles").iterdir())
    assert len(files) > 5
    for path in files:
        material = json.loads(path.read_bytes())["verificationMaterial"]
        assert "publicKey" in material
        assert "certificate" not in material
        assert len(material["tlogEntries"]) == 1


def test_both_verifiers_accept_it_by_the_key_beside_the_policy(released: Released) -> None:
    ended = released.project.verify()
    assert ended.code == 0, ended.output
    assert "accepted by sigstore-python and Cosign" in ended.stdout
    assert "key:sha256:" in ended.stdout
    assert "the certificate does not name them" not in ended.stdout
    assert "where it was built: a key says who has it, and nothing else" in ended.stdout


def test_cosign_finds_it_in_the_registry_by_the_key(released: Released) -> None:
    ways = {way["way"]: way for way in released.project.read("verify/discovery.json")["ways"]}
    assert ways["cosign verify"]["measured"] is True
    assert ways["cosign verify"]["missing"] == [], ways["cosign verify"]["says"]


def test_provenance_names_the_key_as_its_builder(released: Released) -> None:
    paths = (released.project.run_dir / "attest" / "statements").iterdir()
    documents = [json.loads(path.read_bytes()) for path in paths]
    (provenance,) = [each for each in documents if "slsa.dev/provenance" in each["predicateType"]]
    assert provenance["predicate"]["runDetails"]["builder"]["id"].startswith("key:sha256:")


def test_a_second_release_signs_nothing(released: Released) -> None:
    ended = released.project.release()
    assert ended.code == 0, ended.output
    assert "0 statements signed by a key" in ended.stderr


def test_the_password_is_in_no_file_and_on_no_command_line(released: Released) -> None:
    project = released.project
    assert files_with(PASSWORD, project.root, project.home, project.registry.log.parent) == []
    assert PASSWORD not in released.ended.output
    found = seen(released.log)
    assert [line for line in found.programs if PASSWORD in line] == []
    holding = [line for line in found.holding(PASSWORD) if "-m shipseal release" not in line]
    assert holding
    assert [line for line in holding if "/cosign " not in line] == []


def test_another_key_beside_the_policy_refuses_it(released: Released, cosign: Path, tmp_path: Path) -> None:
    new_key(cosign, tmp_path)
    beside = released.project.root / "rules" / "cosign.pub"
    own = beside.read_bytes()
    try:
        beside.write_bytes((tmp_path / "cosign.pub").read_bytes())
        ended = released.project.verify()
    finally:
        beside.write_bytes(own)
    assert ended.code == 6
    assert "no key that may has signed this" in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a valid public key"),
        ("-----BEGIN PUBLIC KEY-----\nAA\n", "is not a valid public key"),
        (None, "cannot be read"),
    ],
)
def test_a_key_that_is_none_lets_nothing_pass(project: WithKey, text: str | None, said: str) -> None:
    beside = project.root / "rules" / "cosign.pub"
    own = beside.read_bytes()
    try:
        beside.unlink()
        if text is not None:
            beside.write_text(text)
        ended = project.verify()
    finally:
        beside.write_bytes(own)
    assert ended.code == 2
    assert said in ended.stderr


def test_a_wrong_password_is_said_before_anything_is_signed(project: WithKey, tmp_path: Path) -> None:
    ended = project.copy(tmp_path / "greetings").release(COSIGN_PASSWORD="another one")
    assert ended.code == 2
    assert "the key that signs cannot be used" in ended.stderr
    assert "another one" not in ended.output


def test_a_key_that_the_policy_does_not_name_signs_nothing(project: WithKey, cosign: Path, tmp_path: Path) -> None:
    new_key(cosign, tmp_path)
    other = project.copy(tmp_path / "greetings")
    other.sign_with(str(tmp_path / "cosign.key"))
    ended = other.release()
    assert ended.code == 6
    assert "does not name who would sign" in ended.stderr
    assert "nothing was signed" in ended.stderr


def test_plan_names_the_key(project: WithKey) -> None:
    ended = project.run("plan")
    assert ended.code == 0, ended.output
    assert "key:sha256:" in ended.stdout
    assert "a key of your own" in ended.stdout


def test_an_identity_may_sign_beside_a_key(released: Released, tmp_path: Path) -> None:
    """What a key has signed is nobody's to a policy that names none; to one that names both, either will do."""
    other = released.project.copy(tmp_path / "greetings")
    by_key = other.policy.read_text()
    rules = by_key[by_key.index("[[policies.production.signers]]") :]
    other.policy.write_text(by_key.replace(rules, SIGNERS))
    path = other.root / "pipeline.toml"
    path.write_text(path.read_text().partition("key = ")[0])
    commit(other.root)
    ended = other.release(SIGSTORE_ID_TOKEN=other.token())
    assert ended.code == 0, ended.output
    assert "the policy names no key" in other.verify().stdout
    other.policy.write_text(f"{by_key}\n{SIGNERS}")
    both = other.verify()
    assert both.code == 0, both.output
    assert "refused" not in both.stdout
