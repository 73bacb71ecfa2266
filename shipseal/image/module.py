"""Say what a module is, who wrote it, and what it imports. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from shipseal.errors import SubjectFailed
from shipseal.image.imports import Import, imports


class Origin(Enum):
    """Who wrote a module."""

    SERVICE = auto()
    WHEEL = auto()
    STANDARD = auto()


@dataclass(frozen=True)
class Module:
    """A module that can be imported.

    Args:
        path: its file, below the root of the image.
        package: whether it is a package's `__init__`.
        source: returns its Python source; None for an extension module without one.
        loadable: false for an extension module whose shared libraries are not at hand.
        compiled_in: what the code of an extension module imports, as far as that is known.
    """

    name: str
    path: str
    origin: Origin
    package: bool = False
    source: Callable[[], bytes] | None = None
    loadable: bool = True
    compiled_in: tuple[str, ...] = ()


def can_do_without(modules: Mapping[str, Module]) -> frozenset[str]:
    """Return what the service imports in a function and under `except ImportError`."""
    own = (module for module in modules.values() if module.origin is Origin.SERVICE)
    return frozenset(wanted.name for module in own for wanted in imports_of(module) if wanted.lazy and wanted.guarded)


def with_parents(name: str) -> list[str]:
    """Return a name and those of all packages above it, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


_APART = {
    "distutils": "use what takes its place (PEP 632 names it): Python itself has none from 3.12 on",
    "lib2to3": "do without it: Python itself has none from 3.13 on",
    "tkinter": "do without it: it is for desktops",
}
"""What Debian has in packages of its own, for whoever builds packages or has a desktop, and what to do then."""


def nowhere(name: str, by: str, line: int) -> SubjectFailed:
    """Return the failure that says that a module is missing, and who wants it."""
    wanted_by = f"{by} imports it in line {line}" if by else "pipeline.toml names it"
    if instead := _APART.get(name.partition(".")[0]):
        return SubjectFailed(
            f"there is no module {name}",
            why=f"{wanted_by}; of Python's standard library, Debian keeps it apart, and images have none of it",
            remedy=instead,
        )
    return SubjectFailed(
        f"there is no module {name}",
        why=f"{wanted_by}; it is not in the service's wheel, its locked wheels or Python's standard library",
        remedy="lock the package that has it in service.lock, or correct the import; name it in image.made-modules if a"
        " package makes it at run time",
    )


def imports_of(module: Module) -> tuple[Import, ...]:
    """Return what a module imports; raise `SubjectFailed` when its source is no Python."""
    if module.source is None:
        return ()
    package = module.name if module.package else module.name.rpartition(".")[0]
    try:
        return imports(module.source(), package)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{module.path}:{line}" if line else module.path
        raise SubjectFailed(
            f"{where} is not valid Python", why=getattr(error, "msg", str(error)), remedy="correct it, or leave it out"
        ) from error
