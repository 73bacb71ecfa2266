"""A whole release by Sigstore's own services: certificates of Fulcio, entries of Rekor 2, times of RFC 3161."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER, local_sigstore
from shipseal.local.sigstore.keys import LocalKey
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.conftest import commit
from tests.release.projects import BRANCH, REPOSITORY, SOURCE, Project, import_database, make
from tests.release.registries import Served
from tests.release.services import Services, services

GITHUB = "https://github.com/acme/greetings"
WORKFLOW = f"{GITHUB}/.github/workflows/release.yml@{BRANCH}"

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class OnGitHub(Project):
    """The project as a job of GitHub's releases it."""

    def token(self, identity: str = WORKFLOW) -> str:
        """Return the token of the job."""
        head = subprocess.run(["git", "-C", self.root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        claims = {"source_repository_uri": GITHUB, "source_repository_digest": head.stdout.strip()}
        self.tokens.append(self.authority.token(identity, {**claims, "source_repository_ref": BRANCH}))
        return self.tokens[-1]


@dataclass(frozen=True)
class Released:
    """What was released, and how that ended."""

    project: Project
    ended: Ended

    @property
    def bundles(self) -> list[dict[str, Any]]:
        """The bundles that were signed."""
        files = (self.project.run_dir / "attest" / "bundles").iterdir()
        return [json.loads(path.read_bytes()) for path in files]

    def verify(self, root: Mapping[str, Any] | None = None) -> Ended:
        """Verify as a consumer, with the policy's own trust root or with another."""
        with self._trusting(root):
            reference = f"{self.project.registry.host}/{REPOSITORY}:1.0"
            return self.project.run("verify", reference, "--policy", self.project.policy)

    @contextmanager
    def _trusting(self, root: Mapping[str, Any] | None) -> Iterator[None]:
        file = self.project.policy.with_name("authority.json")
        own = file.read_text()
        file.write_text(json.dumps(root) if root else own)
        try:
            yield
        finally:
            file.write_text(own)


@pytest.fixture(scope="module")
def real(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Give the services, for as long as tests of this module run."""
    with services(store, tmp_path_factory.mktemp("services")) as running:
        yield running


@pytest.fixture(scope="module")
def released(real: Services, own_registry: Served, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Give a project that they have signed."""
    made = make(tmp_path_factory.mktemp("project"), own_registry, real, store.root)
    project = OnGitHub(**vars(made))
    for path in (project.policy, project.root / "pipeline.toml"):
        path.write_text(path.read_text().replace(SOURCE, GITHUB).replace(ISSUER, real.issuer.url))
    commit(project.root)
    imported = import_database(project)
    assert imported.code == 0, imported.output
    ended = project.release()
    assert ended.code == 0, ended.output
    return Released(project, ended)


def test_every_statement_has_an_entry_of_rekor_2_and_a_time_of_the_authority(released: Released) -> None:
    assert len(released.bundles) > 5
    for bundle in released.bundles:
        (entry,) = bundle["verificationMaterial"]["tlogEntries"]
        stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
        assert entry["kindVersion"] == {"kind": "hashedrekord", "version": "0.0.2"}
        assert entry.get("integratedTime", "0") == "0"
        assert len(stamps) == 1


def test_both_verifiers_accept_it_as_a_job_of_github(released: Released) -> None:
    ended = released.verify()
    assert ended.code == 0, ended.output
    assert WORKFLOW in ended.stdout
    assert "accepted by sigstore-python and Cosign" in ended.stdout
    assert f"statements by {WORKFLOW}" in released.ended.stderr


SIGNERS: dict[str, tuple[str, int]] = {
    "its workflow on branches": ('workflow = ".github/workflows/release.yml"\nref = ["refs/heads/*"]', 0),
    "its workflow on tags": ('workflow = ".github/workflows/release.yml"\nref = ["refs/tags/*"]', 6),
    "another workflow": ('workflow = ".github/workflows/test.yml"\nref = ["refs/heads/main"]', 6),
    "its workflow on a runner of somebody's own": (
        'workflow = ".github/workflows/release.yml"\nref = ["refs/heads/main"]\nrunner = "self-hosted"',
        6,
    ),
}


@pytest.mark.parametrize("name", SIGNERS)
def test_a_workflow_is_recognised_by_the_claims_that_fulcio_certifies(released: Released, name: str) -> None:
    rule, code = SIGNERS[name]
    policy = released.project.policy
    own = policy.read_text()
    try:
        policy.write_text(own.replace(f'identity = "{WORKFLOW}"', f'repository = "{GITHUB}"\n{rule}'))
        assert policy.read_text() != own
        ended = released.verify()
    finally:
        policy.write_text(own)
    assert code == ended.code, ended.output


def test_provenance_is_held_against_what_fulcio_has_certified(released: Released) -> None:
    paths = (released.project.run_dir / "attest" / "statements").iterdir()
    (provenance,) = [
        each
        for each in (json.loads(path.read_bytes()) for path in paths)
        if "slsa.dev/provenance" in each["predicateType"]
    ]
    run = provenance["predicate"]["runDetails"]
    assert run["builder"]["id"] == WORKFLOW
    assert run["metadata"]["invocationId"] == f"{GITHUB}/actions/runs/3/attempts/1"


def test_cosign_alone_finds_and_accepts_it_in_the_registry(
    released: Released, real: Services, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    project = released.project
    root = project.policy.with_name("authority.json")
    who = ["--certificate-identity", WORKFLOW, "--certificate-oidc-issuer", real.issuer.url]
    image = project.read("publish/receipt.json")["reference"]
    command: list[str | Path] = [store.get(locked["cosign"]), "verify-attestation", *who, "--trusted-root", root]
    ended = subprocess.run(
        [*command, "--type", "https://slsa.dev/provenance/v1", image],
        env={"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path), "PATH": ""},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_second_release_signs_nothing(released: Released, real: Services) -> None:
    before = size(real)
    assert before > 0
    ended = released.project.release()
    assert ended.code == 0, ended.output
    assert before == size(real)


def size(real: Services) -> int:
    """Return how many entries the log has, as its checkpoint says."""
    return int(real.checkpoint().splitlines()[1])


def other_key(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a trust root says of a log, with the key of another."""
    key = LocalKey()
    raw, name = base64.b64encode(key.spki).decode(), base64.b64encode(key.key_id).decode()
    return [{**each, "publicKey": {**each["publicKey"], "rawBytes": raw}, "logId": {"keyId": name}} for each in listed]


def ended_before(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a trust root says of an authority, as one that ended before anything was signed."""
    return [{**each, "validFor": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}} for each in listed]


BENT: dict[str, tuple[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]], str]] = {
    "another log": ("tlogs", other_key, "the log that the entry names is not one that is trusted"),
    "another certificate log": ("ctlogs", other_key, "failed to verify SCT"),
    "an authority of times that has ended": (
        "timestampAuthorities",
        ended_before,
        "not enough sources of verified time",
    ),
    "no authority of times": ("timestampAuthorities", lambda _: [], "no Timestamp Authorities"),
}


@pytest.mark.parametrize("name", BENT)
def test_a_trust_root_with_another_service_refuses_it(released: Released, name: str) -> None:
    part, change, said = BENT[name]
    root = released.project.authority.trusted_root()
    ended = released.verify({**root, part: change(root[part])})
    assert ended.code == 6
    assert said in ended.stderr


def test_a_trust_root_with_another_authority_refuses_it(released: Released) -> None:
    with local_sigstore() as others:
        theirs = others.trusted_root()["certificateAuthorities"]
    ended = released.verify({**released.project.authority.trusted_root(), "certificateAuthorities": theirs})
    assert ended.code == 6
    assert "failed to build timestamp certificate chain" in ended.stderr
