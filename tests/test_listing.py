"""Two publishers at once on a registry without the referrers API: a real docker-registry, and the real ORAS."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.credentials import login
from shipseal.distribution.listing import require_listed
from shipseal.distribution.registry import Registry
from shipseal.errors import RemoteFailed
from shipseal.oci.layout import Layout
from shipseal.stages.publish import referrers_of
from shipseal.tools.toolbox import Toolbox
from tests.conftest import MakeRun
from tests.layouts import write_layout
from tests.release.registries import docker_registry

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NAMES = ("one", "other")


@pytest.fixture
def tools(make_run: MakeRun, tmp_path: Path) -> Toolbox:
    run = make_run()
    return Toolbox(run.store, run.locked, frozenset({"oras"}), tmp_path / "log.txt")


@contextmanager
def served(tools: Toolbox, place: Path) -> Iterator[Registry]:
    """Give a repository of a docker-registry that runs for as long as the block."""
    (place / "registry").mkdir()
    with docker_registry(place / "registry") as at, login(at.environment()) as found:
        yield Registry(tools, at.host, "acme/app", True, found.environment, writable=True)


async def publish(registry: Registry, layout: Layout, subjects: list[Digest], work: Path) -> None:
    """Push an image with its evidence, and have that listed, as the stage does."""
    await registry.push(layout.path, subjects[-1])
    expected = referrers_of(layout)
    for subject in subjects:
        ours = {str(digest) for digest in expected[subject]}
        await require_listed(registry, subject, [each for each in layout.listed() if each["digest"] in ours], work)


async def test_two_that_publish_at_once_lose_nothing_of_each_other(tools: Toolbox, tmp_path: Path) -> None:
    layouts = {}
    for number, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        index, platforms = write_layout(tmp_path / name / "layout", evidence=4, first=10 * number)
        layouts[name] = Layout(tmp_path / name / "layout")
    subjects = [*platforms, index]
    with served(tools, tmp_path) as registry:
        async with anyio.create_task_group() as publishers:
            for name in NAMES:
                publishers.start_soon(partial(publish, registry, layouts[name], subjects, tmp_path / name))
        for subject in subjects:
            listed = [str(each["digest"]) for each in await registry.referrers(subject)]
            expected = {str(each) for layout in layouts.values() for each in referrers_of(layout)[subject]}
            assert expected == set(listed)
            assert len(expected) == len(listed) == 8


async def test_a_list_that_another_has_overwritten_is_put_right_with_what_was_in_it(
    tools: Toolbox, tmp_path: Path
) -> None:
    index, _ = write_layout(tmp_path / "layout", evidence=3)
    layout = Layout(tmp_path / "layout")
    ours = referrers_of(layout)[index]
    listed = [each for each in layout.listed() if each["digest"] in {str(digest) for digest in ours}]
    tag = f"sha256-{index.hex}"
    with served(tools, tmp_path) as registry:
        await registry.push(layout.path, index)
        empty = tmp_path / "empty.json"
        empty.write_text(
            '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
        )

        async def overwrite() -> None:
            await anyio.sleep(0.3)
            await registry.push_manifest(tag, empty, "application/vnd.oci.image.index.v1+json")

        async with anyio.create_task_group() as other:
            other.start_soon(overwrite)
            await require_listed(registry, index, listed[:1], tmp_path)
        there = {str(each["digest"]) for each in await registry.referrers(index)}
    assert {str(digest) for digest in ours} == there, "what we did not push, and have seen, is there too"


async def test_what_a_registry_refuses_to_list_is_a_failure(tools: Toolbox, tmp_path: Path) -> None:
    index, _ = write_layout(tmp_path / "layout")
    nowhere = {"mediaType": MANIFEST, "digest": f"sha256:{1:064x}", "size": 2}
    with served(tools, tmp_path) as registry:
        await registry.push(tmp_path / "layout", index)
        with pytest.raises(RemoteFailed):
            await require_listed(registry, index, [nowhere], tmp_path)
