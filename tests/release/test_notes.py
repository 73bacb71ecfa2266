"""A release is told with its changes, its digest, and the commands that verify it, which do."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.commands import flip
from tests.release import small
from tests.release.projects import IDENTITY, Project
from tests.release.registries import olareg

pytestmark = pytest.mark.timeout(600)

CHANGES = "### Added\n\n- A greeting.\x1b[31m\n::stop-commands::x"
CHANGELOG = f"# Changelog\n\n## [1.0.0] - 2026-11-29\n\n{CHANGES}\n\n## [0.9.0]\n\n- Old.\n"


@pytest.fixture(scope="module")
def released(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project that was released, with a changelog."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        project = small.project(tmp_path_factory.mktemp("project"), registry, authority, store.root)
        project.commit("service/CHANGELOG.md", CHANGELOG)
        small.publish(project, "1.0.0")
        yield project


@pytest.fixture
def told(released: Project, tmp_path: Path) -> Project:
    """Give a copy of it, to be altered at will."""
    return released.copy(tmp_path / "sample")


def test_the_notes_have_the_changes_of_this_version_and_the_digest(told: Project) -> None:
    ended = told.run("notes")
    assert ended.code == 0, ended.output
    reference = told.read("publish/receipt.json")["reference"]
    assert ended.stdout.startswith("# sample 1.0.0\n\n### Added\n\n- A greeting.")
    assert f"```text\n{reference}\n```" in ended.stdout
    assert "Tags when it was released: `1.0.0`, `1.0`, `1`." in ended.stdout
    assert "Old." not in ended.stdout


def test_nothing_in_a_changelog_commands_a_terminal_or_a_runner(told: Project) -> None:
    ended = told.run("notes")
    assert "\x1b" not in ended.stdout
    assert "\n::" not in ended.stdout


def test_the_commands_that_they_name_verify_it(told: Project, store: Store, locked: dict[str, Digest]) -> None:
    lines = [line.removeprefix("$ ") for line in told.run("notes").stdout.splitlines() if line.startswith("$ ")]
    ours, cosign = map(shlex.split, lines)
    assert ours[:2] == ["shipseal", "verify"]
    assert IDENTITY in cosign
    ended = told.run(*ours[1:-1], told.root / "policy" / "verification.toml")
    assert ended.code == 0, ended.output
    root = str(told.root / "root.json")
    command = [str(store.get(locked["cosign"])), *cosign[1:], "--trusted-root", root]
    alone = subprocess.run(command, env={"HOME": str(told.home)}, capture_output=True, check=False, timeout=60)
    assert alone.returncode == 0, alone.stderr


def test_the_digests_are_those_of_the_image_and_of_each_platform(told: Project, tmp_path: Path) -> None:
    ended = told.run("notes", "--write", tmp_path / "told", "--json")
    assert ended.code == 0, ended.output
    image, event = told.read("image/image.json"), json.loads(ended.stdout)
    name = image["reference"].partition("@")[0]
    digests = [image["digest"], *(each["digest"] for each in image["platforms"].values())]
    expected = "".join(f"{digest.removeprefix('sha256:')}  {name}\n" for digest in digests)
    assert expected == (tmp_path / "told" / "digests.txt").read_text()
    assert (event["event"], event["version"], event["reference"]) == ("notes", "1.0.0", image["reference"])
    assert (tmp_path / "told" / "notes.md").read_text().startswith("# sample 1.0.0")


def test_what_was_altered_since_is_not_told(told: Project) -> None:
    flip(told.run_dir / "verify" / "verification.json", 10)
    ended = told.run("notes")
    assert ended.code == 6, ended.output
    assert "verify/verification.json was altered" in ended.stderr


def test_a_run_that_has_not_released_has_nothing_to_tell(told: Project) -> None:
    shutil.rmtree(told.run_dir / "promote")
    ended = told.run("notes")
    assert ended.code == 2, ended.output
    assert "no release has ended in" in ended.stderr


def test_a_job_of_github_is_told_the_image_as_an_artefact_of_its_own(told: Project, tmp_path: Path) -> None:
    """As its runner reads the file: src/Runner.Worker/CreateArtifactsFileCommand.cs of actions/runner, v2.336."""
    file = tmp_path / "artifacts"
    assert told.run("notes", GITHUB_ACTIONS="true", GITHUB_ARTIFACTS=str(file)).code == 0
    [line] = file.read_text().splitlines()
    assert "=" not in line
    found = re.fullmatch(r"oci://(?P<ref>.+)@(?P<algo>sha(?:256|384|512)):(?P<hex>[0-9a-fA-F]+)", line)
    assert found
    reference = told.read("publish/receipt.json")["reference"]
    assert f"{found['ref']}@{found['algo']}:{found['hex']}" == reference
    assert len(found["hex"]) == 64


def test_nobody_else_is_told_of_an_artefact(told: Project, tmp_path: Path) -> None:
    assert told.run("notes", GITHUB_ACTIONS="", GITHUB_ARTIFACTS=str(tmp_path / "artifacts")).code == 0
    assert not (tmp_path / "artifacts").exists()


def test_the_digests_are_what_the_platforms_own_attestation_takes_as_checksums(told: Project, tmp_path: Path) -> None:
    """As it reads them: src/subject.ts of actions/attest, `subject-checksums`."""
    assert told.run("notes", "--write", tmp_path / "told").code == 0
    subjects = []
    for record in (tmp_path / "told" / "digests.txt").read_text().split("\n"):
        digest, space, rest = record.partition(" ")
        if space:
            assert re.fullmatch("[0-9a-fA-F]{64}", digest)
            subjects.append((rest[1:] if rest[:1] in {"*", " "} else rest, f"sha256:{digest}"))
    image = told.read("image/image.json")
    name = image["reference"].partition("@")[0]
    every = [image["digest"], *(each["digest"] for each in image["platforms"].values())]
    assert subjects == [(name, digest) for digest in every]
