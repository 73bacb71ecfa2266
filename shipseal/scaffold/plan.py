"""Decide what `init` writes for a project, each thing with its reason. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from shipseal.errors import UsageError
from shipseal.scaffold import needs
from shipseal.scaffold.callables import Callable, callables, health, others
from shipseal.scaffold.project_metadata import ProjectMetadata
from shipseal.scaffold.versions import chosen

_NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_LONGEST = 63  # characters of a service's name, as of a label of DNS
_GENERATED = "tests/test_starts.py"


@dataclass(frozen=True)
class ScaffoldPlan:
    """What will be written.

    Args:
        name: of the service.
        start: the lines of `[service]` that say how it starts, each with its reason.
        health: a path, and why that.
        tests: the paths of its tests.
        wanted: the requirements of each lock, by its name: `runtime`, `build` and `test`.
        where: where they were found.
        versions: the versions that were chosen before, by package.
        lock: where those stood.
        image: the repository, and why that.
        source: where its policy says that releases come from; empty for a place holder.
        more: files that are made because nothing there does for them, by path.
        base: the runtime that its Python takes; empty for the default.
        python: the version of that Python.
        instead: paths that may do where the health path answers with an error.
    """

    name: str
    start: tuple[tuple[str, str], ...]
    health: tuple[str, str]
    tests: tuple[str, ...]
    wanted: Mapping[str, tuple[str, ...]]
    where: Mapping[str, str]
    versions: Mapping[str, str]
    lock: str
    image: tuple[str, str]
    source: str
    more: Mapping[str, str]
    base: str = ""
    python: str = "3.11"
    instead: tuple[str, ...] = ()


def plan(
    files: Mapping[str, str],
    modules: Mapping[str, str],
    tests: Sequence[str],
    origin: str,
    named: str = "",
    offered: Mapping[str, str] = MappingProxyType({"debian-12": "3.11"}),
) -> ScaffoldPlan:
    """Return what to write.

    Args:
        files: the text of what lies in the project, by name.
        modules: the source of each module, by dotted name.
        tests: where its tests are.
        origin: the address of its repository, or nothing.
        named: the callable that its people say it is, `MODULE:NAME`; nothing to have it found.
        offered: the Python of each runtime, by its name, the default first.

    Raises:
        UsageError: it cannot be decided, with what to write.
    """
    asked = ProjectMetadata.read(files.get("pyproject.toml"), files)
    base = needs.runtime(asked, offered)
    found = _callable(modules, named)
    versions, lock = chosen(files)
    extra, wanted = needs.extra_of(asked, found, modules)
    start, servers = _start(asked, found, modules)
    own = (*asked.runtime, *wanted)
    return ScaffoldPlan(
        name=asked.name[:_LONGEST].strip("-"),
        start=tuple((f"{key} = {json.dumps(value)}", why) for key, value, why in start),
        health=health(modules),
        tests=tuple(tests) or ("tests",),
        wanted={
            "runtime": (*own, *(each for each in servers if each not in needs.names(own))),
            "build": asked.build,
            "test": asked.test if tests else ("pytest",),
        },
        where={
            **asked.where,
            **({"runtime": f"{asked.where['runtime']}, and its extra {extra}"} if extra else {}),
            **({} if tests else {"test": f"what {_GENERATED} needs"}),
        },
        versions=versions,
        lock=lock,
        image=_image(asked.name, origin),
        source=origin if origin.startswith("https://") else "",
        more={
            **({} if "pyproject.toml" in files else {"pyproject.toml": _built_by(asked)}),
            **({} if tests else {_GENERATED: _test_of(found, start)}),
        },
        base="" if base == next(iter(offered)) else base,
        python=offered[base],
        instead=others(modules),
    )


def _start(
    asked: ProjectMetadata, found: Callable | None, modules: Mapping[str, str]
) -> tuple[list[tuple[str, object, str]], tuple[str, ...]]:
    """Return the keys that say how it starts, each with its reason, and the servers that this takes."""
    if not found:
        return [_command(asked, modules)], ()
    server, because = needs.server(asked, asgi=found.asgi)
    keys: list[tuple[str, object, str]] = [("callable", found.name, found.because)]
    return [*keys, *([("server", server, because)] if server != "waitress" else [])], (server,)


def _built_by(asked: ProjectMetadata) -> str:
    """Return a pyproject.toml for a project of setuptools that has none; what it is stays where it says it."""
    return (
        "# A wheel is built by what is named here (PEP 517): setuptools, which reads setup.cfg and setup.py.\n"
        f"[build-system]\nrequires = {json.dumps(list(asked.build))}\n"
    )


def _callable(modules: Mapping[str, str], named: str) -> Callable | None:
    found = callables(modules)
    if named and not _NAMED.fullmatch(named):
        raise UsageError(f"--callable {named!a} is not a callable", remedy="give it as MODULE:NAME: shop.web:app")
    if named:
        same = next((each for each in found if each.name == named), None)
        return same or Callable(named, asgi=False, because="you said so")
    # The likeliest is taken where another is only another module's name for it.
    if len({each.name.partition(":")[0].partition(".")[0] for each in found}) > 1:
        raise UsageError(
            "there are several applications in this project",
            why=[f"{each.name}   {each.because}" for each in found[:8]],
            remedy="say which one it is: --callable MODULE:NAME",
        )
    return found[0] if found else None


def _command(asked: ProjectMetadata, modules: Mapping[str, str]) -> tuple[str, list[str], str]:
    """Return the command that starts it, where nothing of it is an application."""
    for name, target in asked.scripts.items():
        module = target.partition(":")[0]
        for candidate in (module, f"{module}.__main__", f"{module.partition('.')[0]}.__main__"):
            if candidate in modules and (candidate.endswith("__main__") or "__main__" in modules[candidate]):
                return "command", ["-m", candidate.removesuffix(".__main__")], f"[project.scripts] {name} = {target}"
    mains = sorted(name.removesuffix(".__main__") for name in modules if name.endswith(".__main__"))
    if len(mains) == 1:
        return "command", ["-m", mains[0]], f"{mains[0]} has a __main__"
    raise UsageError(
        "nothing in this project looks like a service",
        why="no module has an application of WSGI or ASGI at its top level, and none starts by `python -m`",
        remedy="write a module with one, `app = create_app()`, or say which it is: --callable MODULE:NAME",
    )


def _image(name: str, origin: str) -> tuple[str, str]:
    owner = urlsplit(origin).path.strip("/").partition("/")[0].lower() if origin.startswith("https://") else ""
    if re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", owner):
        return f"docker.io/{owner}/{name}", f"the owner of {origin}: is it yours?"
    return f"docker.io/example/{name}", "a place holder: where will your images be?"


def _test_of(found: Callable | None, start: Sequence[tuple[str, object, str]]) -> str:
    """Return a test for a project that has none: that what is started can be imported, in the image as well."""
    if found:
        module, _, name = found.name.partition(":")
        body = f"    assert callable(import_module({module!r}).{name})\n"
    else:
        command = start[0][1]
        assert isinstance(command, list)
        body = f"    assert find_spec({command[1]!r})\n"
    needed = "from importlib import import_module" if found else "from importlib.util import find_spec"
    return f'"""The service can be started."""\n\n{needed}\n\n\ndef test_what_is_started_is_there() -> None:\n{body}'
