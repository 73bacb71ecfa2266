"""Find the modules that a service needs, by reading import statements and running nothing.

What counts as needed follows from who wrote the import, and how:

- At the top of a module it is needed. In the service and its wheels this holds for one guarded by `except ImportError`
  too, where the module can be found. In the standard library a guarded one is left out, as an alternative for another
  platform; unless it is an extension module that can be loaded, for that is the faster half of its importer.
- Inside a function of the service it is needed, unless the service says in any place that it can do without the module.
- Inside a function of a wheel it is needed only if it is in a wheel itself; of the standard library, never.

All that is left out is listed with its reason, so that `modules` in pipeline.toml can bring it back.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from pipeline.errors import SubjectFailed
from pipeline.image.imports import Import, imports


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
    """

    name: str
    path: str
    origin: Origin
    package: bool = False
    source: Callable[[], bytes] | None = None
    loadable: bool = True


@dataclass
class Closure:
    """What a service needs.

    Args:
        needed: each module by name, with the name of the one that first asked for it.
        left_out: what is imported somewhere and is not needed by the rules, with the place that imports it.
    """

    needed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def close(modules: Mapping[str, Module], builtin: Iterable[str], seeds: Iterable[str]) -> Closure:
    """Return all that the seeds need.

    Args:
        modules: all that could be in the image, by name.
        builtin: names that are in the interpreter itself and need no file.
        seeds: where to start; `package.*` stands for a package and all below it.

    Raises:
        SubjectFailed: a needed module is nowhere, or its source is no Python.
    """
    found = Closure()
    can_do_without = _can_do_without(modules)
    inside = frozenset(builtin)
    waiting = [(name, "", 0) for seed in seeds for name in _expand(seed, modules)]
    while waiting:
        name, by, line = waiting.pop()
        for part in _with_parents(name):
            if part in found.needed or (part in inside and part not in modules):
                continue
            if part not in modules:
                raise _nowhere(part, by, line)
            found.needed[part] = by
            for wanted in _imports(modules[part]):
                if _follow(wanted, modules[part], modules, inside, can_do_without):
                    waiting.append((wanted.name, part, wanted.line))
                elif not wanted.attribute and wanted.name in modules:
                    found.left_out.setdefault(wanted.name, f"{modules[part].path}:{wanted.line}")
    found.left_out = {name: where for name, where in found.left_out.items() if name not in found.needed}
    return found


def _follow(
    wanted: Import, by: Module, modules: Mapping[str, Module], builtin: frozenset[str], can_do_without: frozenset[str]
) -> bool:
    target = modules.get(wanted.name)
    if target is None:
        # `from a import b` needs a, which has an entry of its own; b may be an attribute of it.
        may_be_missing = wanted.attribute or wanted.guarded or wanted.conditional or wanted.lazy
        return not may_be_missing and wanted.name not in builtin
    if by.origin is Origin.STANDARD:
        return not wanted.lazy and (not wanted.guarded or (target.source is None and target.loadable))
    if not wanted.lazy or target.origin is not Origin.STANDARD:
        return True
    return by.origin is Origin.SERVICE and wanted.name not in can_do_without


def _can_do_without(modules: Mapping[str, Module]) -> frozenset[str]:
    """Return what the service imports in a function and under `except ImportError`."""
    own = (module for module in modules.values() if module.origin is Origin.SERVICE)
    return frozenset(wanted.name for module in own for wanted in _imports(module) if wanted.lazy and wanted.guarded)


def _expand(seed: str, modules: Mapping[str, Module]) -> list[str]:
    package, star, _ = seed.partition(".*")
    return [package, *(name for name in sorted(modules) if star and name.startswith(f"{package}."))]


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _nowhere(name: str, by: str, line: int) -> SubjectFailed:
    wanted_by = f"{by} imports it in line {line}" if by else "pipeline.toml names it"
    return SubjectFailed(
        f"there is no module {name}",
        why=f"{wanted_by}; it is not in the service's wheel, its locked wheels or Python's standard library",
        do="lock the package that has it in service.lock, or correct the import",
    )


def _imports(module: Module) -> tuple[Import, ...]:
    if module.source is None:
        return ()
    package = module.name if module.package else module.name.rpartition(".")[0]
    try:
        return imports(module.source(), package)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{module.path}:{line}" if line else module.path
        raise SubjectFailed(
            f"{where} is no Python", why=getattr(error, "msg", str(error)), do="correct it, or leave it out"
        ) from error
