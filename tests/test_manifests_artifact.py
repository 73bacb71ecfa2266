"""The rendered manifests go to a registry as one file in one layer, the same bytes everywhere, and come back whole."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.manifests_artifact import Artifact, artifact, publish
from shipseal.distribution.referrers import attach, attached
from shipseal.distribution.registry import Registry, altered_there
from shipseal.engine.run import Run
from shipseal.errors import RemoteFailed, UsageError
from shipseal.oci.layout import Layout
from shipseal.tools.toolbox import Toolbox
from tests.conftest import MakeRun

RENDERED = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: a\n"
ANNOTATIONS = {
    "org.opencontainers.image.revision": "main@sha1:0123456789012345678901234567890123456789",
    "org.opencontainers.image.source": "https://github.example/example/simpletimeservice",
}


@pytest.fixture
def made() -> Artifact:
    return artifact(RENDERED, ANNOTATIONS)


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    return make_run()


@pytest.fixture
def tools(run: Run, tmp_path: Path) -> Toolbox:
    return Toolbox(run.store, run.locked, frozenset({"oras", "olareg"}), tmp_path / "log.txt")


@pytest.fixture
async def registry(run: Run, tools: Toolbox, tmp_path: Path) -> AsyncIterator[Registry]:
    (tmp_path / "registry").mkdir()
    async with run.world.registry(tools, tmp_path / "registry", writable=True) as registry:
        yield registry


def manifest(made: Artifact) -> Any:
    return json.loads(made.manifest)


def test_it_has_the_types_that_flux_and_argo_cd_take(made: Artifact) -> None:
    found = manifest(made)
    assert found["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert found["config"]["mediaType"] == "application/vnd.cncf.flux.config.v1+json"
    assert [layer["mediaType"] for layer in found["layers"]] == ["application/vnd.oci.image.layer.v1.tar+gzip"]
    assert found["annotations"] == ANNOTATIONS


def test_its_one_layer_holds_one_file_that_says_nothing_of_this_machine(made: Artifact) -> None:
    with tarfile.open(fileobj=io.BytesIO(made.layer), mode="r:gz") as archive:
        [member] = archive.getmembers()
        content = archive.extractfile(member)
        assert content
        assert content.read() == RENDERED
    assert (member.name, member.mode, member.mtime) == ("manifests.yaml", 0o644, 0)
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")


def test_its_configuration_names_the_layer_as_it_is_uncompressed(made: Artifact) -> None:
    assert json.loads(made.config)["rootfs"]["diff_ids"] == [str(Digest.of(gzip.decompress(made.layer)))]


def test_the_same_manifests_are_the_same_artefact_in_another_process_and_whatever_order_annotations_have(
    made: Artifact,
) -> None:
    annotations = dict(reversed(ANNOTATIONS.items()))
    code = (
        "from shipseal.distribution.manifests_artifact import artifact\n"
        f"print(artifact({RENDERED!r}, {annotations!r}).digest)"
    )
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(made.digest)
    assert str(made.digest) == "sha256:ab9e23c5921b788623e1cb6102f55a61bfa2d199ed2ccfbdf65f2d3c8c77fe83"


def test_other_manifests_or_annotations_are_another_artefact(made: Artifact) -> None:
    others = artifact(RENDERED + b"#", ANNOTATIONS), artifact(RENDERED, {})
    assert len({each.digest for each in (made, *others)}) == 3


def test_manifests_of_many_megabytes_are_still_one_file(made: Artifact) -> None:
    text = b"".join(b"# %d\n" % number for number in range(1_200_000))
    large = artifact(text, {})
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(large.layer))) as archive:
        content = archive.extractfile("manifests.yaml")
        assert content
        assert content.read() == text


async def test_what_is_published_is_pulled_back_by_its_digest_byte_for_byte(
    registry: Registry, made: Artifact, tmp_path: Path
) -> None:
    digest = await publish(registry, made.lay(tmp_path / "layout"), made)
    assert digest == made.digest
    await registry.pull(digest, tmp_path / "back")
    back = Layout(tmp_path / "back")
    assert [back.read(Digest.of(blob)) for blob in (made.manifest, made.config, made.layer)] == [
        made.manifest,
        made.config,
        made.layer,
    ]
    assert len(list((tmp_path / "back" / "blobs" / "sha256").iterdir())) == 3
    assert await registry.tags() == []


async def test_what_refers_to_it_in_the_layout_goes_with_it(registry: Registry, made: Artifact, tmp_path: Path) -> None:
    layout = made.lay(tmp_path / "layout")
    referrer = attach(b"a bundle", "https://example.com/rendered", made.descriptor, datetime(2026, 1, 1, tzinfo=UTC))
    for blob in (referrer.manifest, b"a bundle", b"{}"):
        layout.put(blob)
    layout.list_more([referrer.descriptor])
    await publish(registry, layout, made)
    [found] = await registry.referrers(made.digest)
    assert found["digest"] == str(Digest.of(referrer.manifest))
    [bundle] = attached([found], made.digest, layout.read)
    assert bundle.bundle == b"a bundle"


async def test_to_publish_it_again_changes_nothing(registry: Registry, made: Artifact, tmp_path: Path) -> None:
    layout = made.lay(tmp_path / "layout")
    assert await publish(registry, layout, made) == await publish(registry, layout, made)


async def test_bytes_that_the_registry_has_altered_are_noticed(
    registry: Registry, made: Artifact, tmp_path: Path
) -> None:
    layout = made.lay(tmp_path / "layout")
    await publish(registry, layout, made)
    for blob in (made.config, made.layer):
        [kept] = (tmp_path / "registry").rglob(Digest.of(blob).hex)
        kept.chmod(0o644)
        kept.write_bytes(blob[:-1] + b"x")
        with pytest.raises(RemoteFailed) as caught:
            await publish(registry, layout, made)
        assert altered_there(caught.value)
        kept.write_bytes(blob)


async def test_a_registry_that_was_opened_to_be_read_gets_nothing(
    registry: Registry, made: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="was opened to be read"):
        await publish(replace(registry, writable=False), made.lay(tmp_path / "layout"), made)
    with pytest.raises(RemoteFailed):
        await registry.manifest(made.digest)


async def test_a_layout_that_was_altered_is_not_published(registry: Registry, made: Artifact, tmp_path: Path) -> None:
    layout = made.lay(tmp_path / "layout")
    layout.blob(Digest.of(made.layer)).write_bytes(made.layer[:-1] + b"x")
    with pytest.raises(RemoteFailed):
        await publish(registry, layout, made)
