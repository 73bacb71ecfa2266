"""Who finds the evidence of a release, on both kinds of registry, by the real Cosign and the real ORAS."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from shipseal.verification.discovery import Keeps
from tests.release.conftest import Released
from tests.release.projects import IDENTITY

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def found(released: Released) -> dict[str, Any]:
    """Give what the stage has written; what the verb says has to be the same, the summary of the release apart."""
    stage: dict[str, Any] = released.project.read("verify/discovery.json")
    project = released.project
    ended = project.run("verify", stage["reference"], "--policy", project.policy, "--discovery", "--json")
    assert ended.code == 0, ended.output
    verb = json.loads(ended.stdout)["discovery"]
    (summary,) = set(verb["kinds"]) - set(stage["kinds"])
    assert "verification_summary" in summary
    assert [way["way"] for way in stage["ways"]] == [way["way"] for way in verb["ways"]]
    return {**verb, "ways": {way["way"]: way for way in verb["ways"]}}


def without_api(released: Released) -> bool:
    return released.project.registry.login is not None


def test_which_kind_of_registry_it_is_is_said(released: Released, found: dict[str, Any]) -> None:
    expected = Keeps.INDEX if without_api(released) else Keeps.API
    assert {"host": released.project.registry.host, "keeps": expected.value} == found["registry"]


@pytest.mark.parametrize("way", ["cosign verify", "cosign tree", "oras discover"])
def test_each_type_is_found_by_the_real_tools(found: dict[str, Any], way: str) -> None:
    assert found["ways"][way]["measured"] is True
    assert found["ways"][way]["missing"] == [], found["ways"][way]["says"]
    assert len(found["ways"][way]["found"]) == 9


def test_cosign_verifies_an_attestation_of_each_type(
    released: Released, found: dict[str, Any], store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    project, registry = released.project, released.project.registry
    (tmp_path / "config.json").write_text(registry.environment().get("DOCKER_AUTH_CONFIG", "{}"))
    cosign = [
        store.get(locked["cosign"]),
        "verify-attestation",
        "--trusted-root",
        project.root / "rules/authority.json",
    ]
    who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
    for kind in found["kinds"]:
        command = [*cosign, *who, "--type", kind, found["reference"]]
        environment = {"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path), "PATH": ""}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, (kind, done.stderr)


def test_the_tag_in_the_place_of_the_api_is_there_where_there_is_no_api(
    released: Released, found: dict[str, Any]
) -> None:
    way = found["ways"]["the tag sha256-DIGEST"]
    assert len(way["found"]) == (9 if without_api(released) else 0)


def test_where_nothing_is_written_nothing_is_found_and_that_is_said(found: dict[str, Any]) -> None:
    for name in ("the tags .sig and .att", "Kyverno, type Cosign", "gh attestation verify, from GitHub's API"):
        assert found["ways"][name]["found"] == []
        assert found["ways"][name]["says"]


def test_people_are_told_too(released: Released) -> None:
    project = released.project
    reference = project.read("publish/receipt.json")["reference"]
    ended = project.run("verify", reference, "--policy", project.policy, "--discovery")
    assert "found by  cosign tree: everything" in ended.stdout
    assert "found by  Kyverno, type SigstoreBundle (emulated): everything" in ended.stdout
