"""Compare what an image is about to hold with the list that people have reviewed. Pure.

The list names modules of the standard library and of wheels, and shared libraries. The service's own modules are not
in it: they are under review already, and they are what changes every day. Pure: texts and names in, a text or a refusal
out.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from shipseal.errors import ConfigError, SubjectFailed
from shipseal.image.closure import Module, Origin

FILENAME = "keep.toml"
"""Where the `image` stage writes the computed list, whether or not it is the reviewed one."""

_KINDS = ("standard", "wheels", "libraries")
_HEAD = """\
# What the image holds besides the service's own modules. The image stage computes this list and refuses any other one,
# so that nothing comes in, and nothing goes, without a reader. Why a module is there: closure.json of the image stage.
"""
_NAMED = 12


@dataclass(frozen=True)
class KeepList:
    """Modules of the standard library, modules of wheels, and shared libraries; of all platforms together."""

    standard: frozenset[str]
    wheels: frozenset[str]
    libraries: frozenset[str]

    @classmethod
    def of(cls, modules: Iterable[Module], paths: Iterable[str]) -> Self:
        """Return the list of what is chosen.

        Args:
            modules: those that are in the image as files.
            paths: of all files in the image.
        """
        kinds = {kind: {m.name for m in modules if m.origin is kind} for kind in (Origin.STANDARD, Origin.WHEEL)}
        beside = {path for path in paths if "/python3" not in path}
        names = {PurePosixPath(path).name for path in beside if ".so" in PurePosixPath(path).suffixes}
        return cls(frozenset(kinds[Origin.STANDARD]), frozenset(kinds[Origin.WHEEL]), frozenset(names))

    @classmethod
    def parse(cls, text: str, name: str = FILENAME) -> Self:
        """Read a reviewed list; raise `ConfigError` when it is none."""
        try:
            document = tomllib.loads(text)
            if document.keys() != set(_KINDS) or not all(isinstance(document[kind], list) for kind in _KINDS):
                raise ValueError(f"it must have the lists {', '.join(_KINDS)}, and nothing else")
            return cls(*(frozenset(map(str, document[kind])) for kind in _KINDS))
        except (tomllib.TOMLDecodeError, ValueError, TypeError) as error:
            raise ConfigError(
                f"{name} is not a valid keep-list", why=str(error), remedy="take the one that the image stage writes"
            ) from error

    def union(self, other: Self) -> Self:
        """Return what either holds."""
        return type(self)(*(getattr(self, kind) | getattr(other, kind) for kind in _KINDS))

    def text(self) -> str:
        """Return the list as a file, one name a line, sorted: a change is a change of one line."""
        lists = (
            f"{kind} = [\n" + "".join(f'    "{name}",\n' for name in sorted(getattr(self, kind))) + "]\n"
            for kind in _KINDS
        )
        return _HEAD + "".join(lists)


def check(computed: KeepList, reviewed: KeepList, name: str, needed: Mapping[str, str], computed_at: str) -> None:
    """Refuse an image that holds more than the reviewed list, or less.

    Args:
        name: the reviewed list's file, for messages.
        needed: each module by name, with the module that first asked for it.
        computed_at: where the computed list lies.

    Raises:
        SubjectFailed: the two differ; the message has the lines to add or to remove.
    """
    more = [(kind, each) for kind in _KINDS for each in sorted(getattr(computed, kind) - getattr(reviewed, kind))]
    less = [(kind, each) for kind in _KINDS for each in sorted(getattr(reviewed, kind) - getattr(computed, kind))]
    if not more and not less:
        return
    why = [f'add to {kind}: "{each}",{_asked(each, needed)}' for kind, each in more]
    why += [f'remove from {kind}: "{each}",' for kind, each in less]
    rest = len(why) - _NAMED
    raise SubjectFailed(
        f"the image would not hold what {name} says: {len(more)} more, {len(less)} less",
        why=[*why[:_NAMED], *([f"and {rest} more lines"] if rest > 0 else [])],
        remedy=f"if that is meant, change those lines, or take the whole list: cp {computed_at} {name}",
    )


def _asked(name: str, needed: Mapping[str, str]) -> str:
    by = needed.get(name, "")
    return f"  # imported by {by}" if by else ""
