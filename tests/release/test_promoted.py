"""A tag moves to what verifies now, and the tag of a version stays where its release has put it."""

import json
from collections.abc import Iterator

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.release import small
from tests.release.projects import Project
from tests.release.registries import INDEX, olareg

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def project(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project with a registry of its own."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        yield small.project(tmp_path_factory.mktemp("promoted"), registry, authority, store.root)


@pytest.fixture(scope="module")
def images(project: Project) -> dict[str, str]:
    """Give a release of each of some versions."""
    return {version: small.publish(project, version) for version in ("1.4.0", "1.4.1", "2.0.0")}


def promote(project: Project, image: str, tag: str, *words: str) -> Ended:
    return project.run("promote", image, "--to", tag, "--yes", *words)


def at(project: Project, tag: str) -> str:
    """Return the digest behind a tag."""
    return str(Digest.of(project.registry.get(f"{small.REPOSITORY}/manifests/{tag}", INDEX)))


def digest(image: str) -> str:
    return image.partition("@")[2]


def test_a_tag_goes_to_what_verifies_and_is_read_back(project: Project, images: dict[str, str]) -> None:
    asked = project.run("promote", images["1.4.0"], "--to", "stable")
    assert (asked.code, asked.stderr.count("moves the tag")) == (2, 1)
    assert "stable" not in project.registry.tags(small.REPOSITORY)
    done = promote(project, images["1.4.0"], "stable", "--json")
    assert done.code == 0, done.output
    event = {"event": "promoted", "image": images["1.4.0"], "tag": "stable", "before": None, "version": "1.4.0"}
    assert json.loads(done.stdout.splitlines()[-1]) == event
    assert digest(images["1.4.0"]) == at(project, "stable")
    by_tag = f"{images['1.4.1'].partition('@')[0]}:1.4.1"
    moved = promote(project, by_tag, "stable")
    assert moved.code == 0, moved.output
    assert f"from {digest(images['1.4.0'])}" in moved.stdout
    assert digest(images["1.4.1"]) == at(project, "stable")


def test_a_line_may_go_back_within_itself_and_to_no_other_line(project: Project, images: dict[str, str]) -> None:
    assert digest(images["1.4.1"]) == at(project, "1.4")
    assert promote(project, images["1.4.0"], "1.4").code == 0
    assert digest(images["1.4.0"]) == at(project, "1.4")
    for tag in ("1.4", "1", "1.4.7"):
        refused = promote(project, images["2.0.0"], tag)
        assert refused.code == 2
        assert "the image says that it is of version 2.0.0" in refused.stderr


def test_the_tag_of_a_version_is_not_moved_to_other_bytes(project: Project, images: dict[str, str]) -> None:
    refused = promote(project, images["2.0.0"], "1.4.1")
    assert refused.code == 2
    assert "1.4.1 is the tag of one release, for good" in refused.stderr
    assert digest(images["1.4.1"]) == at(project, "1.4.1")
    assert promote(project, images["1.4.1"], "1.4.1").code == 0


@pytest.mark.parametrize("tag", ["a b", f"sha256-{'0' * 64}"])
def test_what_is_no_tag_of_an_image_is_refused(project: Project, images: dict[str, str], tag: str) -> None:
    assert project.run("promote", images["1.4.0"], f"--to={tag}", "--yes").code == 2


def test_what_does_not_verify_now_gets_no_tag(project: Project, images: dict[str, str]) -> None:
    subject = json.loads(project.registry.get(f"{small.REPOSITORY}/manifests/1.4.0", INDEX))["manifests"][0]["digest"]
    for image in (subject, str(Digest.of(b"nothing"))):
        assert promote(project, image, "candidate").code in {5, 6}
    policy = project.root / "policy" / "verification.toml"
    before = policy.read_text()
    policy.write_text(
        before.replace('slsa-build-level = 1\nsource = "', 'slsa-build-level = 1\nsource = "https://x.invalid')
    )
    try:
        refused = promote(project, images["1.4.0"], "candidate")
    finally:
        policy.write_text(before)
    assert (refused.code, "it was built from" in refused.stderr) == (6, True)
    revoked = project.run(
        "revoke", images["1.4.0"], "--reason", "broken", "--yes", SIGSTORE_ID_TOKEN=project.token(small.REVOKER)
    )
    assert revoked.code == 0, revoked.output
    refused = promote(project, images["1.4.0"], "candidate")
    assert (refused.code, "was revoked" in refused.stderr) == (6, True)
    assert "candidate" not in project.registry.tags(small.REPOSITORY)
    assert promote(project, f"{images['1.4.0'].partition('@')[0]}:nothing", "candidate").code == 2
