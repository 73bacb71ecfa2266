"""Say at once that a project is for another Python than its image has, or than the one that builds and tests it."""

import platform
import sys
import tomllib
from collections.abc import Mapping
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.locked.debian import Lock
from shipseal.project.config import PACKAGE_LOCKS, Config
from shipseal.runtime import Runtime


def offered() -> dict[str, str]:
    """Return the version of Python in each base that comes with the pipeline, by its name, the default first."""
    return {name: Lock.parse(text_of(path), path.name).runtime.python for name, path in PACKAGE_LOCKS.items()}


def require(config: Config, lock: Lock) -> None:
    """Hold what a project says of Python (PyPA, "pyproject.toml", `requires-python`) against the two that run it.

    Nothing is asked where it says nothing, or has no pyproject.toml here.

    Raises:
        ConfigError: one of them is none that it is for, with what to write.
    """
    require_newer(lock.runtime.python)
    wanted = _wanted(config)
    if not wanted.contains(lock.runtime.full):
        fitting = [f'"{name}", which has {python}' for name, python in offered().items() if wanted.contains(python)]
        raise ConfigError(
            f"{config.service.name} is for Python {wanted}, and its image has {lock.runtime.full}",
            why=f"the lock of its Debian packages is of {lock.suite}",
            remedy=f"write [image] base = {fitting[0]}; and lock again, for that Python"
            if fitting
            else "name a lock of another Debian's packages in image.packages, or let the project run on this Python",
        )
    if not wanted.contains(platform.python_version()):
        raise ConfigError(
            f"{config.service.name} is for Python {wanted}, and this is {platform.python_version()}",
            why="it is built and tested by the Python that runs the pipeline",
            remedy=f"run the pipeline by a Python {lock.runtime.python}",
        )


def require_newer(python: str) -> None:
    """Refuse to make an image with a newer Python than this one, which could not read the sources that are in it.

    Raises:
        ConfigError: it is newer, with what to do.
    """
    here = sys.version_info[:2]
    if Runtime(python=python).version > here:
        raise ConfigError(
            f"the image has Python {python}, and this is {here[0]}.{here[1]}",
            why="its sources are read, and the service built and tested, by the Python that runs the pipeline",
            remedy=f"run the pipeline by Python {python} or later; or write [image] base "
            f'= "{next(iter(PACKAGE_LOCKS))}"',
        )


def _wanted(config: Config) -> SpecifierSet:
    try:
        document: Mapping[str, Any] = tomllib.loads(text_of(config.root / config.service.source / "pyproject.toml"))
        return SpecifierSet(str(document["project"]["requires-python"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InvalidSpecifier):
        return SpecifierSet()  # `build` says what is wrong with it
