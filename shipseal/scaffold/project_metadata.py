"""Read what a project asks for, from its pyproject.toml, whoever's backend it is built by. Pure.

Sources: PyPA specifications "pyproject.toml", "Dependency Groups" and "Declaring build system dependencies"; the
documentation of setuptools ("Dynamic Metadata"), Poetry ("The pyproject.toml file") and Flit ("pyproject.toml, old
style") for what each of them says in a table of its own.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from packaging.utils import canonicalize_name

from shipseal.errors import UsageError
from shipseal.scaffold import hatch
from shipseal.scaffold.groups import for_tests, of_poetry
from shipseal.scaffold.legacy import declared
from shipseal.scaffold.lines import lines
from shipseal.scaffold.poetry import requirement

_DEPENDENCIES = "[project] dependencies"
_DEFAULT_BACKEND = ("setuptools>=40.8.0",)  # PEP 517, "Source trees"


@dataclass(frozen=True)
class ProjectMetadata:
    """What a project asks for.

    Args:
        name: its canonical name.
        build: what its backend needs.
        runtime: what it needs itself.
        test: what its tests need besides.
        extras: what it needs besides for something that not everybody wants, by name.
        scripts: its console scripts, `NAME` to `MODULE:OBJECT`.
        where: where each of the first three was found, in words.
        backend: the module that builds it.
        python: the versions of Python that it is for, as PEP 440 writes them; empty where it says nothing.
    """

    name: str
    build: tuple[str, ...]
    runtime: tuple[str, ...]
    test: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]]
    scripts: Mapping[str, str]
    where: Mapping[str, str]
    backend: str
    python: str

    @classmethod
    def read(cls, text: str | None, files: Mapping[str, str]) -> Self:
        """Read a pyproject.toml, and what setuptools reads beside it.

        Args:
            text: its content; None where there is none.
            files: setup.cfg, setup.py and requirements files that lie beside it, by name.

        Raises:
            UsageError: it is none, or has no name; with what to write.
        """
        try:
            document = tomllib.loads(text or "")
            return cls._read(document, files)
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
            raise _not_understood(reason, there=text is not None) from error

    @classmethod
    def _read(cls, document: dict[str, Any], files: Mapping[str, str]) -> Self:
        project, beside = _project(document, files)
        tool, system = document.get("tool", {}), document.get("build-system", {})
        poetry, flit = tool.get("poetry", {}), tool.get("flit", {}).get("metadata", {})
        name = project.get("name") or poetry.get("name") or flit.get("dist-name") or flit.get("module")
        if not name:
            raise ValueError("nothing in pyproject.toml, setup.cfg or setup.py says its name")
        runtime, from_where = _runtime(project, tool, files, beside)
        test, tests_from = for_tests({**document, "project": project}, files)
        built = (*system.get("requires", _DEFAULT_BACKEND), *project.get("build-requires", ()), *hatch.hooks(tool))
        return cls(
            canonicalize_name(str(name)),
            tuple(dict.fromkeys(map(str, built))),
            runtime,
            test,
            {extra: tuple(map(str, wanted)) for extra, wanted in project.get("optional-dependencies", {}).items()},
            {**poetry.get("scripts", {}), **project.get("scripts", {})},
            {"build": "[build-system] requires", "runtime": from_where, "test": tests_from},
            str(system.get("build-backend", "setuptools.build_meta")),
            project.get("requires-python", "") or flit.get("requires-python", "") or _python_of(poetry),
        )


def _not_understood(reason: str, *, there: bool) -> UsageError:
    if there:
        return UsageError(
            "pyproject.toml cannot be understood",
            why=reason,
            remedy="see that it has [build-system], and [project] with a name: packaging.python.org, pyproject.toml",
        )
    return UsageError(
        "there is no pyproject.toml, and what setup.cfg and setup.py say does not do",
        why=reason,
        remedy='write one: [build-system] requires = ["setuptools"], build-backend = "setuptools.build_meta"; and '
        "[project] with name, version and dependencies",
    )


def _project(document: Mapping[str, Any], files: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return `[project]` with what stands elsewhere in its place, and where its dependencies stand then."""
    stated, tool = document.get("project", {}), document.get("tool", {})
    dynamic = set(stated.get("dynamic", ())) & {"dependencies", "optional-dependencies", "scripts", "requires-python"}
    if "poetry" in tool or "flit" in tool or (stated and not dynamic):
        return dict(stated), ""
    found, where = hatch.declared(tool, files)
    if not found:
        found, where = declared(files)
        where = f"{where} install_requires"
    return {**{key: value for key, value in found.items() if key in dynamic or not stated}, **stated}, where


def _python_of(poetry: Mapping[str, Any]) -> str:
    constraint = poetry.get("dependencies", {}).get("python", "*")
    return requirement("", constraint) if isinstance(constraint, str) and "||" not in constraint else ""


def _runtime(
    project: Mapping[str, Any], tool: Mapping[str, Any], files: Mapping[str, str], beside: str
) -> tuple[tuple[str, ...], str]:
    """Return what the project needs, and where it says so."""
    dynamic = "dependencies" in project.get("dynamic", ())
    listed = tool.get("setuptools", {}).get("dynamic", {}).get("dependencies", {}).get("file", [])
    if "dependencies" in project and not (dynamic and listed):
        return tuple(map(str, project["dependencies"])), beside or _DEPENDENCIES
    if dynamic:
        named = [listed] if isinstance(listed, str) else list(listed) or ["requirements.txt"]
        if found := [name for name in named if name in files]:
            return tuple(line for name in found for line in lines(files[name])), ", ".join(found)
    if "dependencies" in tool.get("poetry", {}):
        wanted = {key: value for key, value in tool["poetry"]["dependencies"].items() if key != "python"}
        return tuple(of_poetry(wanted)), "[tool.poetry.dependencies]"
    if requires := tool.get("flit", {}).get("metadata", {}).get("requires"):
        return tuple(map(str, requires)), "[tool.flit.metadata] requires"
    if not project and "requirements.txt" in files:
        return tuple(lines(files["requirements.txt"])), "requirements.txt"
    return (), "it asks for nothing"
