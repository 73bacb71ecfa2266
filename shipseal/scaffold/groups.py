"""Find what the tests of a project need besides it, wherever it says so. Pure.

Sources: PyPA specification "Dependency Groups"; Poetry's documentation, "Dependency groups".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from shipseal.scaffold.lines import lines
from shipseal.scaffold.poetry import requirement

_TEST = ("test", "tests", "testing", "dev", "develop", "development")
"""What people call the group of packages that their tests need, the likeliest first."""

_FILES = (
    *("requirements-{}.txt", "{}-requirements.txt", "requirements/{}.txt", "{}/requirements.txt"),
    *("requirements_{}.txt", "requirements.{}.txt", "{}.requirements.txt", "{}_requirements.txt"),
)


def for_tests(document: Mapping[str, Any], files: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Return what the tests need, pytest at least, and where that stands."""
    for name in _TEST:
        for found, where in _groups(document, name):
            return _with_pytest(found), where
        for file in (each.format(name) for each in _FILES):
            if file in files:
                return _with_pytest(tuple(lines(files[file]))), file
    return ("pytest",), "no group of packages for tests: pytest alone"


def _groups(document: Mapping[str, Any], name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    groups = document.get("dependency-groups", {})
    if name in groups:
        yield tuple(_group(groups, name, frozenset())), f"[dependency-groups] {name}"
    extras = document.get("project", {}).get("optional-dependencies", {})
    if name in extras:
        yield tuple(map(str, extras[name])), f"[project.optional-dependencies] {name}"
    poetry = document.get("tool", {}).get("poetry", {})
    if name in (group := poetry.get("group", {})):
        yield tuple(of_poetry(group[name]["dependencies"])), f"[tool.poetry.group.{name}.dependencies]"
    if name == "dev" and "dev-dependencies" in poetry:
        yield tuple(of_poetry(poetry["dev-dependencies"])), "[tool.poetry.dev-dependencies]"


def _group(groups: Mapping[str, Any], name: str, within: frozenset[str]) -> Iterator[str]:
    """Yield the requirements of a dependency group, and those of the groups that it includes."""
    if name in within:
        raise ValueError(f"the dependency group {name} includes itself")
    for each in groups[name]:
        if isinstance(each, str):
            yield each
        else:
            yield from _group(groups, each["include-group"], within | {name})


def of_poetry(wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield the requirements of a table of Poetry's; what is optional is left out."""
    for name, constraint in wanted.items():
        if isinstance(constraint, Mapping) and constraint.get("optional"):
            continue
        yield requirement(name, constraint)


def _with_pytest(found: tuple[str, ...]) -> tuple[str, ...]:
    names = {canonicalize_name(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in found}
    return found if "pytest" in names else (*found, "pytest")
