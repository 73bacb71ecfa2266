"""Find the modules that a service needs, by reading import statements and running nothing. Pure.

What counts as needed follows from who wrote the import, and how:

- At the top of a module it is needed. In the service and its wheels this holds for one guarded by `except ImportError`
  too, where the module can be found. In the standard library a guarded one is left out, as an alternative for another
  platform; unless it is an extension module that can be loaded, for that is the faster half of its importer, or takes
  the place of one that cannot.
- Inside a function of the service it is needed, unless the service says in any place that it can do without the module.
- Inside a function of a wheel it is needed only if it is in a wheel itself; of the standard library, never, but for the
  few that `deferred` lists.
- Named in a string of the service or a wheel it is needed, where it can be imported. That holds for codecs too, by any
  of their names, and in the standard library where it uses one.
- Below a module of the service or a wheel that is no package, it is made by that module when it runs, and not missing.
- What can do without it never needs a module that itself needs another one which nobody has: an extra of a wheel.

All that is left out is listed with its reason, so that `modules` in pipeline.toml can bring it back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from shipseal.errors import SubjectFailed
from shipseal.image.codec_names import PACKAGE, Codecs
from shipseal.image.dynamic_imports import begun, deferred, named, words
from shipseal.image.imports import Import
from shipseal.image.module import Module, Origin, can_do_without, imports_of, nowhere, with_parents

__all__ = ["Closure", "Module", "Origin", "close"]


@dataclass
class Closure:
    """What a service needs.

    Args:
        needed: each module by name, with the name of the one that first asked for it.
        left_out: what is imported somewhere and is not needed by the rules, with the place that imports it.
        made: what has no file, with the module that makes it at run time; nothing where pipeline.toml alone says so.
    """

    needed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    def without_needed(self) -> Self:
        """Return it with nothing among what is left out that another import needs."""
        left_out = {name: where for name, where in self.left_out.items() if name not in self.needed}
        return type(self)(self.needed, left_out, self.made)


def close(
    modules: Mapping[str, Module],
    builtin: Iterable[str],
    seeds: Iterable[str],
    *,
    made: Iterable[str] = (),
    whole: bool = False,
) -> Closure:
    """Return all that the seeds need.

    Args:
        modules: all that could be in the image, by name.
        builtin: names that are in the interpreter itself and need no file.
        seeds: where to start; `package.*` stands for a package and all below it that can be imported.
        made: names that are made at run time, with all below them.
        whole: everything is in the image anyway, so that what is nowhere, or is no Python, is told and not refused.

    Raises:
        SubjectFailed: a needed module is nowhere, or its source is no Python.
    """
    encodings = {name: each.source() for name, each in modules.items() if each.source and name.startswith(PACKAGE)}
    search = _Search(modules, frozenset(builtin), can_do_without(modules), Codecs(encodings), frozenset(made), whole)
    search.follow((name, "", 0) for seed in seeds for name in search.expand(seed))
    while more := search.deferred():
        search.follow(more)
    return search.found.without_needed()


@dataclass
class _Search:
    """What is known so far.

    Args:
        absent: for what was asked, the module without which importing it must fail, or nothing.
        builtin_needed: what is needed and in the interpreter itself.
        used: words of the service and its wheels that `deferred` knows.
    """

    modules: Mapping[str, Module]
    builtin: frozenset[str]
    can_do_without: frozenset[str]
    codecs: Codecs
    made: frozenset[str]
    whole: bool
    found: Closure = field(default_factory=Closure)
    absent: dict[str, str] = field(default_factory=dict)
    builtin_needed: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def expand(self, seed: str) -> Iterator[str]:
        """Yield the modules that a seed stands for."""
        package, star, _ = seed.partition(".*")
        yield package
        for name in sorted(self.modules) if star else ():
            if name.startswith(f"{package}."):
                if absent := self._absent(name):
                    self.found.left_out.setdefault(name, f"{seed}, and it needs {absent}, which is nowhere")
                else:
                    yield name

    def follow(self, wanted: Iterable[tuple[str, str, int]]) -> None:
        """Take in modules and all that they need; each comes with its importer and the line of the import."""
        waiting = list(wanted)
        while waiting:
            name, by, line = waiting.pop()
            for part in with_parents(name):
                if part in self.modules:
                    waiting += self._need(part, by) if part not in self.found.needed else ()
                elif not self._inside(part) and self._maker(part) is None:
                    if not (self.whole and by):
                        raise nowhere(part, by, line)
                    self.found.left_out.setdefault(part, f"{by}, line {line}, and it is nowhere")
                    break

    def deferred(self) -> list[tuple[str, str, int]]:
        """Return what the standard library will import besides when it is used as it is here."""
        there = self.found.needed.keys() | self.builtin_needed
        return [(name, by, 0) for name, by in deferred(there, self.used) if name in self.modules and name not in there]

    def _inside(self, name: str) -> bool:
        """Say whether a module is in the interpreter itself and needs no file."""
        return name in self.builtin and name not in self.modules

    def _need(self, name: str, by: str) -> Iterator[tuple[str, str, int]]:
        """Record a module, and yield what it needs in turn: each with who asks for it, and the line."""
        module = self.modules[name]
        self.found.needed[name] = by
        if module.source is not None:
            yield from self._told(module, module.source())
        yield from ((each, name, 0) for each in module.compiled_in if each in self.modules)
        for each in self._imports(module):
            wanted, where = self._from_its_maker(each), f"{module.path}:{each.line}"
            if not wanted.name:
                continue
            if self._inside(wanted.name):
                self.builtin_needed.add(wanted.name)
            elif not self._wants(wanted, module):
                if not wanted.attribute and wanted.name in self.modules:
                    self.found.left_out.setdefault(wanted.name, where)
            elif absent := self._absent_for(wanted, module):
                self.found.left_out.setdefault(wanted.name, f"{where}, and it needs {absent}, which is nowhere")
            else:
                yield wanted.name, name, wanted.line

    def _told(self, module: Module, source: bytes) -> Iterator[tuple[str, str, int]]:
        """Yield what a source needs and no statement of it shows."""
        standard = module.origin is Origin.STANDARD
        if not standard:
            self.used |= words(source)
            yield from self._named(source, module.name)
        if not module.name.startswith(PACKAGE):  # each of those names itself
            for name in sorted(self.codecs.named(source, used=standard) - self.found.needed.keys()):
                if self._loads(name):
                    yield name, module.name, 0
                else:
                    self.found.left_out.setdefault(name, f"{module.path}, and what it needs cannot be loaded")

    def _loads(self, name: str) -> bool:
        """Say whether a module can be imported with what is at hand, its shared libraries too."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            for part in with_parents(waiting.pop()):
                module = self.modules.get(part)
                if module is None and not self._inside(part):
                    return False
                if module is not None and part not in seen:
                    if not module.loadable:
                        return False
                    seen.add(part)
                    waiting += self._always(module)
        return True

    def _maker(self, name: str) -> str | None:
        """Return the module that makes another at run time, nothing where no file does; None if none is known to."""
        there = next((part for part in reversed(with_parents(name)) if part in self.modules), "")
        if not self.made.isdisjoint(with_parents(name)):
            return there
        above = self.modules.get(there)
        return there if above and there != name and not above.package and above.origin is not Origin.STANDARD else None

    def _from_its_maker(self, wanted: Import) -> Import:
        """Return an import of what has no file as one of the module that makes it."""
        if wanted.name in self.modules or self._inside(wanted.name) or (maker := self._maker(wanted.name)) is None:
            return wanted
        if not wanted.attribute:
            self.found.made.setdefault(wanted.name, maker)
        return replace(wanted, name=maker, attribute=False)

    def _imports(self, module: Module) -> tuple[Import, ...]:
        """Read what a module imports; one of a library that cannot be parsed imports nothing where all is kept."""
        try:
            return imports_of(module)
        except SubjectFailed:
            if not self.whole or module.origin is Origin.SERVICE:
                raise
            return ()  # it may be for another Python, and is there as it came

    def _named(self, source: bytes, by: str) -> Iterator[tuple[str, str, int]]:
        """Yield the modules that a source names in strings: the longest part of each name that is one.

        Of a name that is put together it is each that begins like it.
        """
        for name in sorted(self.modules) if (starts := tuple(begun(source))) else ():
            if name.startswith(starts) and not self._absent(name):
                yield name, by, 0
        for name in sorted(named(source)):
            module = next((part for part in reversed(with_parents(name)) if part in self.modules), "")
            if module and not self._absent(module):
                yield module, by, 0

    def _wants(self, wanted: Import, by: Module) -> bool:
        """Say whether an import is followed: by who asks, and whether it is guarded, late, or may be an attribute."""
        target = self.modules.get(wanted.name)
        if target is None:
            # `from a import b` needs a, which has an entry of its own; b may be an attribute of it.
            may_be_missing = wanted.attribute or wanted.guarded or wanted.conditional or wanted.lazy
            return not may_be_missing and wanted.name not in self.builtin
        if by.origin is Origin.STANDARD:
            accelerates = target.source is None and target.loadable
            return not wanted.lazy and (not wanted.guarded or accelerates or self._replaces(wanted))
        if not wanted.lazy or target.origin is not Origin.STANDARD:
            return True
        return by.origin is Origin.SERVICE and wanted.name not in self.can_do_without

    def _replaces(self, wanted: Import) -> bool:
        """Say whether an import of the standard library takes the place of an extension that will not be there."""
        tried = [self.modules.get(name) for name in wanted.instead if not self._inside(name)]
        return any(each is not None and each.source is None and not each.loadable for each in tried)

    def _absent_for(self, wanted: Import, by: Module) -> str:
        """Return what an optional import would need and nobody has; nothing when it can succeed, or has to.

        Part of a wheel may be for those who installed one of its extras. An import of it that is tried, or stands in a
        function that they alone call, is no reason to refuse the rest.
        """
        optional = wanted.guarded or wanted.conditional or (wanted.lazy and by.origin is Origin.WHEEL)
        return self._absent(wanted.name) if optional and wanted.name in self.modules else ""

    def _absent(self, name: str) -> str:
        """Return a module that is nowhere and without which importing `name` must fail, or nothing."""
        seen: set[str] = set()
        waiting = [] if name in self.absent else [name]
        while waiting:
            for part in with_parents(waiting.pop()):
                if part in seen or part in self.found.needed or self._inside(part):
                    continue  # what is needed is looked at anyway, and refused
                if part not in self.modules or self.absent.get(part):
                    return self.absent.setdefault(name, self.absent.get(part) or part)
                seen.add(part)
                if part not in self.absent:
                    waiting += self._always(self.modules[part])
        self.absent |= dict.fromkeys(seen, "")
        return self.absent.get(name, "")

    def _always(self, module: Module) -> Iterator[str]:
        """Yield what a module imports whatever happens."""
        for each in map(self._from_its_maker, self._imports(module)):
            if each.name and self._wants(each, module) and not (each.lazy or each.guarded or each.conditional):
                yield each.name
