"""Programs of others read the image of this repository's service, and each sees what image.json says."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.registry import Registry
from shipseal.locked.debian import Lock
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import HOME
from shipseal.tools.toolbox import Toolbox
from tests.stages.ours import Ours, ours

PLATFORMS = ("linux/amd64", "linux/arm64")
READERS = HOME / ".venv-readers" / "bin"
on_each_platform = pytest.mark.parametrize("platform", PLATFORMS)
needs_skopeo = pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="skopeo is not installed: apt-get install skopeo"
)


def reader(name: str) -> Path:
    """Return a program that `make` builds: where it is missing, a test fails and is not skipped."""
    program = READERS / name
    assert program.exists(), f"{program} is missing: run `make .venv-readers/ok`"
    return program


@pytest.fixture(scope="module")
def image(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Ours:
    """Give the image, with its SBOMs, to tests that only read it."""
    return anyio.run(ours, tmp_path_factory.mktemp("ours") / "run", store, locked, "sbom")


@pytest.fixture(scope="module")
def unpacked(image: Ours, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the files of each platform as umoci unpacks them."""
    return {each: unpack(image, each, tmp_path_factory.mktemp("umoci")) for each in PLATFORMS}


def unpack(image: Ours, platform: str, where: Path) -> Path:
    """Have umoci unpack one platform, out of a copy of the layout that names it by a tag, as umoci wants."""
    layout = Layout(shutil.copytree(image.layout.path, where / "layout"))
    manifest = image.manifest(platform)
    descriptor = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": str(manifest),
        "size": layout.blob(manifest).stat().st_size,
        "annotations": {"org.opencontainers.image.ref.name": "read"},
    }
    (layout.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [descriptor]}))
    subprocess.run(
        [reader("umoci"), "unpack", "--rootless", "--image", f"{layout.path}:read", where / "bundle"],
        check=True, capture_output=True,
    )  # fmt: skip
    return where / "bundle" / "rootfs"


def files(root: Path) -> dict[str, os.stat_result]:
    """Return what lies below a directory and is none."""
    found = {path.relative_to(root).as_posix(): path.lstat() for path in root.rglob("*")}
    return {path: status for path, status in found.items() if not stat.S_ISDIR(status.st_mode)}


@on_each_platform
def test_umoci_unpacks_the_listed_files_and_no_other(image: Ours, unpacked: dict[str, Path], platform: str) -> None:
    assert image.files(platform) == files(unpacked[platform]).keys()


@on_each_platform
def test_umoci_unpacks_nothing_that_others_may_write_or_that_raises_rights(
    unpacked: dict[str, Path], platform: str
) -> None:
    below = [path.lstat().st_mode for path in unpacked[platform].rglob("*")]
    assert {stat.S_IFMT(mode) for mode in below} == {stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK}, "no device, no pipe"
    assert {stat.S_IMODE(mode) for mode in below if stat.S_ISREG(mode)} == {0o644, 0o755}
    assert {stat.S_IMODE(mode) for mode in below if stat.S_ISDIR(mode)} == {0o755}


@on_each_platform
def test_umoci_unpacks_no_program_but_the_interpreter_its_loader_and_its_c_library(
    unpacked: dict[str, Path], platform: str
) -> None:
    found = files(unpacked[platform])
    programs = {
        Path(path).name for path, status in found.items() if stat.S_ISREG(status.st_mode) and status.st_mode & 1
    }
    loader = {"linux/amd64": "ld-linux-x86-64.so.2", "linux/arm64": "ld-linux-aarch64.so.1"}[platform]
    assert programs == {"python3.11", loader, "libc.so.6"}, "no shell and no package manager"


@on_each_platform
def test_umoci_unpacks_links_that_lead_to_a_file_of_the_image(unpacked: dict[str, Path], platform: str) -> None:
    root = unpacked[platform].resolve()
    links = [path for path in root.rglob("*") if path.is_symlink()]
    assert links
    assert not [path for path in links if path.readlink().is_absolute() or not path.resolve().is_relative_to(root)]
    assert all(path.resolve().is_file() for path in links)


@asynccontextmanager
async def pushed(image: Ours, work: Path) -> AsyncIterator[Registry]:
    """Serve the image from a registry on loopback, over the files in `work/registry`."""
    tools = Toolbox(image.run.store, image.run.locked, frozenset({"olareg", "oras"}), work / "log")
    (work / "registry").mkdir()
    async with image.run.world.registry(tools, work / "registry", writable=True) as registry:
        await registry.push(image.layout.path, image.index)
        yield registry


