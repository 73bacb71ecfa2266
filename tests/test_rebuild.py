"""`rebuild` builds an image again from its provenance, offline, and tells the first byte that is another."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from shipseal.canonical import canonical
from shipseal.digest import Digest
from shipseal.oci.layout import Layout
from shipseal.oci.pack import unpack
from tests.commands import Ended, flip, pipeline, read
from tests.conftest import OFFLINE, commit


@pytest.fixture(scope="module")
def released(finished: tuple[Path, Ended], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project whose image is attested; tests that change something work on a copy."""
    root, ended = finished
    assert ended.code == 0, ended.output
    return Path(shutil.copytree(root, tmp_path_factory.mktemp("released") / "greetings", symlinks=True))


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    """Give a copy that a test may change."""
    return Path(shutil.copytree(released, tmp_path / "greetings", symlinks=True))


def rebuild(root: Path, *words: str | Path, prefix: tuple[str, ...] = ()) -> Ended:
    return pipeline("rebuild", root / ".run/attest/layout", *words, cwd=root, prefix=prefix)


def test_it_builds_the_same_bytes_again_without_a_network(released: Path) -> None:
    ended = rebuild(released, prefix=OFFLINE)
    assert ended.code == 0, ended.output
    image = read(released / ".run", "image/image.json")["digest"]
    assert ended.stdout == f"the same  {image}, every byte of 6 blobs\n"


def test_another_source_gives_another_image_and_the_first_difference_is_told(project: Path) -> None:
    source = project / "app/greetings/web.py"
    source.write_text(source.read_text() + "\nADDED = 1\n")
    commit(project)
    ended = rebuild(project)
    assert ended.code == 6
    assert "layer 2" in ended.stderr
    assert "path usr/local/lib/python3.11/dist-packages/greetings/web.pyc" in ended.stderr
    assert "content at offset 8: " in ended.stderr, "the hash of the source in its byte code"
    assert "this checkout is another tree" in ended.stderr


def test_a_change_that_no_byte_of_the_image_depends_on_is_noted_and_no_failure(project: Path) -> None:
    (project / "NOTES.md").write_text("nothing of the image\n")
    commit(project)
    ended = rebuild(project)
    assert ended.code == 0, ended.output
    assert "note      this checkout is another tree" in ended.stdout


def test_another_configuration_is_refused_by_its_key_before_anything_is_built(project: Path) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text().replace("port = 9000", "port = 9999"))
    ended = rebuild(project)
    assert ended.code == 6
    assert "service.port: 9000 then, 9999 here" in ended.stderr
    assert "building the wheel" not in ended.stderr


def test_a_store_that_lacks_a_recorded_material_is_told_by_name(released: Path, tmp_path: Path) -> None:
    ended = rebuild(released, "--store", tmp_path)
    assert ended.code == 4
    assert "the store lacks what the image was built from" in ended.stderr
    assert "libc6" in ended.stderr


def test_a_layout_without_provenance_says_where_to_find_one_that_has_it(released: Path) -> None:
    ended = pipeline("rebuild", released / ".run/image/layout", cwd=released)
    assert ended.code == 6
    assert "holds no provenance" in ended.stderr
    assert "attest/layout" in ended.stderr


def test_a_layer_that_was_altered_is_refused(project: Path) -> None:
    layers = read(project / ".run", "image/image.json")["platforms"]["linux/amd64"]["layers"]
    flip(project / ".run/attest/layout/blobs/sha256" / layers[-1]["digest"].removeprefix("sha256:"))
    ended = rebuild(project)
    assert ended.code == 6
    assert "altered" in ended.stderr or "a layer for linux/amd64" in ended.stderr


def test_two_layouts_are_compared_without_building(project: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(project / ".run/image/layout", tmp_path / "other"))
    same = pipeline("rebuild", project / ".run/image/layout", "--against", other, "--json", cwd=project)
    assert json.loads(same.stdout)["same"] is True
    relayer(other)
    ended = pipeline("rebuild", project / ".run/image/layout", "--against", other, cwd=project)
    assert ended.code == 6
    assert "compressed differently at offset" in ended.stderr


def relayer(layout: Path) -> None:
    """Compress one platform's last layer by another compressor, and correct every digest above it."""
    found = Layout(layout)
    index = json.loads(found.blob(Digest.parse(found.listed()[0]["digest"])).read_bytes())
    manifest = json.loads(found.blob(Digest.parse(index["manifests"][0]["digest"])).read_bytes())
    last = manifest["layers"][-1]
    data = gzip.compress(gzip.decompress(found.blob(Digest.parse(last["digest"])).read_bytes()), 1, mtime=0)
    last |= {"digest": str(found.put(data)), "size": len(data)}
    text = canonical(manifest)
    index["manifests"][0] |= {"digest": str(found.put(text)), "size": len(text)}
    text = canonical(index)
    entry = {**found.listed()[0], "digest": str(found.put(text)), "size": len(text)}
    (layout / "index.json").write_bytes(canonical({"schemaVersion": 2, "manifests": [entry]}))


def test_a_pack_of_the_run_has_the_whole_verdict_and_is_rebuilt_from_a_clone_on_the_word_of_its_signer(
    released: Path, project: Path, tmp_path: Path
) -> None:
    file, run = tmp_path / "run.pack", released / ".run"
    packed = pipeline("pack", "run", "-o", file, "--json", cwd=released, prefix=OFFLINE)
    assert packed.code == 0, packed.output
    assert json.loads(packed.stdout.splitlines()[-1])["missing"] == []
    names = {each.name for each in unpack(file, tmp_path / "taken").members}
    inputs = read(run, "assess/verdict.json")["inputs"]
    assert {f"verdict/{name}" for name in inputs if "/" in name} <= names
    (project / "app/greetings/web.py").write_text("LATER = 1\n")
    commit(project)
    signed = (
        "--policy",
        "rules/verification.toml",
        "--as",
        "dry-run",
        "--trusted-root",
        run / "attest/trusted_root.json",
    )
    ended = pipeline("rebuild", file, "--source", released, *signed, cwd=project, prefix=OFFLINE)
    assert ended.code == 0, ended.output
    assert ended.stdout.startswith(f"the same  {read(run, 'image/image.json')['digest']}, every byte of 6 blobs\n")
