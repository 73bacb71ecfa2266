"""`init` in somebody's repository: what it writes makes an image at once, and it overwrites nothing."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shipseal.locked.store import Store
from shipseal.project.config import Config
from tests.commands import SAMPLES, Ended, commit, pipeline
from tests.origins import make_index, make_wheel, pip_settings, served

pytestmark = pytest.mark.timeout(300)

Init = Callable[..., Ended]

SETUP_CFG = """\
[metadata]
name = greetings
version = 1.0.0
[options]
packages = greetings
install_requires =
    waitress==3.0.2
"""
WRITES = """\
import ctypes
import os
import ssl

__import__("color" + "sys")
os.makedirs("/var/cache/greetings", exist_ok=True)


def application(environ, start_response):
    if environ["PATH_INFO"] != "/hello":
        start_response("302 Found", [("Location", "/hello")])
        return []
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
NOT_SET_UP = """\
import tempfile

SCRATCH = tempfile.mkdtemp()


def path(route, view):
    return route, view


urls = [path("health", None), path("", None)]


def application(environ, start_response):
    there = environ["PATH_INFO"] == "/"
    start_response("200 OK" if there else "500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"front" if there else b"no such table"]
"""


@pytest.fixture(scope="module")
def index(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve every wheel of the store as a package index, and what pytest asks for on a system that is not this one."""
    directory = tmp_path_factory.mktemp("index")
    elsewhere = make_wheel(directory, "colorama", "0.4.6")
    make_index(directory, elsewhere, *(entry.path for entry in store.entries() if entry.path.suffix == ".whl"))
    with served(directory) as address:
        yield address


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a repository with a service of somebody's, which knows nothing of a pipeline."""
    root = tmp_path / "greetings"
    shutil.copytree(SAMPLES / "greetings" / "app", root)
    shutil.copytree(SAMPLES / "greetings" / "tests", root / "tests")
    (root / ".gitignore").write_text(".run/\n")
    commit(root)
    subprocess.run(["git", "-C", root, "remote", "add", "origin", "git@github.com:Acme/greetings.git"], check=True)
    return root


@pytest.fixture
def init(root: Path, index: str, store: Store, tmp_path: Path) -> Init:
    """Give a function that runs it as people do who have the wheels at hand and no other index."""
    settings = {"UV_DEFAULT_INDEX": f"{index}/simple", "UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}

    def run(*words: str, cwd: Path = root) -> Ended:
        return pipeline("init", "--store", store.root, *words, cwd=cwd, env=settings)

    return run


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_service_of_others_is_an_image_without_a_file_edited(init: Init, root: Path, store: Store) -> None:
    before = files(root)
    ended = init("--yes")
    assert ended.code == 0, ended.output
    assert "next: commit them, and type `shipseal dry-run`" in ended.stdout
    assert before.items() <= files(root).items()
    config = Config.load(root / "pipeline.toml")
    assert config.service.callable == "greetings.web:application"
    assert config.service.health == "/"
    assert config.image.repository == "docker.io/acme/greetings"
    assert "waitress==3.0.2" in config.service.lock.read_text()
    assert "https://github.com/Acme/greetings" in (root / "policy" / "verification.toml").read_text()
    image = json.loads((root / ".run" / "image" / "image.json").read_bytes())
    assert set(image["platforms"]) == {"linux/amd64", "linux/arm64"}
    commit(root)
    assert pipeline("dry-run", "--to", "test", "--store", store.root, cwd=root).code == 0


def test_what_it_needs_besides_is_learnt_from_its_first_start(init: Init, root: Path, store: Store) -> None:
    """A service of setuptools' older days, that keeps data, looks at a locale, and answers elsewhere than at `/`."""
    (root / "pyproject.toml").unlink()
    (root / "setup.cfg").write_text(SETUP_CFG)
    (root / "greetings" / "web.py").write_text(WRITES)
    shutil.rmtree(root / "tests")
    ended = init("--yes")
    assert ended.code == 0, ended.output
    config = Config.load(root / "pipeline.toml")
    assert config.service.health == "/hello"
    assert config.smoke.writable == ("/var/cache",)  # which is not in the image, so that nothing can be made in it
    assert config.image.modules == ("colorsys",)
    assert config.image.extra_packages == ("libffi8", "libssl3")
    assert 'requires = ["setuptools>=40.8.0"]' in (root / "pyproject.toml").read_text()
    assert "to do: CVE-2026-5450 in libc6 will be denied" in ended.stdout
    waivers = (root / "policy" / "waivers.toml").read_text()
    assert '#   finding = "CVE-2026-5450"' in waivers
    assert [line for line in waivers.splitlines() if not line.startswith("#")] == []
    commit(root)
    assert pipeline("dry-run", "--to", "smoke", "--store", store.root, cwd=root).code == 0


def test_a_health_path_that_fails_for_want_of_a_database_gives_way_to_one_that_answers(init: Init, root: Path) -> None:
    """As a framework with migrations starts; and it keeps files of the moment, for which an image has no place."""
    (root / "greetings" / "web.py").write_text(NOT_SET_UP)
    ended = init("--yes")
    assert ended.code == 0, ended.output
    config = Config.load(root / "pipeline.toml")
    assert config.service.health == "/"
    assert config.smoke.writable == ("/tmp",)
    assert "to do: /health answered with an error where nothing is set up for the service" in ended.stdout
    assert "/health answers with an error" in (root / "pipeline.toml").read_text()


def test_a_service_that_does_not_do_yet_is_told_with_all_written(init: Init, root: Path) -> None:
    (root / "greetings" / "web.py").write_text("def application(environ, start_response):\n    raise ValueError(3)\n")
    ended = init("--yes")
    assert ended.code == 0, ended.output
    assert "to do: the image was made and, started, does not do yet" in ended.stdout
    assert (root / "policy" / "rules.toml").exists()


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ('requires-python = ">=3.14"', "greetings is for Python >=3.14, which no image has"),
        ('dynamic = ["dependencies"]', "setup.py puts install_requires together"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(init: Init, root: Path, project: str, said: str) -> None:
    text = (root / "pyproject.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("requires-python", "dependencies"))]
    (root / "pyproject.toml").write_text("\n".join([*lines, project, ""]))
    (root / "setup.py").write_text("from setuptools import setup\nsetup(install_requires=open('x').readlines())\n")
    before = files(root)
    ended = init("--yes")
    assert ended.code == 2
    assert said in ended.stderr
    assert files(root) == before


def test_nothing_is_overwritten_and_nothing_is_half_written(init: Init, root: Path) -> None:
    (root / "locks").mkdir()
    (root / "locks" / "test.lock").write_text("mine\n")
    before = files(root)
    ended = init("--yes")
    assert ended.code == 2
    assert "locks/test.lock is there already, and nothing is overwritten" in ended.stderr
    assert files(root) == before


def test_what_nobody_agrees_to_is_not_written(init: Init, root: Path) -> None:
    before = files(root)
    ended = init()
    assert ended.code == 2
    assert 'callable = "greetings.web:application"' in ended.stdout
    assert "nothing was written" in ended.stderr
    assert files(root) == before


def test_what_cannot_be_locked_leaves_nothing_behind(init: Init, root: Path) -> None:
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace("waitress==3.0.2", "no-such-package==9"))
    before = files(root)
    ended = init("--yes")
    assert ended.code == 5
    assert "uv could not lock runtime.lock" in ended.stderr
    assert files(root) == before


def test_a_directory_that_leads_elsewhere_is_not_written_to(init: Init, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "policy").symlink_to(tmp_path / "elsewhere")
    ended = init("--yes")
    assert ended.code == 2
    assert "a link leads to" in ended.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (root / "pipeline.toml").exists()


def test_a_setup_py_alone_is_told_what_to_write(init: Init, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "setup.py").write_text("raise SystemExit('nobody runs this')\n")
    ended = init("--yes", cwd=old)
    assert ended.code == 2
    assert "there is no pyproject.toml" in ended.stderr
    assert "[build-system]" in ended.stderr


def test_what_is_locked_for_another_platform_alone_is_told_with_what_to_write(
    root: Path, store: Store, tmp_path: Path
) -> None:
    project = root / "pyproject.toml"
    project.write_text(project.read_text().replace('"waitress==3.0.2"', '"waitress==3.0.2", "winonly"'))
    (root / "requirements.txt").write_text("winonly==1.0\n")
    wheels = [entry.path for entry in store.entries() if entry.path.suffix == ".whl"]
    wheels += [
        make_wheel(tmp_path, "winonly", "1.0", "cp311-cp311-win_amd64"),
        make_wheel(tmp_path, "colorama", "0.4.6"),  # for which pytest asks on Windows
    ]
    make_index(tmp_path / "index", *wheels)
    with served(tmp_path / "index") as address:
        settings = {"UV_DEFAULT_INDEX": f"{address}/simple", "UV_NO_CONFIG": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
        settings |= pip_settings(address, tmp_path)
        ended = pipeline("init", "--yes", "--store", store.root, cwd=root, env=settings)
    assert ended.code == 5
    assert "all is written, pipeline.toml too: put right what follows" in ended.stderr
    assert "winonly 1.0 for linux/arm64" in ended.stderr
    assert "what is for another platform alone says so where it is asked for" in ended.stderr
    assert "versions of requirements.txt" in (root / "pipeline.toml").read_text()
