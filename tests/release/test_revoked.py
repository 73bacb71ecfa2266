"""A revoked image is refused by everybody who verifies it, and only by the word of whom the policy lets revoke."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.release import small
from tests.release.projects import IDENTITY, Project
from tests.release.registries import INDEX, MANIFEST, docker_registry, olareg

pytestmark = pytest.mark.timeout(300)

REASON = "the key of the build was in its log"


BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture(scope="module")
def project(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project with a registry of its own, which keeps what refers to an image."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        yield small.project(tmp_path_factory.mktemp("revoked"), registry, authority, store.root)


@pytest.fixture(scope="module")
def images(project: Project) -> Iterator[str]:
    """Give releases, one after another: what is revoked stays so."""
    return (small.publish(project, f"1.0.{number}", *BOTH) for number in range(9))


def verify(project: Project, image: str, *words: str) -> Ended:
    return project.run("verify", image, "--policy", project.root / "policy" / "verification.toml", *words)


def revoke(project: Project, image: str, who: str = small.REVOKER, *words: str) -> Ended:
    return project.run("revoke", image, "--reason", REASON, "--yes", *words, SIGSTORE_ID_TOKEN=project.token(who))


def test_a_revoked_image_is_refused_with_the_reason_by_everybody_and_at_each_of_its_manifests(
    project: Project, images: Iterator[str]
) -> None:
    image = next(images)
    digest = image.partition("@")[2]
    asked = project.run("revoke", image, "--reason", REASON)
    assert (asked.code, asked.stderr.count("nothing was written outside")) == (2, 1)
    assert verify(project, image).code == 0
    event = is_attached(project, revoke(project, digest, small.REVOKER, "--json"), image)
    refused = verify(project, image)
    assert refused.code == 6
    assert f"{digest} was revoked" in refused.stderr
    assert f"{REASON}: revoked on " in refused.stderr
    assert f"by {small.REVOKER}" in refused.stderr
    again = revoke(project, image, small.REVOKER, "--json")
    assert json.loads(again.stdout.splitlines()[-1]) == {**event, "already": True}
    released_again = small.release(project, "1.0.0", *BOTH)
    assert (released_again.returncode, "was revoked" in released_again.stderr) == (6, True)


def is_attached(project: Project, done: Ended, image: str) -> dict[str, Any]:
    """Return what the verb has told, when the registry has the revocation at each manifest, once."""
    assert done.code == 0, done.output
    event: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert (event["image"], event["reason"], event["already"]) == (image, REASON, False)
    assert len(event["subjects"]) == 1 + len(BOTH)
    for subject in event["subjects"]:
        manifests = (
            f"{small.REPOSITORY}/manifests/{each}" for each in project.registry.referrers(small.REPOSITORY, subject)
        )
        held = [json.loads(project.registry.get(name, MANIFEST))["layers"][0]["digest"] for name in manifests]
        assert held.count(event["bundle"]) == 1
    return event


def test_a_registry_that_keeps_no_referrers_has_it_too(authority: LocalSigstore, store: Store, tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    with docker_registry(tmp_path / "registry") as registry:
        project = small.project(tmp_path, registry, authority, store.root)
        image = small.publish(project, "1.0.0", *BOTH)
        is_attached(project, revoke(project, image, small.REVOKER, "--json"), image)
        assert verify(project, image).code == 6


def test_only_who_may_revoke_is_heard_and_no_waiver_excuses_what_is_revoked(
    project: Project, images: Iterator[str]
) -> None:
    image = next(images)
    digest, policy = image.partition("@")[2], project.root / "policy" / "verification.toml"
    for who in (small.STRANGER, small.WRITER):
        ended = revoke(project, image, who)
        assert ended.code == 6
        assert "does not let this signer sign a revocation" in ended.stderr
    before = policy.read_text()
    policy.write_text(before.replace(small.REVOKER, small.STRANGER))
    try:
        assert revoke(project, image, small.STRANGER).code == 0
    finally:
        policy.write_text(before)
    found = verify(project, image)
    assert found.code == 0, found.output
    assert f"a revocation ({REASON}) by {small.STRANGER}, who may not revoke" in found.stdout
    index = json.loads(project.registry.get(f"{small.REPOSITORY}/manifests/{digest}", INDEX))
    assert revoke(project, index["manifests"][1]["digest"], IDENTITY).code == 0
    assert verify(project, image).code == 6
    today = datetime.now(UTC).date()
    reason = "the next release is due tomorrow, and nobody else is here"
    (policy.parent / "waivers.toml").write_text(
        f'[[deploy]]\nimage = "{digest}"\nowner = "ann"\nreason = "{reason}"\n'
        f"since = {today - timedelta(days=1)}\nuntil = {today + timedelta(days=1)}\n"
    )
    deployed = project.run("deploy", "--to", digest, "--write")
    assert (deployed.code, f"{REASON}: revoked on" in deployed.stderr) == (6, True)


def test_what_is_not_there_or_for_no_reason_is_not_revoked(project: Project) -> None:
    nowhere = revoke(project, str(Digest.of(b"nothing")), IDENTITY)
    assert (nowhere.code, "has no sha256:" in nowhere.stderr) == (2, True)
    repository = f"{project.registry.host}/{small.REPOSITORY}"
    for wrong in (f"{project.registry.host}/evil@{Digest.of(b'')}", f"{repository}:1.0.0", "nothing"):
        assert revoke(project, wrong, IDENTITY).code == 2
    assert project.run("revoke", str(Digest.of(b"")), "--reason", " ", "--yes").code == 2
