"""A pack of a released image is verified where there is nothing: no network, no checkout, no home, no run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from shipseal.oci.pack import unpack, write
from tests.commands import Ended, flip
from tests.conftest import OFFLINE
from tests.release import small
from tests.release.projects import Project
from tests.release.registries import olareg

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def project(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project with a registry of its own."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        yield small.project(tmp_path_factory.mktemp("packed"), registry, authority, store.root)


@pytest.fixture(scope="module")
def image(project: Project) -> str:
    return small.publish(project, "1.0.0")


@pytest.fixture(scope="module")
def pack(project: Project, image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a pack of what the registry has; no test changes it."""
    file = tmp_path_factory.mktemp("pack") / "image.pack"
    ended = project.run("pack", image, "-o", file, "--json")
    assert ended.code == 0, ended.output
    event = json.loads(ended.stdout.splitlines()[-1])
    assert (event["image"], event["digest"]) == (image.partition("@")[2], str(Digest.of_file(file)))
    assert [each["built"] for each in event["databases"]] == ["2026-11-20T00:00:00Z"]
    return file


def elsewhere(pack: Path, directory: Path, policy: Path, store: Store) -> Ended:
    """Verify a pack where there is nothing else: no network, no variables, an empty home, another directory."""
    (directory / "home").mkdir()
    for name in (policy.name, "root.json"):
        shutil.copy(policy.parent / name, directory / name)
    words: list[str | Path] = ["verify", pack, "--policy", directory / policy.name, "--store", store.root]
    bare = ("env", "-i", f"HOME={directory / 'home'}", f"PATH={os.environ['PATH']}")
    done = subprocess.run(
        [*OFFLINE, *bare, sys.executable, "-P", "-m", "shipseal", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def policy(project: Project) -> Path:
    return project.root / "policy" / "verification.toml"


def test_it_is_verified_in_an_empty_place_without_a_network(
    project: Project, image: str, pack: Path, store: Store, tmp_path: Path
) -> None:
    ended = elsewhere(pack, tmp_path, policy(project), store)
    assert ended.code == 0, ended.output
    assert f"@{image.partition('@')[2]}\n" in ended.stdout
    assert "accepted by sigstore-python and Cosign" in ended.stdout
    assert not list((tmp_path / "home").iterdir())


def test_the_same_image_gives_the_same_pack_from_its_registry_and_from_a_pack(
    project: Project, image: str, pack: Path, tmp_path: Path
) -> None:
    again, of_pack = tmp_path / "again.pack", tmp_path / "of.pack"
    assert project.run("pack", image, "-o", again).code == 0
    assert again.read_bytes() == pack.read_bytes()
    assert project.run("pack", pack, "-o", of_pack).code == 0
    assert unpack(of_pack, tmp_path / "one").members == unpack(pack, tmp_path / "other").members


def test_what_was_altered_in_it_is_refused(project: Project, pack: Path, tmp_path: Path) -> None:
    flipped = Path(shutil.copy(pack, tmp_path / "flipped.pack"))
    flip(flipped, flipped.stat().st_size // 2)
    cut = Path(shutil.copy(pack, tmp_path / "cut.pack"))
    os.truncate(cut, cut.stat().st_size - 2048)
    for file, code in ((flipped, 6), (cut, 2)):
        ended = project.run("verify", file, "--policy", policy(project))
        assert ended.code == code
        assert "Traceback" not in ended.output
    unpacked = unpack(pack, tmp_path / "taken")
    content = {each.name: (tmp_path / "taken" / each.name).read_bytes() for each in unpacked.members}
    write(tmp_path / "lies.pack", {**unpacked.about, "image": str(Digest.of(b"another"))}, content)
    ended = project.run("verify", tmp_path / "lies.pack", "--policy", policy(project))
    assert (ended.code, "holds another image than it says" in ended.stderr) == (6, True)
    unsigned = {name: data for name, data in content.items() if b"dsseEnvelope" not in data}
    write(tmp_path / "less.pack", unpacked.about, unsigned)
    ended = project.run("verify", tmp_path / "less.pack", "--policy", policy(project))
    assert (ended.code, "is missing" in ended.stderr) == (6, True)


def test_a_trust_root_and_a_policy_that_come_with_it_are_not_asked(
    project: Project, pack: Path, tmp_path: Path, authority: LocalSigstore
) -> None:
    unpacked = unpack(pack, tmp_path / "taken")
    content: dict[str, bytes | Path] = {each.name: tmp_path / "taken" / each.name for each in unpacked.members}
    content["trust/trusted_root.json"] = json.dumps(authority.trusted_root()).encode()
    write(tmp_path / "with.pack", unpacked.about, content)
    own = tmp_path / "verification.toml"
    text = policy(project).read_text()
    own.write_text(text.replace('"file"\ntrust-root-file = "root.json"', '"run"'))
    ended = project.run("verify", tmp_path / "with.pack", "--policy", own)
    assert (ended.code, "needs the trust root of a run" in ended.stderr) == (6, True)
    own.write_text(text.replace('"file"\ntrust-root-file = "root.json"', '"public"'))
    ended = project.run("verify", tmp_path / "with.pack", "--policy", own)
    assert (ended.code, "refused" in ended.stderr) == (6, True)


def test_a_revocation_goes_with_it(project: Project, tmp_path: Path) -> None:
    image, file = small.publish(project, "1.0.1"), tmp_path / "revoked.pack"
    words = ("revoke", image, "--reason", "broken", "--yes")
    assert project.run(*words, SIGSTORE_ID_TOKEN=project.token(small.REVOKER)).code == 0
    assert project.run("pack", image, "-o", file).code == 0
    ended = project.run("verify", file, "--policy", policy(project))
    assert (ended.code, "broken: revoked on" in ended.stderr) == (6, True)


def test_of_a_run_it_has_the_verdict_and_what_that_rests_on(project: Project, image: str, tmp_path: Path) -> None:
    file = tmp_path / "run.pack"
    assert project.run("pack", "run", "-o", file, "--run-dir", tmp_path / "nothing").code == 2
    ended = project.run("pack", "run", "-o", file, "--json")
    assert ended.code == 0, ended.output
    assert json.loads(ended.stdout.splitlines()[-1])["missing"] == ["policy/rules.toml"]
    names = [each.name for each in unpack(file, tmp_path / "taken").members]
    assert {"verdict/verdict.json", "verdict/vex/openvex.json", "policy/verification.toml"} <= set(names)
    assert project.run("verify", file, "--policy", policy(project)).code == 0
    for wrong in (("nothing",), ("run", "--run-dir", "/nowhere")):
        assert project.run("pack", *wrong, "-o", tmp_path / "none.pack").code == 2
    assert project.run("pack", image, "-o", tmp_path / "no" / "such.pack").code == 2
