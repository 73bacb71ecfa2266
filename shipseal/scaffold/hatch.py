"""Read what projects of Hatch leave to its plugins. Pure.

Sources: Hatch's documentation, "Build hooks" and "Metadata hooks"; that of the plugin hatch-requirements-txt.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shipseal.scaffold.lines import lines


def declared(tool: Mapping[str, Any], files: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """Return what hatch-requirements-txt puts into `[project]`, and the files that it reads the dependencies from.

    Args:
        tool: the `[tool]` of a pyproject.toml.
        files: requirements files of the project, by name.
    """
    hook = tool.get("hatch", {}).get("metadata", {}).get("hooks", {}).get("requirements_txt", {})
    named = [*hook.get("files", ()), *([hook["filename"]] if "filename" in hook else [])]
    extras = hook.get("optional-dependencies", {})
    found = {
        "dependencies": list(_requirements(named, files)),
        "optional-dependencies": {extra: list(_requirements(each, files)) for extra, each in extras.items()},
    }
    return {key: value for key, value in found.items() if value}, ", ".join(named)


def _requirements(named: list[str], files: Mapping[str, str]) -> Iterator[str]:
    for name in named:
        yield from lines(files.get(name, ""))


def hooks(tool: Mapping[str, Any]) -> Iterator[str]:
    """Yield what its build hooks need besides: it asks for that when it is about to build (PEP 517 has a hook)."""
    build = tool.get("hatch", {}).get("build", {})
    for place in (build, build.get("targets", {}).get("wheel", {})):
        yield from place.get("dependencies", ())
        for hook in place.get("hooks", {}).values():
            yield from hook.get("dependencies", ())
