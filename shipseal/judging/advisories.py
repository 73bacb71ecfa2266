"""Read what people know of advisories: the files under `policy/advisories/`. Schema: docs/vex.md. Pure.

An advisory's fact says where its vulnerable code is, and is true of every image; what an image holds is found in the
image. A caller's fact says of a program how it calls a function, and is true of every image that has that program.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Self

from pydantic import AnyUrl, Field, model_validator

from shipseal.errors import ConfigError
from shipseal.judging.packages import BarePurl
from shipseal.judging.rules import toml
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding
from shipseal.validation import Checked, check

_MODULE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"


class Known(Checked):
    """Where somebody has read a fact, what is to be seen there, and who has looked, on which day."""

    source: AnyUrl
    says: str = Field(min_length=20)
    looked_by: str = Field(min_length=1)
    looked_on: date


class Code(Known):
    """One place that holds the vulnerable code.

    Args:
        package: the package that is vulnerable, where a finding names another of the same source.
        files: patterns (`fnmatch`, below the root) of the files that hold it.
        module: the Python module that holds it, whatever file that is.
        library: the shared library that holds it, by the name that others load it by.
        functions: the functions that hold it: exported names of a library (patterns), or names in a module.
        argument: the texts without which no call reaches it; `#` stands for digits.
        configuration: the setting without which nothing reaches it. No machine looks for it: it is told to people.
    """

    package: BarePurl | None = None
    files: tuple[str, ...] = ()
    module: str = Field(default="", pattern=f"{_MODULE}|^$")
    library: str = ""
    functions: tuple[str, ...] = ()
    argument: tuple[str, ...] = ()
    configuration: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(map(bool, (self.package, self.files, self.module, self.library))) != 1:
            raise ValueError("give exactly one of package, files, module and library")
        if bool(self.library) > bool(self.functions):
            raise ValueError("library takes functions: which of its exported names hold the vulnerable code")
        if self.functions and not (self.library or self.module):
            raise ValueError("functions are those of a library or of a module")
        if self.module and not all(each.isascii() and each.isidentifier() for each in self.functions):
            raise ValueError("functions of a module are names in ASCII, without the class that they are in")
        if self.argument and not self.library:
            raise ValueError("argument is what a function of a library is called with")
        if any(set(each) <= set("*?") for each in (*self.files, *self.functions, self.library) if each):
            raise ValueError("a pattern that fits everything names no place")
        if any(len(each.strip("#")) < _SHORTEST for each in self.argument):
            raise ValueError(f"a text of an argument has {_SHORTEST} characters at least, or chance finds it anywhere")
        return self


_SHORTEST = 3


class Advisory(Checked):
    """What one advisory is about: every place of its vulnerable code in the packages of one source."""

    id: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    packages: tuple[BarePurl, ...] = Field(min_length=1)
    about: str = Field(min_length=20)
    code: tuple[Code, ...] = Field(min_length=1)

    @property
    def names(self) -> frozenset[str]:
        """Every id that it goes by."""
        return frozenset({self.id, *self.aliases})

    def covers(self, finding: Finding) -> bool:
        """Say whether a finding is about it."""
        return bool(self.names & finding.names) and any(
            Purl.parse(each).covers(finding.subject) for each in self.packages
        )


class Caller(Known):
    """How a program calls functions: looked up in the source of one upstream version, whoever has packaged it."""

    package: BarePurl
    upstream: str = Field(min_length=1)
    functions: tuple[str, ...] = Field(min_length=1)

    def is_of(self, package: Purl) -> bool:
        """Say whether a package is a build of what was looked at."""
        return Purl.parse(self.package).covers(package) and upstream(package.version) == self.upstream


class Facts(Checked):
    """A file under `policy/advisories/`."""

    advisory: tuple[Advisory, ...] = ()
    caller: tuple[Caller, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.advisory or self.caller):
            raise ValueError("it has neither [[advisory]] nor [[caller]]")
        return self


@dataclass(frozen=True)
class Knowledge:
    """All facts together: each advisory with the file that has it, and the callers."""

    advisories: tuple[tuple[str, Advisory], ...] = ()
    callers: tuple[Caller, ...] = ()

    def about(self, finding: Finding) -> tuple[str, Advisory] | None:
        """Return the fact about a finding, with its file; None where nobody has looked."""
        near = (each for name in sorted(finding.names) for each in self._named.get(name, ()))
        return next((each for each in near if each[1].covers(finding)), None)

    @cached_property
    def _named(self) -> dict[str, list[tuple[str, Advisory]]]:
        named: dict[str, list[tuple[str, Advisory]]] = {}
        for each in self.advisories:
            for name in each[1].names:
                named.setdefault(name, []).append(each)
        return named


def upstream(version: str) -> str:
    """Return the upstream part of a Debian version (deb-version(7))."""
    rest = version.partition(":")[2] or version
    return rest.rpartition("-")[0] or rest


def read_facts(text: str, where: str) -> Facts:
    """Read a file of facts; raise `ConfigError` for a key that nobody knows, and for a fact without its source."""
    return check(Facts, toml(text, where), where)


def together(files: Mapping[str, Facts]) -> Knowledge:
    """Join the files; raise `ConfigError` where two speak of one advisory in one package, or of one caller."""
    advisories = tuple((name, each) for name, facts in sorted(files.items()) for each in facts.advisory)
    seen: dict[str, list[tuple[str, Advisory]]] = {}
    for name, each in advisories:
        for known in sorted(each.names):
            for other, earlier in seen.setdefault(known, []):
                if shared := _shared(each.packages, earlier.packages):
                    raise _contradiction(f"{known} in {shared}", other, name)
            seen[known].append((name, each))
    callers: dict[tuple[str, str, str], str] = {}
    for name, facts in sorted(files.items()):
        for caller in facts.caller:
            for function in caller.functions:
                earlier_file = callers.setdefault((caller.package, caller.upstream, function), name)
                if earlier_file != name:
                    raise _contradiction(f"how {caller.package} calls {function}", earlier_file, name)
    return Knowledge(advisories, tuple(each for facts in files.values() for each in facts.caller))


def _shared(one: Iterable[str], other: Iterable[str]) -> str:
    """Return a package of which both speak, or nothing."""
    pairs = ((Purl.parse(first), Purl.parse(second)) for first in one for second in other)
    return next((str(first) for first, second in pairs if first.covers(second) or second.covers(first)), "")


def _contradiction(what: str, one: str, other: str) -> ConfigError:
    return ConfigError(
        f"two facts speak of {what}",
        why=[f"{file} has one" for file in dict.fromkeys((one, other))],
        remedy="keep the one that is true; a project's file replaces the pipeline's of the same name",
    )


def text_pattern(text: str) -> re.Pattern[bytes]:
    """Return what finds the text of an argument in a file: `#` stands for digits, all else for itself."""
    parts = [re.escape(part.encode()) for part in text.split("#")]
    return re.compile(rb"[0-9]+".join(parts))


def texts(advisories: Iterable[Advisory]) -> dict[str, re.Pattern[bytes]]:
    """Return the texts of arguments that have to be looked for, each with what finds it."""
    return {text: text_pattern(text) for each in advisories for code in each.code for text in code.argument}
