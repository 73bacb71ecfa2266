"""A machine that has nothing, and reaches nothing but a mirror: whole dry runs come out of it, and no lie."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.locked import listing
from shipseal.locked.listing import Item
from tests.commands import Ended, clone, read
from tests.conftest import OFFLINE

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project that has never been run."""
    return clone("greetings", tmp_path_factory.mktemp("project") / "greetings")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """Give a mirror of all that the project locks."""
    directory = tmp_path_factory.mktemp("mirrors") / "honest"
    assert main(["store", "push", str(directory), "--config", str(project / "pipeline.toml")]) == 0
    return directory


@pytest.fixture(scope="module")
def other(honest: Path) -> Item:
    """Give what the liar has other bytes for: a wheel, which nobody can build or fetch without a network."""
    [listed] = {file.read_bytes() for file in honest.glob("*.json")}
    items = listing.read(listed).values()
    return min((item for item in items if item.source.startswith("pkg:pypi/waitress@")), key=lambda item: item.digest)


@pytest.fixture(scope="module")
def liar(honest: Path, other: Item) -> Path:
    """Give a mirror that is like the honest one but for one file."""
    directory = honest.parent / "liar"
    for file in honest.rglob("*"):
        if file.is_file():
            target = directory / file.relative_to(honest)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
    blob = directory / other.digest.algorithm / other.digest.hex
    data = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(data[::-1])
    return directory


def alone(project: Path, home: Path, *words: str | Path) -> Ended:
    """Run a verb with an empty home and no network, words before `--` being mirrors."""
    home.mkdir()
    unset = {"XDG_CACHE_HOME", "PIPELINE_MIRROR", "PIP_FIND_LINKS"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [*OFFLINE, sys.executable, "-P", "-m", "tests.alone", *words],
        cwd=project, env={**environment, "HOME": str(home), "PIP_NO_INDEX": "1"},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_dry_run_comes_from_mirrors_alone_and_the_one_that_lies_is_named_and_passed_over(
    project: Path, honest: Path, liar: Path, other: Item, tmp_path: Path
) -> None:
    """Nothing is built, and each tool says which mirror it came from."""
    ended = alone(project, tmp_path / "home", liar, honest, "--", "dry-run")
    assert ended.code == 0, ended.output
    lie, headline = (line for line in ended.stderr.splitlines() if f"{other.name} is not what the lock names" in line)
    assert headline.split()[2] == "ok"  # it stays to be read where progress does not
    places = [line.rpartition(" from ")[2] for line in ended.stderr.splitlines() if "  fetching " in line]
    assert len(set(places)) == 2
    assert places[0] in lie
    assert "6 of them fetched now, and none of these built" in ended.stderr
    tools = read(project / ".run", "tools/tools.json")
    assert {tool["from"] for tool in tools.values()} == {places[0]}
    signed = read(project / ".run", "attest/statements/provenance.json")["predicate"]["buildDefinition"]
    origins = {
        item["annotations"].get("origin") for item in signed["resolvedDependencies"] if item.get("name") == "syft"
    }
    assert origins == {places[0]}
    assert places[0] in (project / ".run" / "report" / "index.html").read_text()
    assert Digest.of_file(next((tmp_path / "home").rglob(other.name))) == other.digest


def test_with_no_mirror_left_a_lie_is_what_is_wrong(project: Path, liar: Path, other: Item, tmp_path: Path) -> None:
    """The exit code is 6, and nothing of it is in the store."""
    ended = alone(project, tmp_path / "home", liar, "--", "dry-run", "--to", "inputs", "--run-dir", tmp_path / "run")
    assert ended.code == 6, ended.output
    assert "a mirror has other bytes than the lock names: http://127.0.0.1:" in ended.stderr
    assert f": {other.name} is not what the lock names" in ended.stderr
    assert list((tmp_path / "home").rglob(other.name)) == []
