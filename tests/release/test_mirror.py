"""A registry as a mirror: inputs are pushed and signed, and fill the store of somebody who has the locks alone."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from shipseal.digest import Digest
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from tests.release.conftest import MakeProject
from tests.release.projects import IDENTITY, Project
from tests.release.registries import Served

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def pushed(make_project: MakeProject, open_registry: Served) -> tuple[Project, str]:
    """Give a project that has pushed its inputs, and the reference of what it pushed."""
    project = make_project(open_registry, database=False)
    ended = project.run("store", "push", f"oci://{open_registry.host}/acme/inputs", "--yes")
    assert ended.code == 0, ended.output
    return project, ended.stdout.rpartition(" oci://")[2].strip()


def files(project: Project) -> dict[str, int]:
    """Return the blobs of the registry, by path and inode."""
    root = project.registry.log.parent / "files"
    return {str(path): path.stat().st_ino for path in root.rglob("blobs/sha256/*")}


def test_a_store_is_filled_from_it_and_nothing_is_built(pushed: tuple[Project, str], tmp_path: Path) -> None:
    project, _ = pushed
    stranger = replace(project, store=tmp_path / "store")
    mirror = f"oci://{project.registry.host}/acme/inputs"
    ended = stranger.run("store", "fetch", PIPELINE_MIRROR=mirror)
    assert ended.code == 0, ended.output
    assert f"from {mirror}" in ended.output
    assert "building" not in ended.output
    filled = {entry.digest for entry in Store(tmp_path / "store").entries()}
    assert filled <= {entry.digest for entry in Store(project.store).entries()}


def test_cosign_accepts_who_signed_it(pushed: tuple[Project, str], store: Store, locked: dict[str, Digest]) -> None:
    project, reference = pushed
    who: list[str | Path] = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
    root: list[str | Path] = ["--trusted-root", project.root / "rules" / "authority.json"]
    cosign = [store.get(locked["cosign"]), "verify", *root, *who, reference]
    done = subprocess.run(cosign, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_pushed_again_nothing_is_sent_again(pushed: tuple[Project, str]) -> None:
    project, reference = pushed
    before = files(project)
    ended = project.run("store", "push", f"oci://{project.registry.host}/acme/inputs", "--yes", "--unsigned")
    assert reference in ended.stdout
    assert len(before) > 50
    assert files(project) == before