async def crane(*words: str) -> "subprocess.CompletedProcess[bytes]":
    return await anyio.run_process([str(reader("crane")), *words], check=False, stderr=subprocess.STDOUT)


async def test_crane_finds_the_index_and_each_platform_valid(image: Ours, tmp_path: Path) -> None:
    async with pushed(image, tmp_path) as registry:
        for digest in (image.index, *map(image.manifest, PLATFORMS)):
            reference = str(registry.reference(digest))
            said = await crane("validate", "--remote", reference)
            assert (said.returncode, said.stdout.decode()) == (0, f"PASS: {reference}\n")


async def test_crane_finds_an_altered_layer(image: Ours, tmp_path: Path) -> None:
    layer = Digest.parse(image.document["platforms"]["linux/amd64"]["layers"][0]["digest"])
    async with pushed(image, tmp_path) as registry:
        (blob,) = (tmp_path / "registry").rglob(layer.hex)
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
        said = await crane("validate", "--remote", str(registry.reference(image.index)))
    assert said.returncode != 0
    assert b"FAIL: " in said.stdout


@needs_skopeo
@on_each_platform
def test_skopeo_inspects_the_listed_layers(image: Ours, platform: str) -> None:
    architecture = platform.partition("/")[2]
    command = ["skopeo", "--override-arch", architecture, "inspect", f"oci:{image.layout.path}"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    entry = image.document["platforms"][platform]
    assert (said["Architecture"], said["Layers"]) == (architecture, [layer["digest"] for layer in entry["layers"]])


def sbom(image: Ours, platform: str, name: str) -> Any:
    return json.loads((image.run.directory / "sbom" / platform.replace("/", "-") / f"sbom.{name}.json").read_bytes())


@on_each_platform
def test_syft_finds_the_packages_of_the_locks_and_no_other(image: Ours, platform: str) -> None:
    debian = Lock.parse(image.run.config.image.package_lock.read_text()).select(platform)
    wheels = json.loads((image.run.directory / "inputs" / "inputs.json").read_bytes())["wheels"][platform]
    service = image.document["service"]
    expected = {(package.name, package.version) for package in debian}
    expected |= {(each["name"], each["version"]) for each in (*wheels, service)}
    found = [(each["name"], each["version"]) for each in sbom(image, platform, "syft")["artifacts"]]
    assert len(found) == len(debian) + len(wheels) + 1
    assert set(found) == expected


def hashes(root: Path) -> list[tuple[str, str]]:
    """Return each file below a directory, links left out, with its sha256."""
    regular = [path for path, status in files(root).items() if stat.S_ISREG(status.st_mode)]
    return sorted((path, Digest.of_file(root / path).hex) for path in regular)


def in_cyclonedx(document: Any) -> Iterator[tuple[str, str]]:
    """Yield the files of all components, and those that are the image's own, with their sha256."""
    for component in document["components"]:
        for file in [component, *component.get("components", ())]:
            if file["type"] == "file":
                (found,) = (each["content"] for each in file["hashes"] if each["alg"] == "SHA-256")
                yield file["name"].removeprefix("/"), found


def in_spdx(document: Any) -> Iterator[tuple[str, str]]:
    """Yield the files that a package contains, with their sha256."""
    known = {file["SPDXID"]: file for file in document["files"]}
    for relation in document["relationships"]:
        if relation["relationshipType"] == "CONTAINS" and relation["relatedSpdxElement"] in known:
            file = known[relation["relatedSpdxElement"]]
            (found,) = (each["checksumValue"] for each in file["checksums"] if each["algorithm"] == "SHA256")
            yield file["fileName"], found


@on_each_platform
@pytest.mark.parametrize(("form", "read"), [("cdx", in_cyclonedx), ("spdx", in_spdx)])
def test_every_file_that_umoci_unpacks_belongs_to_one_component_of_the_sbom_by_its_hash(
    image: Ours, unpacked: dict[str, Path], platform: str, form: str, read: Callable[[Any], Iterator[tuple[str, str]]]
) -> None:
    assert sorted(read(sbom(image, platform, form))) == hashes(unpacked[platform])
