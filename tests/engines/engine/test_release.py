"""A release by the real `dagger` ends well, in a registry that the engine reaches through whoever calls it alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.engine.table import TABLE
from shipseal.local.sigstore import local_sigstore
from shipseal.locked.store import Store
from tests.commands import Ended, read, stages
from tests.engines.command import Dagger
from tests.engines.engine.released import Place, place
from tests.release.projects import REPOSITORY
from tests.release.registries import INDEX, olareg

pytestmark = pytest.mark.timeout(1200)

SECRETS = ("--token=env://TOKEN", "--registry-auth=env://LOGIN")


@dataclass(frozen=True)
class Released:
    """A release that a call of Dagger has made, and the run directory that came back."""

    place: Place
    dagger: Dagger
    ended: Ended
    run: Path


@pytest.fixture(scope="module")
def here(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a place to release to, on this machine."""
    directory = tmp_path_factory.mktemp("olareg")
    with (
        local_sigstore() as authority,
        olareg(store.get(locked["olareg"]), directory) as served,
        place(tmp_path_factory.mktemp("released"), served, authority, store.root) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def released(here: Place, ours: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Release the sample service once."""
    dagger = Dagger(ours.module, (*ours.given, *here.services), here.project.root)
    run = tmp_path_factory.mktemp("run") / "run"
    words = ("release", *SECRETS, "export", f"--path={run}")
    return Released(here, dagger, dagger.call(*words, progress="--progress=plain", env=here.secrets()), run)


def test_a_release_ends_well_and_its_run_directory_and_report_come_back(released: Released) -> None:
    assert released.ended.code == 0, released.ended.output[-5000:]
    assert stages(released.run) == {row.name for row in TABLE} - {"deploy", "report"}  # nobody was to deploy
    digest = read(released.run, "image/image.json")["digest"]
    assert read(released.run, "run.json")["world"] == "release"
    assert read(released.run, "verify/verification.json")["digest"] == digest
    assert digest in (released.run / "report" / "summary.md").read_text()


def test_its_tags_are_in_the_registry_that_the_engine_was_lent(released: Released) -> None:
    tags = released.place.registry.tags(REPOSITORY)
    assert "1.0.0" in tags
    assert {str(Digest.of(released.place.registry.get(f"{REPOSITORY}/manifests/{tag}", INDEX))) for tag in tags} == {
        read(released.run, "image/image.json")["digest"]
    }


def test_neither_the_token_nor_the_login_is_in_what_came_back_or_was_said(released: Released) -> None:
    secrets = [released.place.login.auth, released.place.login.password, *released.place.project.tokens]
    texts = [path.read_bytes() for path in released.run.rglob("*") if path.is_file()]
    for secret in secrets:
        assert secret not in released.ended.output
        assert [text for text in texts if secret.encode() in text] == []


def test_a_consumer_on_this_machine_verifies_what_was_published(released: Released) -> None:
    reference = read(released.run, "publish/receipt.json")["reference"]
    ended = released.place.verify(reference, released.place.project.policy)
    assert ended.code == 0, ended.output
    assert json.loads(ended.stdout)["reference"] == reference


def test_the_same_release_again_signs_nothing_and_moves_no_tag(released: Released, tmp_path: Path) -> None:
    before = released.place.registry.tags(REPOSITORY)
    words = ("release", *SECRETS, "export", f"--path={tmp_path / 'run'}")
    ended = released.dagger.call(*words, env=released.place.secrets())
    assert ended.code == 0, ended.output[-5000:]
    assert "0 statements signed" in read(tmp_path / "run", "attest/record.json")["headline"]
    assert released.place.registry.tags(REPOSITORY) == before


def test_without_the_services_the_registry_is_out_of_reach_and_nothing_is_signed(
    released: Released, ours: Dagger
) -> None:
    """Which is what the tests above rest on: the engine itself has no way to this machine."""
    alone = Dagger(ours.module, ours.given, released.dagger.project)
    seen = len(released.place.at.seen)
    ended = alone.call("release", *SECRETS, env=released.place.secrets())
    assert ended.code == 5, ended.output[-3000:]
    assert len(released.place.at.seen) == seen
