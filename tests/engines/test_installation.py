"""The module installs as Dagger's Python SDK installs it, which the test engine does not do."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from shipseal.project.config import HOME

SDK = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "dagger-io"
version = "0.0.0"
requires-python = ">=3.10"
[tool.setuptools]
packages = []
"""


@pytest.fixture(scope="module")
def wheels(store_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give every wheel of the store in one directory, as an index for uv."""
    directory = tmp_path_factory.mktemp("wheels")
    pack("setuptools", directory)  # our build backend; before the links, which are the store's own files
    for wheel in store_root.glob("sha256/*/*.whl"):
        if not (directory / wheel.name).exists():
            os.link(wheel, directory / wheel.name)
    return directory


def pack(name: str, directory: Path) -> None:
    """Make a wheel again of what is installed here."""
    installed = distribution(name)
    with ZipFile(directory / f"{name}-{installed.version}-py3-none-any.whl", "w") as wheel:
        for file in installed.files or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                wheel.write(str(file.locate()), file.as_posix())


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Give a copy of what the SDK installs: our package, our lock, and the SDK that an engine brings, version 0.0.0."""
    root = tmp_path / "module"
    root.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(HOME / name, root / name)
    shutil.copytree(HOME / "shipseal", root / "shipseal", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "sdk").mkdir()
    (root / "sdk" / "pyproject.toml").write_text(SDK)
    return root


def uv(module: Path, wheels: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run uv in the module's own environment, without any network or setting of this machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(module),
        "VIRTUAL_ENV": str(module / ".venv"),
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
        "UV_FIND_LINKS": str(wheels),
        "UV_NO_INDEX": "1",
        "UV_LINK_MODE": "hardlink",
        "UV_CACHE_DIR": str(module / ".cache"),
    }
    return subprocess.run(
        [Path(sys.executable).with_name("uv"), *arguments],
        cwd=module,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sdk_installs_the_module_and_its_requirements_together(module: Path, wheels: Path) -> None:
    """Source: Dagger v0.21.8, sdk/python/runtime: with a requirements.lock and no uv.lock."""
    assert uv(module, wheels, "venv", "--python", sys.executable).returncode == 0
    line = ["pip", "install", "-e", "./sdk", "-e", ".", "--no-deps", "-r", "requirements.lock"]
    installed = uv(module, wheels, *line)
    assert installed.returncode == 0, installed.stderr
    checked = uv(module, wheels, "pip", "check")
    assert checked.returncode == 0, checked.stderr
    found = (
        "from importlib.metadata import entry_points; print([each.value for each in entry_points(group='dagger.mod')])"
    )
    done = subprocess.run([module / ".venv/bin/python", "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout == "['shipseal.engine.dagger_module:Shipseal']\n"


IMPORTS = """
import builtins, sys
asked, imports = set(), builtins.__import__
def noting(name, about=None, *rest):
    if str((about or {}).get("__name__", "")).startswith("shipseal"):
        asked.add(name.partition(".")[0])
    return imports(name, about, *rest)
builtins.__import__ = noting
import shipseal.engine.dagger_module
print(*sorted(asked - sys.stdlib_module_names - {"shipseal"}))
"""


def test_the_module_of_dagger_imports_what_the_sdk_has_and_nothing_else() -> None:
    """It is asked for its functions before anything of ours is there; what is named here comes with dagger-io."""
    done = subprocess.run([sys.executable, "-P", "-c", IMPORTS], cwd=HOME, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["anyio", "dagger"]


def test_the_lock_leaves_the_sdk_to_the_engine() -> None:
    assert "dagger-io" not in (HOME / "requirements.lock").read_text()
