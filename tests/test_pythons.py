"""A project is told at once that it is for another Python: that of its image is read from the lock of its packages."""

import platform
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shipseal.errors import ConfigError
from shipseal.locked import pythons, wheels
from shipseal.locked.debian import Lock
from shipseal.project.config import HOME, PACKAGE_LOCKS, Config
from shipseal.runtime import BOOKWORM, Runtime
from tests.commands import clone

TRIXIE = Lock.parse(PACKAGE_LOCKS["debian-13"].read_text())


def configured(tmp_path: Path, requires: str = ">=3.11", image: str = "") -> Config:
    project = clone("greetings", tmp_path / "greetings")
    app = project / "app" / "pyproject.toml"
    app.write_text(app.read_text().replace('">=3.11"', f'"{requires}"'))
    file = project / "pipeline.toml"
    file.write_text(file.read_text().replace("[image]\n", f"[image]\n{image}\n"))
    return Config.load(file)


def test_a_lock_says_which_python_of_which_debian_its_packages_are() -> None:
    assert Lock.parse(PACKAGE_LOCKS["debian-12"].read_text()).runtime == BOOKWORM
    assert TRIXIE.runtime == Runtime("13", "3.13", "3.13.5", 41)
    assert TRIXIE.runtime.site == "usr/local/lib/python3.13/dist-packages"
    assert pythons.offered() == {"debian-12": "3.11", "debian-13": "3.13"}


def test_packages_of_two_versions_are_no_runtime() -> None:
    packages = [replace(each, version="3.13.6-1") if each.architecture == "arm64" else each for each in TRIXIE.packages]
    with pytest.raises(ConfigError, match="in several versions") as raised:
        _ = replace(TRIXIE, packages=tuple(packages)).runtime
    assert raised.value.remedy == "lock the same version for each architecture"


def test_wheels_are_those_of_its_python_and_its_glibc() -> None:
    target = wheels.image("linux/amd64", TRIXIE.runtime)
    names = {str(tag) for tag in target.tags}
    assert {"cp313-cp313-manylinux_2_41_x86_64", "cp312-abi3-manylinux_2_28_x86_64", "py3-none-any"} <= names
    assert not names & {"cp311-cp311-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_42_x86_64"}
    assert target.environment["python_full_version"] == "3.13.5"


def test_the_base_decides_which_lock_is_read_and_a_lock_of_ones_own_says_it_itself(tmp_path: Path) -> None:
    assert configured(tmp_path).image.package_lock == HOME / "image" / "debian.lock.toml"
    named = configured(tmp_path / "13", image='base = "debian-13"')
    assert named.image.package_lock == HOME / "image" / "debian-13.lock.toml"
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path / "both", image='base = "debian-13"\npackages = "own.toml"')
    assert "give it, or else base" in raised.value.why[0]


@pytest.mark.parametrize(
    ("requires", "do"),
    [
        (">=3.12", 'write [image] base = "debian-13", which has 3.13; and lock again, for that Python'),
        (">=3.40", "name a lock of another Debian's packages in image.packages, or let the project run on this Python"),
        ("<3", "name a lock of another Debian's packages in image.packages, or let the project run on this Python"),
    ],
)
def test_who_needs_another_python_is_told_what_to_write(tmp_path: Path, requires: str, do: str) -> None:
    config = configured(tmp_path, requires)
    with pytest.raises(ConfigError, match=r"greetings is for Python .*, and its image has 3\.11\.2") as raised:
        pythons.require(config, Lock.parse(PACKAGE_LOCKS["debian-12"].read_text()))
    assert raised.value.remedy == do


def test_who_is_not_for_the_python_that_tests_it_is_told_too(tmp_path: Path) -> None:
    config = configured(tmp_path, f"!={platform.python_version()}")
    with pytest.raises(ConfigError, match=f"and this is {platform.python_version()}") as raised:
        pythons.require(config, Lock.parse(PACKAGE_LOCKS["debian-12"].read_text()))
    assert raised.value.remedy == "run the pipeline by a Python 3.11"


def test_an_image_with_a_newer_python_than_this_one_cannot_be_read(tmp_path: Path) -> None:
    newer = f"3.{sys.version_info[1] + 1}"
    with pytest.raises(ConfigError, match=f"the image has Python {newer}") as raised:
        pythons.require(configured(tmp_path), replace(TRIXIE, python=newer))
    assert raised.value.remedy.startswith(f"run the pipeline by Python {newer} or later")


def test_a_project_that_says_nothing_of_python_is_asked_nothing(tmp_path: Path) -> None:
    config = configured(tmp_path, "what?")
    pythons.require(config, Lock.parse(PACKAGE_LOCKS["debian-12"].read_text()))
    (config.root / "app" / "pyproject.toml").unlink()
    pythons.require(config, Lock.parse(PACKAGE_LOCKS["debian-12"].read_text()))
