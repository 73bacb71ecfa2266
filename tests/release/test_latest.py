"""The tag `latest` is at the highest release, where a project asks for it, and never at anything else."""

from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from tests.release import small
from tests.release.registries import INDEX, Served, olareg

pytestmark = pytest.mark.timeout(600)


def where(registry: Served, tag: str) -> str:
    """Return the digest of what a tag is at."""
    return str(Digest.of(registry.get(f"{small.REPOSITORY}/manifests/{tag}", INDEX)))


def test_latest_moves_with_releases_and_stays_with_the_highest(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    with olareg(store.get(locked["olareg"]), tmp_path / "registry") as registry:
        project = small.project(tmp_path, registry, authority, store.root)
        configuration = (project.root / "pipeline.toml").read_text()
        project.commit("pipeline.toml", configuration.replace("[registry]\n", "[registry]\nlatest = true\n"))
        released = {version: small.publish(project, version) for version in ("1.1.0", "1.2.0rc1", "1.0.9")}
        assert registry.tags(small.REPOSITORY) == ["1", "1.0", "1.0.9", "1.1", "1.1.0", "1.2.0rc1", "latest"]
        assert where(registry, "latest") == where(registry, "1") == released["1.1.0"].partition("@")[2]
        assert project.read("promote/tags.json")["stay"] == {"1": "1.1.0", "latest": "1.1.0"}
