"""What was published is listed from the registry alone, with what each image is worth today."""

import json
import shutil
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.release import small
from tests.release.projects import Project
from tests.release.registries import INDEX, MANIFEST, Served, olareg

pytestmark = pytest.mark.timeout(300)

WRITES = ('"PUT ', '"POST ', '"PATCH ', '"DELETE ')


@pytest.fixture(scope="module")
def project(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Give a project with a registry of its own."""
    with olareg(store.get(locked["olareg"]), tmp_path_factory.mktemp("registry")) as registry:
        yield small.project(tmp_path_factory.mktemp("listed"), registry, authority, store.root)


def put(registry: Served, name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Push a manifest as somebody else, and return its descriptor."""
    data, kind = json.dumps(document).encode(), document["mediaType"]
    url = f"http://{registry.host}/v2/{small.REPOSITORY}/manifests/{name or Digest.of(data)}"
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method="PUT")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
        return {"mediaType": kind, "digest": str(Digest.of(data)), "size": len(data)}


def listed(project: Project, *words: str) -> Any:
    ended = project.run("releases", "--json", *words)
    assert ended.code == 0, ended.output
    return json.loads(ended.stdout.splitlines()[-1])


def test_each_image_is_listed_once_with_its_tags_and_its_state_today(project: Project) -> None:
    assert listed(project)["releases"] == []
    first, second, third = (small.publish(project, version) for version in ("1.0.0", "1.1.0", "1.2.0"))
    revoked = project.run("revoke", first, "--reason", "leaks", "--yes", SIGSTORE_ID_TOKEN=project.token(small.REVOKER))
    assert revoked.code == 0, revoked.output
    registry = project.registry
    index = json.loads(registry.get(f"{small.REPOSITORY}/manifests/1.1.0", INDEX))
    platform = json.loads(registry.get(f"{small.REPOSITORY}/manifests/{index['manifests'][0]['digest']}", MANIFEST))
    put(registry, "mixed", {**index, "annotations": {"made": "by somebody else"}})
    alone = {**index["manifests"][0], **put(registry, "", {**platform, "annotations": {"made": "by nobody"}})}
    put(registry, "1.3.0", {**index, "manifests": [alone]})
    shutil.rmtree(project.run_dir)
    said = len(registry.log.read_text())
    found = listed(project)
    assert not [line for line in registry.log.read_text()[said:].splitlines() if any(word in line for word in WRITES)]
    by_tag = {each["tags"][0]: each for each in found["releases"]}
    assert {
        "1.2.0": (third, ["1.2.0", "1", "1.2"], "1.2.0", "verified", []),
        "1.1.0": (second, ["1.1.0", "1.1"], "1.1.0", "verified", []),
    } == {tag: about(project, by_tag[tag]) for tag in ("1.2.0", "1.1.0")}
    assert (first.partition("@")[2], "revoked") == (by_tag["1.0.0"]["digest"], by_tag["1.0.0"]["state"])
    assert by_tag["1.0.0"]["why"][0].startswith("leaks: revoked on ")
    assert {tag: by_tag[tag]["state"] for tag in ("1.3.0", "mixed")} == {"1.3.0": "unsigned", "mixed": "denied"}
    assert by_tag["1.3.0"]["signed"] is None
    assert by_tag["mixed"]["why"]
    times = [each["signed"] or "" for each in found["releases"]]
    assert sorted(times, reverse=True) == times
    few = listed(project, "--last", "2")
    assert (sorted(each["tags"][0] for each in few["releases"]), few["more_images"]) == (["1.2.0", "1.3.0"], 3)
    told = project.run("releases", "--last", "1").stdout
    assert "4 more images have tags" in told
    for wrong in ("0", "201", "x"):
        assert project.run("releases", "--last", wrong).code == 2


def about(project: Project, release: dict[str, Any]) -> tuple[str, list[str], str, str, list[str]]:
    reference = f"{project.registry.host}/{small.REPOSITORY}@{release['digest']}"
    return reference, release["tags"], release["version"], release["state"], release["why"]
