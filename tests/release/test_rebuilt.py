"""A released image is built again on the word of whom the policy lets say from what, and others can vouch for it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from tests.commands import Ended
from tests.conftest import OFFLINE, commit
from tests.release.conftest import MakeProject
from tests.release.projects import REPOSITORY, Project
from tests.release.registries import MANIFEST, olareg

pytestmark = pytest.mark.timeout(600)

REBUILDER = "https://code.invalid/others/rebuilder"
STRANGER = "https://code.invalid/evil/rebuilder"


@pytest.fixture(scope="module")
def project(
    make_project: MakeProject, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project that was released to a registry of its own, and that lets somebody else countersign."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        project = make_project(registry)
        signer = f'[[policies.production.signers]]\nidentity = "{REBUILDER}"\nissuer = "{ISSUER}"\n'
        project.commit("rules/verification.toml", f'{project.policy.read_text()}{signer}statements = ["rebuild"]\n')
        ended = project.release()
        assert ended.code == 0, ended.output
        yield project


@pytest.fixture(scope="module")
def image(project: Project) -> str:
    return str(project.read("publish/receipt.json")["reference"])


@pytest.fixture(scope="module")
def clone(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bare clone, which goes on after the release."""
    root = tmp_path_factory.mktemp("clone") / "greetings.git"
    subprocess.run(["git", "clone", "-q", "--bare", project.root, root], check=True)
    return root


@pytest.fixture
def elsewhere(project: Project, tmp_path: Path) -> Project:
    """Give a checkout of something later, in which the image could not be built."""
    other = project.copy(tmp_path / "later")
    shutil.rmtree(other.run_dir)
    source = other.root / "app" / "greetings" / "web.py"
    source.write_text(source.read_text() + "\nLATER = 1\n")
    commit(other.root)
    return other


def head(root: Path) -> str:
    done = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def attest(project: Project, image: str, who: str, *words: str | Path) -> Ended:
    return project.run("rebuild", image, "--attest", "--yes", "--json", *words, SIGSTORE_ID_TOKEN=project.token(who))


def test_a_pack_is_rebuilt_from_a_clone_without_a_network(
    project: Project, image: str, clone: Path, elsewhere: Project, tmp_path: Path
) -> None:
    file = tmp_path / "image.pack"
    assert project.run("pack", image, "-o", file).code == 0
    offline = Project(**{**vars(elsewhere), "prefix": OFFLINE})
    ended = offline.run("rebuild", file, "--source", clone, "--json")
    assert ended.code == 0, ended.output
    event = json.loads(ended.stdout.splitlines()[-1])
    assert (event["digest"], event["same"]) == (image.partition("@")[2], True)
    assert (event["revision"], event["notes"], event["attested"]) == (head(clone), [], None)
    here = offline.run("rebuild", file)
    assert (here.code, "this checkout is another tree" in here.stderr) == (6, True)
    nowhere = offline.run("rebuild", file, "--source", elsewhere.home)
    assert (nowhere.code, "does not have what the image was built from" in nowhere.stderr) == (2, True)


def test_provenance_that_the_policy_does_not_accept_is_built_from_by_nobody(
    project: Project, image: str, clone: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "verification.toml"
    shutil.copy(project.policy.parent / "authority.json", tmp_path)
    policy.write_text(project.policy.read_text().replace("\nsource = ", '\nsource = "https://x.invalid/y" #'))
    for what in (image, project.run_dir / "attest" / "layout"):
        ended = project.run("rebuild", what, "--source", clone, "--policy", policy)
        assert (ended.code, "it was built from" in ended.stderr) == (6, True)
        assert "building the wheel" not in ended.stderr
    unjudged = project.run("rebuild", project.run_dir / "attest" / "layout", "--source", clone)
    assert (unjudged.code, "on nobody's word" in unjudged.stderr) == (2, True)


def test_who_has_rebuilt_countersigns_once_and_a_policy_can_ask_for_it(
    project: Project, image: str, clone: Path, elsewhere: Project, tmp_path: Path
) -> None:
    wanted = tmp_path / "verification.toml"
    shutil.copy(project.policy.parent / "authority.json", tmp_path)
    wanted.write_text(project.policy.read_text().replace("[require]\n", '[require]\nrebuild = "image"\n'))
    before = project.run("verify", image, "--policy", wanted)
    assert (before.code, "rebuild for the image: nothing that an allowed signer" in before.stderr) == (6, True)
    stranger = attest(project, image, STRANGER)
    assert (stranger.code, "does not let this signer sign a rebuild" in stranger.stdout) == (6, True)
    asked = project.run("rebuild", image, "--attest")
    assert (asked.code, asked.stderr.count("signs: the signer's identity")) == (2, 1)
    changed = attest(elsewhere, image, REBUILDER)
    assert (changed.code, "rebuilt image is not recorded image" in changed.stdout) == (6, True)
    first = attest(elsewhere, image, REBUILDER, "--source", clone)
    assert first.code == 0, first.output
    event = json.loads(first.stdout.splitlines()[-1])
    assert event["attested"] == {"bundle": event["attested"]["bundle"], "signer": REBUILDER, "already": False}
    for subject in project.read("publish/receipt.json")["subjects"]:
        manifests = (f"{REPOSITORY}/manifests/{each}" for each in project.registry.referrers(REPOSITORY, subject))
        held = [json.loads(project.registry.get(name, MANIFEST))["layers"][0]["digest"] for name in manifests]
        assert held.count(event["attested"]["bundle"]) == 1
    found = project.run("verify", image, "--policy", wanted, "--json")
    assert found.code == 0, found.output
    assert {"kind": "rebuild", "about": "the image", "bundle": event["attested"]["bundle"]} in json.loads(found.stdout)[
        "required"
    ]
    again = attest(elsewhere, image, REBUILDER, "--source", clone)
    assert json.loads(again.stdout.splitlines()[-1])["attested"] == {**event["attested"], "already": True}


def test_what_is_in_no_registry_is_not_attested(project: Project) -> None:
    ended = project.run("rebuild", project.run_dir / "attest" / "layout", "--attest", "--yes")
    assert (ended.code, "only what is in a registry" in ended.stderr) == (2, True)
