"""`sbom` runs the real Syft, writes the same bytes for the same image, and refuses a list that lacks something."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.errors import ShipsealError, ToolFailed, flatten
from tests.conftest import MakeRun
from tests.stages.images import SITE, SmallImage
from tests.stages.rows import ONE_PLATFORM, SBOM, begin, perform

PLATFORMS = ("linux-amd64", "linux-arm64")


def documents(directory: Path) -> dict[str, Digest]:
    found = (path for path in directory.rglob("sbom.*.json"))
    return {path.relative_to(directory).as_posix(): Digest.of_file(path) for path in found}


def load(directory: Path, name: str) -> Any:
    return json.loads((directory / "sbom" / "linux-amd64" / name).read_bytes())


async def refusal(make_run: MakeRun, image: SmallImage) -> str:
    with pytest.raises(ExceptionGroup) as failed:
        await perform(make_run(), image.stage(), SBOM)
    failures = flatten(failed.value)
    assert all(isinstance(failure, ToolFailed) for failure in failures)
    return "\n".join(failure.explain() for failure in failures if isinstance(failure, ShipsealError))


async def test_the_same_image_gives_the_same_bytes_in_another_directory(make_run: MakeRun, tmp_path: Path) -> None:
    first, second = make_run(), make_run(directory=tmp_path / "elsewhere" / "run")
    for run in (first, second):
        await perform(run, SmallImage().stage(), SBOM)
    assert len(documents(first.directory)) == 6
    assert documents(first.directory) == documents(second.directory)


async def test_every_platform_has_its_documents_and_nothing_is_left_behind(make_run: MakeRun) -> None:
    run = make_run()
    headline = await perform(run, SmallImage().stage(), SBOM)
    assert headline == "packages and files: 5 and 17 on linux/amd64, 5 and 17 on linux/arm64"
    listed = {path.name for path in (run.directory / "sbom").iterdir()}
    assert listed == {*PLATFORMS, "record.json", "log.txt"}
    for platform in PLATFORMS:
        found = {path.name for path in (run.directory / "sbom" / platform).iterdir()}
        assert found == {"sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"}


async def test_what_syft_unpacks_lies_with_the_unfinished_stage_so_that_a_kill_leaves_nothing_elsewhere(
    make_run: MakeRun,
) -> None:
    run = make_run()
    seen: set[str] = set()

    async def watch() -> None:
        while True:
            with suppress(FileNotFoundError):  # it has just been put away
                seen.update(path.name.partition("-")[0] for path in run.directory.glob("sbom.part/*/scratch/*"))
            await anyio.sleep(0.002)

    await perform(run, ONE_PLATFORM.stage())
    async with anyio.create_task_group() as watching:
        watching.start_soon(watch)
        await perform(run, SBOM)
        watching.cancel_scope.cancel()
    assert seen == {"stereoscope"}


async def test_both_formats_know_whose_a_compiled_file_is(make_run: MakeRun) -> None:
    run = make_run()
    await begin(run, scanned=False)
    (waitress,) = (each for each in load(run.directory, "sbom.cdx.json")["components"] if each["name"] == "waitress")
    assert f"/{SITE}/waitress/__init__.pyc" in {inner["name"] for inner in waitress["components"]}
    document = load(run.directory, "sbom.spdx.json")
    names = {file["SPDXID"]: file["fileName"] for file in document["files"]}
    owned = {
        names[each["relatedSpdxElement"]]
        for each in document["relationships"]
        if each["relationshipType"] == "CONTAINS" and "waitress" in each["spdxElementId"]
    }
    assert f"{SITE}/waitress/__init__.pyc" in owned


async def test_the_documents_name_the_image_by_digest(make_run: MakeRun) -> None:
    run = make_run()
    await begin(run, scanned=False)
    digest = json.loads((run.directory / "image" / "image.json").read_bytes())["platforms"]["linux/amd64"]["digest"]
    component = load(run.directory, "sbom.cdx.json")["metadata"]["component"]
    assert (component["version"], component["purl"]) == (digest, f"pkg:oci/sample@{digest}")


async def test_the_formats_are_those_that_we_promise(make_run: MakeRun) -> None:
    run = make_run()
    await begin(run, scanned=False)
    assert load(run.directory, "sbom.cdx.json")["specVersion"] == "1.6"
    assert load(run.directory, "sbom.spdx.json")["spdxVersion"] == "SPDX-2.3"


async def test_a_layer_without_directories_does_not_lose_its_packages_silently(make_run: MakeRun) -> None:
    assert "package pkg:deb/debian/zlib1g" in await refusal(make_run, ONE_PLATFORM.having(directories=False))


async def test_a_package_without_its_record_is_missed(make_run: MakeRun) -> None:
    refused = await refusal(make_run, ONE_PLATFORM.having(hidden=("var/lib/dpkg/status.d/zlib1g",)))
    assert "package pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1 is in the image, but not found" in refused


async def test_a_file_that_is_not_in_the_layers_is_missed(make_run: MakeRun) -> None:
    refused = await refusal(make_run, ONE_PLATFORM.having(hidden=("usr/share/doc/zlib1g/copyright",)))
    assert "file usr/share/doc/zlib1g/copyright is in the image, but not found" in refused


@pytest.mark.parametrize("path", ["usr/lib/stray.pyc", "etc/stray"])
async def test_a_file_of_nobody_is_refused(make_run: MakeRun, path: str) -> None:
    refused = await refusal(make_run, ONE_PLATFORM.having(stray={path: b"\xa7\r\r\n"}))
    assert f"{path} belongs to no package" in refused
