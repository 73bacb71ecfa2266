"""Both engines say the same of the same source: the digest, the SBOMs, the verdict and every signed statement."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipseal.image.tree import Component
from shipseal.locked.inputs import sandbox
from tests.commands import read
from tests.engines.command import Dagger, run

pytestmark = pytest.mark.timeout(1800)

VERDICT = "predicate/https://supply-chain-pipeline.example/verdict/v1"

DEPENDENCIES = "predicate/buildDefinition/resolvedDependencies"
BUBBLEWRAP = [Component("deb", each.name, each.version, each.architecture).purl for each in sandbox()]

# All that may differ, by statement; a name ends in /* where everything below it may.
MAY_DIFFER = {
    "provenance": {  # who ran it, when, and the records of it
        "predicate/runDetails/byproducts/*",
        "predicate/runDetails/metadata/*",
        # programs of the machine that no lock holds, and what takes the place of one of them where it has none
        *(f"{DEPENDENCIES}/{each}/*" for each in ("python", "git", "docker", "bwrap", *BUBBLEWRAP)),
    },
    "scan-linux-amd64": {"predicate/metadata/scanStartedOn", "predicate/metadata/scanFinishedOn"},
    "vex": {"predicate/@id", "predicate/timestamp"},
    "verdict": {  # of files that hold a time, or where Grype kept its database
        f"{VERDICT}/inputs/scan/grype.json",
        f"{VERDICT}/inputs/vex/evidence.json",
        f"{VERDICT}/judged",
        "predicate/timeCreated",
    },
}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each leaf of a document with its path; what has a name in a list stands under it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flat(inner, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            name = inner.get("name") or inner.get("uri") or index if isinstance(inner, Mapping) else index
            yield from flat(inner, f"{path}/{name}")
    else:
        yield path, value


def allowed(path: str, may_differ: Collection[str]) -> bool:
    return any(path.startswith(each[:-1]) if each.endswith("/*") else path == each for each in may_differ)


def first_difference(host: Any, other: Any, may_differ: Collection[str] = ()) -> str:
    """Return the first difference between two documents in words, empty where there is none."""
    left, right = dict(flat(host)), dict(flat(other))
    for path in sorted(left.keys() | right.keys()):
        if not allowed(path, may_differ) and left.get(path) != right.get(path):
            values = left.get(path, "absent"), right.get(path, "absent")
            return f"{path} is {values[0]!r} by the host engine and {values[1]!r} by Dagger"
    return ""


@pytest.fixture(scope="module")
def on_host(greetings: Dagger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run directory of a dry run of the same commit by the host engine, on the same day: Dagger's is today."""
    run_dir = tmp_path_factory.mktemp("host") / "run"
    command = [sys.executable, "-P", "-m", "shipseal", "dry-run", "--run-dir", str(run_dir)]
    ended = run(command, greetings.project, {"PYTHONPATH": str(greetings.module)})
    assert ended.code == 0, ended.output
    return run_dir


def test_the_image_has_the_same_digest_and_every_layer_too(on_host: Path, dry_run: Path) -> None:
    assert first_difference(read(on_host, "image/image.json"), read(dry_run, "image/image.json")) == ""


@pytest.mark.parametrize("name", ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"])
def test_the_sboms_have_the_same_bytes(on_host: Path, dry_run: Path, name: str) -> None:
    place = f"sbom/linux-amd64/{name}"
    difference = first_difference(read(on_host, place), read(dry_run, place))
    assert (difference, (on_host / place).read_bytes()) == ("", (dry_run / place).read_bytes())


def test_the_verdict_is_the_same_with_the_same_reasons(on_host: Path, dry_run: Path) -> None:
    host, other = (read(run_dir, "assess/verdict.json") for run_dir in (on_host, dry_run))
    may_differ = {"judged", "inputs/scan/grype.json", "inputs/vex/evidence.json"}
    assert first_difference(host, other, may_differ) == ""
    assert host["allowed"] is True


def test_both_engines_make_the_same_statements(on_host: Path, dry_run: Path) -> None:
    names, others = ({path.name for path in (each / "attest/statements").iterdir()} for each in (on_host, dry_run))
    assert names == others
    assert {name.removesuffix(".json") for name in names} >= {*MAY_DIFFER, "test", "smoke"}


def test_each_statement_says_the_same_but_for_the_fields_that_are_named_here(on_host: Path, dry_run: Path) -> None:
    differences = {}
    for path in sorted((on_host / "attest/statements").iterdir()):
        other = json.loads((dry_run / "attest/statements" / path.name).read_bytes())
        difference = first_difference(json.loads(path.read_bytes()), other, MAY_DIFFER.get(path.stem, set()))
        if difference:
            differences[path.stem] = difference
    assert differences == {}


def test_a_difference_is_told_by_its_place_and_both_values() -> None:
    host = {"a": [{"name": "syft", "digest": "1"}], "b": 1}
    other = {"a": [{"name": "syft", "digest": "2"}], "b": 2}
    assert first_difference(host, other) == "a/syft/digest is '1' by the host engine and '2' by Dagger"
    assert first_difference(host, other, {"a/*"}) == "b is 1 by the host engine and 2 by Dagger"
    assert first_difference(host, other, {"a/syft/digest", "b"}) == ""
