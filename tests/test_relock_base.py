"""The base image is locked again by the digest that a real registry gives for its tag."""

from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.engine.world import loopback_registry
from shipseal.errors import ConfigError, RemoteFailed
from shipseal.locked.store import Store
from shipseal.project.base_image import base_image
from shipseal.project.config import HOME
from shipseal.relocking.relock_base import relock_base
from shipseal.tools.toolbox import Toolbox
from tests.layouts import write_layout

OLD = f"sha256:{'0' * 64}"


@pytest.fixture
def tools(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Toolbox:
    return Toolbox(store, locked, frozenset({"oras", "olareg"}), tmp_path / "log.txt")


def pyproject(name: str) -> str:
    return f'[tool.dagger]\n# why\nbase-image = "{name}@{OLD}"\n[tool.other]\nbase-image = "not this"\n'


def test_the_digest_of_the_tag_now_is_written_and_nothing_else(tools: Toolbox, tmp_path: Path) -> None:
    digest, _ = write_layout(tmp_path / "layout", evidence=0)
    (tmp_path / "registry").mkdir()

    async def relocked() -> tuple[str, str]:
        async with loopback_registry(tools, tmp_path / "registry", "library/python", writable=True) as registry:
            await registry.push(tmp_path / "layout", digest)
            await registry.tag(digest, "3.11")
            name = f"localhost:{registry.host.rpartition(':')[2]}/library/python:3.11"
            return pyproject(name), await relock_base(tools, pyproject(name))

    before, after = anyio.run(relocked)
    assert before.replace(OLD, str(digest)) == after


def test_a_registry_that_cannot_be_reached_is_told_and_what_was_asked_for(tools: Toolbox) -> None:
    with pytest.raises(RemoteFailed, match=r"which digest localhost:1/python:3\.11 has"):
        anyio.run(relock_base, tools, pyproject("localhost:1/python:3.11"))


@pytest.mark.parametrize("name", ["python", "--from=x:1", "py thon:1", "python:1\n"])
def test_what_names_no_tag_or_another_thing_is_refused_before_anything_is_asked(tools: Toolbox, name: str) -> None:
    with pytest.raises(ConfigError, match="names no base image by tag and digest"):
        anyio.run(relock_base, tools, pyproject(name))
    assert tools.commands == []


def test_the_base_image_stands_in_one_place() -> None:
    """In text, that is, which somebody would have to keep the same by hand."""
    files = [*HOME.glob("*.*"), *HOME.glob("shipseal/**/*.py"), *HOME.glob("docs/**/*.md"), *HOME.glob(".github/**/*")]
    digest = base_image().partition("@")[2]
    assert [file for file in files if file.is_file() and digest in file.read_text()] == [HOME / "pyproject.toml"]
