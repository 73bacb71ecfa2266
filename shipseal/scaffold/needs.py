"""Decide what a service needs besides what it asks for at all times: an extra, a server, a Python. Pure."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from shipseal.errors import UsageError
from shipseal.scaffold.callables import Callable
from shipseal.scaffold.project_metadata import ProjectMetadata

_SERVERS = {False: ("gunicorn",), True: ("uvicorn", "granian")}
_DEFAULT = {False: "waitress", True: "uvicorn"}
_FRAMEWORKS = {
    *("aiohttp", "blacksheep", "bottle", "cherrypy", "django", "falcon", "fastapi", "flask", "litestar", "pyramid"),
    *("quart", "sanic", "starlette", "tornado", "werkzeug"),
}


def names(requirements: Sequence[str]) -> set[str]:
    """Return the canonical names of requirements."""
    return {canonicalize_name(re.split(r"[^A-Za-z0-9._-]", each.strip(), maxsplit=1)[0]) for each in requirements}


def server(asked: ProjectMetadata, *, asgi: bool) -> tuple[str, str]:
    """Return what serves an application, and why."""
    kind = "ASGI" if asgi else "WSGI"
    for each in _SERVERS[asgi]:
        if each in names(asked.runtime):
            return each, f"it is an application of {kind}, and the project asks for {each}"
    return _DEFAULT[asgi], f"it is an application of {kind}"


def extra_of(asked: ProjectMetadata, found: Callable | None, modules: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return the extra that an application cannot do without, and what is in it; nothing where there is none.

    Many command lines have a service for those who want it: what it is made with is then in an extra alone.
    """
    package = found.name.partition(":")[0].rpartition(".")[0] if found else ""
    near = [text for name, text in modules.items() if package and f"{name}.".startswith(f"{package}.")]
    imported = {name for text in near for name in _imported(text)} & _FRAMEWORKS
    if not imported & names(asked.runtime):
        for name, wanted in asked.extras.items():
            if imported & names(wanted):
                return name, tuple(_whole(asked, wanted, frozenset({name})))
    return "", ()


def _whole(asked: ProjectMetadata, wanted: Sequence[str], within: frozenset[str]) -> Iterator[str]:
    """Yield requirements, those of the project's own extras in place of `PROJECT[EXTRA]`."""
    for each in wanted:
        if asked.name not in names([each]):
            yield each
        elif named := re.search(r"\[([^]]*)\]", each):
            for inner in {part.strip() for part in named[1].split(",")} - within:
                yield from _whole(asked, asked.extras.get(inner, ()), within | {inner})


def _imported(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def runtime(asked: ProjectMetadata, offered: Mapping[str, str]) -> str:
    """Return the first runtime whose Python the project is for.

    Args:
        offered: the version of Python in each, by its name, the default first.

    Raises:
        UsageError: none is, with what to write.
    """
    try:
        wanted = SpecifierSet(asked.python)
    except InvalidSpecifier as error:
        raise UsageError(
            f"{asked.name} is for a Python that cannot be understood: {asked.python!a}",
            remedy='write it as PEP 440 has it: requires-python = ">=3.11"',
        ) from error
    for name, python in offered.items():
        if wanted.contains(python):
            return name
    raise UsageError(
        f"{asked.name} is for Python {wanted}, which no image has",
        why=[f"{name} has {python}" for name, python in offered.items()],
        remedy=f'write requires-python = ">={next(iter(offered.values()))}" once it runs '
        f"there; or lock the packages of "
        "another Debian, and name the file in image.packages",
    )
