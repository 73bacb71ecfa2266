"""A release ends with the image, its evidence and its tags in a real registry, and with nothing anywhere else."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import BUNDLE_TYPE
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from tests.release.conftest import Released
from tests.release.projects import IDENTITY, REPOSITORY
from tests.release.registries import INDEX, MANIFEST
from tests.release.watching import files_with

TAGS = ["1", "1.0", "1.0.0"]
KINDS = 8
SUMMARY = "https://slsa.dev/verification_summary/v1"
WRITE = re.compile(r'"PUT /v2/acme/greetings/(manifests|blobs/uploads)/([^ ?]+)')

pytestmark = pytest.mark.timeout(600)


def kinds(released: Released, referrers: list[str]) -> Counter[str]:
    """Return what kinds of evidence there are, by the annotations of the manifests that the registry has."""
    found: Counter[str] = Counter()
    for digest in referrers:
        manifest: dict[str, Any] = json.loads(
            released.project.registry.get(f"{REPOSITORY}/manifests/{digest}", MANIFEST)
        )
        assert manifest["artifactType"] == BUNDLE_TYPE
        found[manifest["annotations"]["dev.sigstore.bundle.predicateType"]] += 1
    return found


def test_every_byte_of_the_image_and_its_evidence_is_in_the_registry(released: Released) -> None:
    layout = released.project.run_dir / "attest" / "layout"
    registry = released.project.registry
    manifests = {item["digest"] for item in json.loads((layout / "index.json").read_bytes())["manifests"]}
    manifests |= set(released.referrers)
    blobs = {f"sha256:{path.name}" for path in (layout / "blobs" / "sha256").iterdir()}
    assert len(manifests) > 2 * KINDS
    for digest in manifests:
        assert str(Digest.of(registry.get(f"{REPOSITORY}/manifests/{digest}", f"{INDEX}, {MANIFEST}"))) == digest
    for digest in blobs - manifests:
        assert str(Digest.of(registry.get(f"{REPOSITORY}/blobs/{digest}"))) == digest


def test_every_tag_of_the_version_is_the_digest_that_was_verified(released: Released) -> None:
    verified = released.project.read("verify/verification.json")["digest"]
    assert released.tags == TAGS
    for tag in TAGS:
        assert str(Digest.of(released.project.registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX))) == verified
    assert released.project.read("promote/tags.json")["before"] == dict.fromkeys(TAGS, "there was none")


def test_tags_are_the_last_that_is_written(released: Released) -> None:
    if released.project.registry.login is None:
        pytest.skip("olareg keeps no log of who asks for what")
    written = [name for _, name in WRITE.findall(released.log)]
    assert sorted(written[-len(TAGS) :]) == TAGS
    assert not set(TAGS) & set(written[: -len(TAGS)])


def test_each_subject_has_each_piece_of_evidence_once(released: Released) -> None:
    receipt = released.project.read("publish/receipt.json")["referrers"]
    for subject, referrers in released.referrers.items():
        assert len(referrers) == len(set(referrers)) == len(receipt[subject]) + 1
        assert set(receipt[subject]) < set(referrers)
        found = kinds(released, referrers)
        assert found[SUMMARY] == 1
        assert set(found.values()) == {1}


def test_it_says_who_signed_and_never_that_anything_stood_in(released: Released) -> None:
    assert f"statements by {IDENTITY}, accepted by sigstore-python and Cosign" in released.ended.stderr
    assert "test authority" not in released.ended.output
    assert "SAMPLE" not in released.ended.output


def test_a_consumer_with_the_policy_alone_verifies_it_by_its_tag(released: Released) -> None:
    project = released.project
    ended = project.run("verify", f"{project.registry.host}/{REPOSITORY}:1.0", "--policy", project.policy)
    assert ended.code == 0, ended.output
    assert f"verified  {project.read('publish/receipt.json')['reference']}" in ended.stdout


def test_a_consumer_with_cosign_alone_finds_it_in_the_registry(
    released: Released, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    """However the registry keeps what refers to an image: `verify` itself gives Cosign what it has fetched."""
    project, subjects = released.project, released.project.read("publish/receipt.json")["subjects"]
    (tmp_path / "config.json").write_text(project.registry.environment().get("DOCKER_AUTH_CONFIG", "{}"))
    for subject in subjects:
        who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
        root: list[str | Path] = [
            "--trusted-root",
            project.root / "rules" / "authority.json",
            "--type",
            "https://slsa.dev/provenance/v1",
        ]
        command = [store.get(locked["cosign"]), "verify-attestation", *who, *root]
        ended = subprocess.run(
            [*command, f"{project.registry.host}/{REPOSITORY}@{subject}"],
            env={"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path), "PATH": ""},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.splitlines(), "one line for each"


def secrets(released: Released) -> dict[str, str]:
    """Return what nobody may see, in each form that it has."""
    login = released.project.registry.login
    found = {f"token {number}": token.rpartition(".")[2] for number, token in enumerate(released.project.tokens)}
    return {**found, **({"password": login.password, "auth": login.auth} if login else {})}


def test_no_secret_is_in_a_file_a_log_or_what_is_printed(released: Released) -> None:
    project = released.project
    for name, secret in secrets(released).items():
        assert files_with(secret, project.root, project.home, project.registry.log.parent) == [], name
        assert secret not in released.ended.output, name
    assert list((project.home / "tmp").glob("login-*")) == []


def test_no_secret_is_on_a_command_line_and_only_who_needs_one_has_it(released: Released) -> None:
    lines = released.seen.programs
    for tool in ("/oras cp", "/oras tag", "/cosign attest-blob", "/cosign verify --output text"):
        assert any(tool in line for line in lines), f"{tool} was not seen"
    holders: set[str] = set()
    for name, secret in secrets(released).items():
        assert [line for line in lines if secret in line] == [], name
        holding = {line for line in released.seen.holding(secret) if "-m shipseal release" not in line}
        assert [line for line in holding if "/cosign attest-blob" not in line] == [], name
        assert not holding or name.startswith("token")
        holders |= holding
    assert holders, "no program was given the token"
